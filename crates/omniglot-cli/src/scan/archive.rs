//! Reports whether a static archive can be rewritten for software fault isolation.

use std::ffi::OsString;
use std::fmt::{Result as Written, Write};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

use omniglot_sfi::layer::Layer;
use omniglot_sfi::{Image, Problem, Rewriter};
use serde_json::{Value, json};

use super::report::{clean, list};
use super::{NOT_LOADABLE, print};
use crate::arguments::Scan;
use crate::failure::Failure;

/// How archives begin, and thin ones, whose members are other files.
const MAGIC: [&[u8; 8]; 2] = [b"!<arch>\n", b"!<thin>\n"];

/// Whether a file is an archive, by its first bytes.
pub(super) fn is_one(path: &Path) -> Result<bool, Failure> {
    let failed = |error| Failure::File(path.to_owned(), error);
    let mut start = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(8).read_to_end(&mut start).map_err(failed)?;
    Ok(MAGIC.iter().any(|magic| start == *magic))
}

/// Rewrites everything that an archive defines, and prints what came of it.
pub(super) fn run(arguments: &Scan) -> Result<ExitCode, Failure> {
    let path = &arguments.file;
    let result = rewrite(path)?;
    let text = if arguments.json {
        format!("{:#}\n", as_json(path, &result))
    } else {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write_all(&mut text, path, &result);
        text
    };
    print(&text)?;
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(NOT_LOADABLE) })
}

/// The image of everything in an archive, or what is against one.
fn rewrite(path: &Path) -> Result<Result<Image, Vec<Problem>>, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    let scratch = tempfile::tempdir().map_err(|error| Failure::File(env::temp_dir(), error))?;
    let compiler = || Command::new(env::var_os("CC").unwrap_or_else(|| OsString::from("cc")));
    let mut rewriter = Rewriter::new();
    rewriter.add_layer(Layer::Musl, scratch.path(), &compiler).map_err(Failure::Archive)?;
    rewriter.archive(&path.to_string_lossy(), &bytes).map_err(Failure::Archive)?;
    rewriter.export_archives();
    rewriter.add_libraries(Layer::Musl, &compiler).map_err(Failure::Archive)?;
    rewriter.trap_unsupported().stub_missing();
    Ok(rewriter.rewrite().map_err(|error| error.problems))
}

fn write_all(text: &mut String, path: &Path, result: &Result<Image, Vec<Problem>>) -> Written {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    writeln!(text, "{}", clean(&format!("{name}  {}", path.display())))?;
    let image = match result {
        Err(problems) => {
            writeln!(text, "can be sandboxed: no")?;
            return list(text, "what is in the way", problems.iter().map(ToString::to_string));
        }
        Ok(image) => image,
    };
    writeln!(text, "can be sandboxed: yes")?;
    let (before, after) = image.code;
    writeln!(text, "code, with its part of musl: {before} bytes, rewritten {after}")?;
    list(
        text,
        "instructions that cannot be rewritten: a call that executes one ends",
        image.trapped.iter().map(ToString::to_string),
    )?;
    list(text, "symbols that another archive must define", image.missing.iter().cloned())
}

fn as_json(path: &Path, result: &Result<Image, Vec<Problem>>) -> Value {
    let all = |problems: &[Problem]| problems.iter().map(problem).collect::<Vec<_>>();
    let (reasons, image) = match result {
        Err(problems) => (all(problems), None),
        Ok(image) => (Vec::new(), Some(image)),
    };
    json!({
        "path": path.to_string_lossy(),
        "sandboxable": image.is_some(),
        "reasons_against": reasons,
        "code": image.map(|image| json!({ "original": image.code.0, "rewritten": image.code.1 })),
        "instructions": image.map(|image| all(&image.trapped)),
        "missing": image.map(|image| &image.missing),
    })
}

fn problem(problem: &Problem) -> Value {
    json!({
        "object": problem.object,
        "section": problem.section,
        "symbol": problem.symbol,
        "offset": problem.offset,
        "instruction": problem.instruction,
        "what": problem.what,
        "remedy": problem.remedy,
    })
}
