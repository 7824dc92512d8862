//! Files as they are, and with anything in them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use omniglot_fuzz::{Random, fuzz};

use super::*;

const SOURCE: &str =
    "int one(int a)\n{\n    return a + 1;\n}\n\nint two(int a)\n{\n    return a * 2;\n}\n";

fn compile(directory: &Path, flags: &[&str]) -> PathBuf {
    let (source, library) = (directory.join("source.c"), directory.join("library.so"));
    fs::write(&source, SOURCE).expect("written");
    let target = "x86_64-unknown-linux-gnu";
    let compiler = cc::Build::new()
        .target(target)
        .host(target)
        .opt_level(0)
        .cargo_metadata(false)
        .get_compiler();
    let done = Command::new(compiler.path())
        .args(["-shared", "-fPIC", "-O0", "-o"])
        .args([&library, &source])
        .args(flags)
        .status()
        .expect("a C compiler");
    assert!(done.success());
    library
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(100)
}

/// Where a function is, from where the file is loaded.
fn address(elf: &[u8], name: &str) -> u64 {
    let elf = Elf::parse(elf, soon()).expect("a file");
    let table = elf.sections.symbols(LE, elf.data, SHT_SYMTAB).expect("symbols");
    let is_it = |symbol: &&Sym64<LE>| {
        symbol.name(LE, table.strings()).is_ok_and(|found| found == name.as_bytes())
    };
    table.iter().find(is_it).expect("the function").st_value(LE)
}

fn lines_of(details: &Details) -> Option<(String, u64)> {
    let (path, line) = details.line.clone()?;
    Some((String::from_utf8(path).ok()?.rsplit('/').next()?.to_owned(), line))
}

#[test]
fn functions_and_lines_are_found() {
    let directory = tempfile::tempdir().expect("a directory");
    for version in ["-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
        let path = compile(directory.path(), &["-g1", version]);
        let bytes = fs::read(&path).expect("readable");
        for (name, line) in [("one", 2), ("two", 7)] {
            let at = address(&bytes, name);
            let found = look_up(&bytes, at, soon());
            assert_eq!(found.function, Some((name.into(), 0)), "{version}");
            if cfg!(feature = "symbols") {
                assert_eq!(lines_of(&found), Some(("source.c".to_owned(), line)), "{version}");
            }
            let file = File::open(&path).expect("readable");
            assert_eq!(look_up_in_file(file, at, soon()), found, "{version}");
        }
        assert_eq!(look_up(&bytes, u64::MAX, soon()), Details::default());
        assert_eq!(look_up(&bytes, 1 << 40, soon()), Details::default());
    }
}

#[test]
fn without_time_nothing_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let bytes = fs::read(compile(directory.path(), &["-g1"])).expect("readable");
    let at = address(&bytes, "one");
    assert_eq!(look_up(&bytes, at, Instant::now()), Details::default());
}

/// The name of each section could be as long as what is read at once of a string.
#[test]
fn files_with_too_many_sections_are_not_read() {
    /// Where the header counts sections, and how long it and each section's header are: figures 4-3
    /// and 4-8 of the gABI for 64 bits.
    const COUNT: usize = 60;
    const SECTIONS: usize = 40;
    const HEADER: usize = 64;
    let directory = tempfile::tempdir().expect("a directory");
    let mut bytes = fs::read(compile(directory.path(), &["-g1"])).expect("readable");
    let at = address(&bytes, "one");
    let headers = u64::from_le_bytes(bytes[SECTIONS..][..8].try_into().expect("8 bytes")) as usize;
    for (count, is_read) in [(MOST_SECTIONS, true), (MOST_SECTIONS + 1, false)] {
        bytes.resize(headers + usize::from(count) * HEADER, 0);
        bytes[COUNT..][..2].copy_from_slice(&count.to_le_bytes());
        assert_eq!(look_up(&bytes, at, soon()).function.is_some(), is_read, "{count}");
    }
}

/// Where the file has the parts that are read.
fn interesting(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let elf = Elf::parse(bytes, soon()).expect("a file");
    let headers = elf.header.e_shoff(LE) as usize;
    let mut ranges = vec![0..64, headers..bytes.len()];
    for name in [".debug_line", ".debug_line_str", ".symtab", ".strtab"] {
        // Before version 5 all strings are in the tables themselves.
        let Some((_, section)) = elf.sections.section_by_name(LE, name.as_bytes()) else {
            continue;
        };
        let start = section.sh_offset(LE) as usize;
        ranges.push(start..start + section.sh_size(LE) as usize);
    }
    ranges
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, ranges: &[std::ops::Range<usize>]) {
    for _ in 0..1 + random.below(6) {
        let range = random.pick(ranges).clone();
        let at = range.start + random.below(range.len() as u64) as usize;
        let value = match random.below(4) {
            0 => vec![random.byte()],
            1 => vec![*random.pick(&[0, 1, 0x7f, 0x80, 0xff])],
            2 => random.edge().to_le_bytes().to_vec(),
            _ => vec![0xff; 1 + random.below(12) as usize],
        };
        for (offset, byte) in value.into_iter().enumerate() {
            if let Some(place) = bytes.get_mut(at + offset) {
                *place = byte;
            }
        }
    }
    if random.once_in(8) {
        bytes.truncate(random.below(bytes.len() as u64) as usize);
    }
}

/// No file and no address makes looking up panic, and what it finds is in the file.
#[test]
fn whatever_a_file_has_it_is_only_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let originals: Vec<_> = ["-gdwarf-3", "-gdwarf-4", "-gdwarf-5"]
        .map(|version| fs::read(compile(directory.path(), &["-g1", version])).expect("readable"))
        .into_iter()
        .map(|bytes| {
            let (ranges, at) = (interesting(&bytes), address(&bytes, "two"));
            (bytes, ranges, at)
        })
        .collect();
    fuzz("debug_info", 20_000, |random| {
        let (original, ranges, at) = random.pick(&originals).clone();
        let mut bytes = original;
        change(random, &mut bytes, &ranges);
        let address = if random.once_in(4) { random.edge() } else { at + random.below(20) };
        let found = look_up(&bytes, address, soon());
        let is_in = |text: &[u8]| text.is_empty() || bytes.windows(text.len()).any(|at| at == text);
        assert!(found.function.is_none_or(|(name, _)| is_in(&name)));
        assert!(found.line.is_none_or(|(path, line)| is_in(&path) && line > 0));
    });
}
