//! Documents that contain a whole crate. It is built and run as written, outside the workspace, and
//! its binary must still run after it was moved and everything else was deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

#[test]
fn the_readmes_example_builds_and_runs_and_its_binary_can_be_moved() -> Result<()> {
    check("README.md", "quick-start", GADGET)
}

#[test]
fn the_guides_own_c_file_does() -> Result<()> {
    check("docs/guide/src/own-c-file.md", "own-c-file", GADGET)
}

#[test]
fn the_guides_five_minutes_do() -> Result<()> {
    let parts = ["zlib 1.", "13000 bytes compressed to ", "forbidden memory access at 0x"];
    check("docs/guide/src/five-minutes.md", "five-minutes", &parts)
}

/// The expected output of the gadget example.
const GADGET: &[&str] = &[
    "bolt GADGET_RED 2.5\n",
    "\"nut pink 1\": invalid value: 3 is no value of enum gadget_colour; valid: 1, 2, 4\n",
    "\"washer\": foreign code faulted: forbidden memory access at 0x1 in libc.so.6",
    ", called from gadget: gadget_parse (gadget.c:11)\n",
    "\"\\tscrew red 3\": foreign code ran longer than 100ms\n",
];

fn check(document: &str, name: &str, parts: &[&str]) -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let directory = tempfile::tempdir()?;
    write_files(&workspace, document, directory.path())?;
    let binary = build(directory.path(), name)?;

    let moved = tempfile::tempdir()?;
    let program = moved.path().join(name);
    fs::copy(binary, &program)?;
    directory.close()?;
    check_output(&run(&program)?, parts)
}

/// Writes the document's files. This checkout replaces the published crates.
fn write_files(workspace: &Path, document: &str, directory: &Path) -> Result<()> {
    let text = fs::read_to_string(workspace.join(document))?;
    let files = omniglot_readme::files(&text);
    for (name, content) in &files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
        fs::write(path, local(content, workspace))?;
    }
    for name in ["Cargo.toml", "build.rs", "src/main.rs"] {
        ensure!(files.iter().any(|(file, _)| file == name), "{document} has no {name}");
    }
    let main = fs::read_to_string(directory.join("src/main.rs"))?;
    ensure!(main.contains("#![forbid(unsafe_code)]"), "the example allows unsafe code");
    fs::copy(workspace.join("Cargo.lock"), directory.join("Cargo.lock"))?;
    Ok(())
}

fn local(text: &str, workspace: &Path) -> String {
    let path = |name: &str| {
        format!("{name} = {{ path = \"{}\" }}", workspace.join("crates").join(name).display())
    };
    text.replace("omniglot = \"0.1\"", &path("omniglot"))
        .replace("omniglot-build = \"0.1\"", &path("omniglot-build"))
}

/// Builds the crate. All crates share compiled dependencies.
fn build(directory: &Path, name: &str) -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--offline"])
        .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/../nested/config.toml")])
        .current_dir(directory)
        .env_remove("RUSTFLAGS")
        .status()?;
    ensure!(status.success(), "the example does not build");
    // Another crate of the same name may be built next.
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("debug").join(name);
    let kept = directory.join("built");
    fs::copy(built, &kept)?;
    Ok(kept)
}

fn run(program: &Path) -> Result<String> {
    let output = Command::new(program).env_clear().current_dir("/").output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the example failed: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}

fn check_output(output: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        ensure!(output.contains(part), "no {part:?} in the output: {output}");
    }
    Ok(())
}
