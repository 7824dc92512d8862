//! The README's example is built and run as written, outside the workspace, and
//! its binary still runs after it was moved away and everything else deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const FILES: [&str; 3] = ["Cargo.toml", "build.rs", "src/main.rs"];

#[test]
fn the_example_builds_and_runs_and_its_binary_can_be_moved() -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let directory = tempfile::tempdir()?;
    write_files(&workspace, directory.path())?;
    let binary = build(directory.path())?;

    let moved = tempfile::tempdir()?;
    let program = moved.path().join("quick-start");
    fs::copy(binary, &program)?;
    directory.close()?;
    check_output(&run(&program)?)
}

/// Writes the README's files, with this checkout in place of the published crates.
fn write_files(workspace: &Path, directory: &Path) -> Result<()> {
    let readme = fs::read_to_string(workspace.join("README.md"))?;
    fs::create_dir(directory.join("src"))?;
    for name in FILES {
        let text = omniglot_readme::file(&readme, name).with_context(|| format!("no {name}"))?;
        fs::write(directory.join(name), local(&text, workspace))?;
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

fn build(directory: &Path) -> Result<PathBuf> {
    let target = directory.join("target");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--offline"])
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .status()?;
    ensure!(status.success(), "the example does not build");
    Ok(target.join("debug/quick-start"))
}

fn run(program: &Path) -> Result<String> {
    let output = Command::new(program).env_clear().current_dir("/").output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the example failed: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}

fn check_output(output: &str) -> Result<()> {
    for part in ["zlib 1.", "13000 bytes compressed to ", "forbidden memory access at 0x"] {
        ensure!(output.contains(part), "no {part:?} in the output: {output}");
    }
    Ok(())
}
