//! Which shared libraries a program needs, and where they are.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What an ELF file begins with.
const ELF: &[u8] = b"\x7fELF";

/// The files that the dynamic linker would map for `file`, which need not be an ELF file; the
/// dynamic linker is among them.
pub(super) fn needed_by(file: &Path) -> Result<Vec<PathBuf>> {
    if !begins_with(file, ELF)? {
        return Ok(Vec::new());
    }
    let output = Command::new("ldd").arg(file).output().context("could not start ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(name) = text.lines().find_map(missing) {
        bail!("{} needs {name}, which is not to be found", file.display());
    }
    // Whatever is linked statically is no program to ldd, and needs nothing.
    Ok(text.lines().filter_map(found).map(PathBuf::from).collect())
}

/// The program that a script is run by, if `file` is a script.
pub(super) fn interpreter_of(file: &Path) -> Result<Option<PathBuf>> {
    if !begins_with(file, b"#!")? {
        return Ok(None);
    }
    let mut start = [0; 256];
    let length = File::open(file)?.read(&mut start)?;
    let text = String::from_utf8_lossy(&start[..length]);
    let line = text.lines().next().unwrap_or_default().trim_start_matches("#!");
    Ok(line.split_whitespace().next().map(PathBuf::from))
}

/// Where the dynamic linker finds the library called `name`.
pub(super) fn find(name: &OsStr) -> Option<PathBuf> {
    // Not on the search path of ordinary users.
    let listing = ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .find_map(|command| Command::new(command).arg("-p").output().ok())?;
    let name = name.to_str()?;
    String::from_utf8_lossy(&listing.stdout).lines().find_map(|line| {
        let (library, place) = line.trim().split_once(" => ")?;
        let (library, kind) = library.split_once(' ')?;
        (library == name && kind.contains("x86-64")).then(|| PathBuf::from(place))
    })
}

fn begins_with(file: &Path, sign: &[u8]) -> Result<bool> {
    let mut start = Vec::new();
    File::open(file)
        .and_then(|file| file.take(sign.len() as u64).read_to_end(&mut start))
        .with_context(|| format!("could not read {}", file.display()))?;
    Ok(start == sign)
}

/// The file in a line like `libz.so.1 => /lib/libz.so.1 (0x7f00)` or `/lib/ld.so (0x7f00)`.
fn found(line: &str) -> Option<&str> {
    let line = line.trim();
    let place = line.split_once(" => ").map_or(line, |(_, place)| place);
    let (place, _) = place.rsplit_once(" (0x")?;
    place.starts_with('/').then_some(place)
}

/// The name in a line like `libgone.so.1 => not found`.
fn missing(line: &str) -> Option<&str> {
    line.trim().strip_suffix(" => not found")
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::ffi::OsStr;
    use std::fs;
    use std::path::Path;

    use super::{find, found, interpreter_of, missing, needed_by};
    use crate::testing::TempDir;

    #[test]
    fn lines_of_ldd_are_understood() {
        for (line, place) in [
            ("\tlinux-vdso.so.1 (0x00007ffd)", None),
            (
                "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)",
                Some("/lib/x86_64-linux-gnu/libc.so.6"),
            ),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tlibodd.so => /a (b)/libodd.so (0x00007f)", Some("/a (b)/libodd.so")),
            ("\tnot a dynamic executable", None),
        ] {
            assert_eq!(found(line), place, "{line}");
        }
        assert_eq!(missing("\tlibgone.so.1 => not found"), Some("libgone.so.1"));
    }

    #[test]
    fn this_program_needs_the_c_library_and_a_dynamic_linker() {
        let needed = needed_by(&env::current_exe().unwrap()).unwrap();
        for name in ["libc.so.6", "ld-linux-x86-64.so.2"] {
            assert!(needed.iter().any(|path| path.ends_with(name)), "{name}: {needed:?}");
        }
    }

    #[test]
    fn a_library_is_found_by_its_name() {
        assert!(find(OsStr::new("libc.so.6")).unwrap().is_file());
        assert_eq!(find(OsStr::new("libc.so")), None);
    }

    #[test]
    fn scripts_have_interpreters_and_need_no_libraries() {
        let directory = TempDir::new();
        let script = directory.path().join("script");
        fs::write(&script, "#! /bin/sh -e\ntrue\n").unwrap();
        assert_eq!(interpreter_of(&script).unwrap().as_deref(), Some(Path::new("/bin/sh")));
        assert_eq!(needed_by(&script).unwrap(), [""; 0].map(std::path::PathBuf::from));
        fs::write(&script, "").unwrap();
        assert_eq!(interpreter_of(&script).unwrap(), None);
    }
}
