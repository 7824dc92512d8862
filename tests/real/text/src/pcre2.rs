//! PCRE2 matches a pattern, with and without its compiler to machine code.

use anyhow::{Result, ensure};
use omniglot::{Error, Permission, Ptr, Runtime, Slice};
use real_subject::{prose, subject};

omniglot::include_library!("pcre2");

pub(crate) use compiled::PCRE2_JIT;
pub(crate) use interpreted::PCRE2;

/// Without memory for code, so that the compiler fails and the pattern is interpreted.
mod interpreted {
    use super::*;

    subject! {
        PCRE2: Pcre2 = "pcre2" from "libpcre2-dev",
        does: "finds a pattern, with and without asking for its compiler (which is refused)",
        confirmed: "the crate regex, equal",
        builder: |_input| [],
    }

    fn confirm(text: &String, output: &Output) -> Result<()> {
        /// `PCRE2_ERROR_NOMEMORY`: no executable memory is available.
        const NO_MEMORY: i32 = -48;
        compare(text, output, NO_MEMORY)
    }
}

/// With memory for code.
mod compiled {
    use super::*;

    subject! {
        PCRE2_JIT: Pcre2 = "pcre2-jit" from "libpcre2-dev",
        does: "finds a pattern, with and without its compiler to machine code",
        confirmed: "the crate regex, equal",
        builder: |_input| [.allow(Permission::ExecutableMemory)],
        not_in_process: "it needs memory for code",
        not_sandboxed: "it needs memory for code",
    }

    fn confirm(text: &String, output: &Output) -> Result<()> {
        compare(text, output, 0)
    }
}

const PATTERN: &str = r"(?:table|stakes) (\d{1,3})\b";

fn input() -> Result<String> {
    Ok(prose(20_000))
}

/// The start and end of the number in each match.
type Places = Vec<(usize, usize)>;

/// The result of the compiler to machine code, and the matches without and with it.
type Output = (i32, Places, Places);

fn run<R: Runtime>(pcre: &mut Pcre2<R>, text: &String) -> omniglot::Result<Output> {
    pcre.scope(|pcre| {
        let (pattern, bytes) = (pcre.copy_in(PATTERN.as_bytes())?, pcre.copy_in(text.as_bytes())?);
        let (error, place) = (pcre.out::<i32>()?, pcre.out::<usize>()?);
        let code =
            pcre.pcre2_compile_8(pattern, PATTERN.len(), PCRE2_UTF, error, place, Ptr::null())?;
        if code.is_null() {
            return Err(Error::Misuse("PCRE2 does not understand the pattern"));
        }
        let subject = bytes.into();
        let without = find(pcre, code, subject)?;
        let compiled = pcre.pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)?;
        let with = find(pcre, code, subject)?;
        pcre.pcre2_code_free_8(code)?;
        Ok((compiled, without, with))
    })
}

/// Finds all matches of a pattern.
fn find<R: Runtime>(
    pcre: &mut Api<R>,
    code: Ptr<pcre2_real_code_8>,
    text: Slice<u8>,
) -> omniglot::Result<Places> {
    let found = pcre.pcre2_match_data_create_from_pattern_8(code, Ptr::null())?;
    let vector = pcre.pcre2_get_ovector_pointer_8(found)?;
    let (mut places, mut start) = (Vec::new(), 0);
    while pcre.pcre2_match_8(code, text, text.len(), start, 0, found, Ptr::null())? > 0 {
        let ends = pcre.read_vec(vector, 4)?;
        places.push((ends[2], ends[3]));
        start = ends[1];
    }
    pcre.pcre2_match_data_free_8(found)?;
    Ok(places)
}

/// Compares the matches with those of another implementation, and the compiler's result.
fn compare(text: &str, (compiled, without, with): &Output, result: i32) -> Result<()> {
    let pattern = regex::Regex::new(PATTERN)?;
    let places = pattern.captures_iter(text).filter_map(|found| found.get(1));
    let expected: Places = places.map(|number| (number.start(), number.end())).collect();
    ensure!(without == &expected && with == &expected && expected.len() > 5, "the places differ");
    ensure!(*compiled == result, "the compiler said {compiled}");
    Ok(())
}
