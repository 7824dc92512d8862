//! Documents that contain a whole crate. It is built and run as written, outside the workspace, and
//! its binary must still run after it was moved and everything else was deleted.
//!
//! With the variables of [`Elsewhere`] it is built for another machine, and runs there.

use std::env;
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

/// Another machine to build for.
struct Elsewhere {
    /// Its Rust target: `OMNIGLOT_README_TARGET`.
    target: String,
    /// The words of the command that runs a program on it, one a line: `OMNIGLOT_README_RUNNER`.
    runner: Vec<String>,
}

impl Elsewhere {
    /// The time limit in an emulator, in which the document's is too short for calls that return.
    const LIMIT: &str = "from_millis(4000)";
    /// What reads otherwise there: the time limit, and an address, since the C library for 64-bit Arm
    /// reads strings from a multiple of 16.
    const DIFFERENCES: [(&str, &str); 2] = [("100ms", "4s"), (" at 0x1 in ", " at 0x0 in ")];

    fn expected(part: &str) -> String {
        let differences = Self::DIFFERENCES.into_iter();
        differences.fold(part.to_owned(), |part, (here, there)| part.replace(here, there))
    }

    fn from_environment() -> Result<Option<Self>> {
        let Ok(target) = env::var("OMNIGLOT_README_TARGET") else { return Ok(None) };
        let runner = env::var("OMNIGLOT_README_RUNNER").context("no command runs programs")?;
        Ok(Some(Self { target, runner: runner.lines().map(str::to_owned).collect() }))
    }

    fn command(&self, program: &Path) -> Result<Command> {
        let (runner, arguments) = self.runner.split_first().context("the runner has no words")?;
        let mut command = Command::new(runner);
        command.args(arguments).arg(program);
        Ok(command)
    }
}

fn check(document: &str, name: &str, parts: &[&str]) -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let elsewhere = Elsewhere::from_environment()?;
    let directory = tempfile::tempdir()?;
    write_files(&workspace, document, directory.path())?;
    if elsewhere.is_some() {
        let main = directory.path().join("src/main.rs");
        let text = fs::read_to_string(&main)?.replace("from_millis(100)", Elsewhere::LIMIT);
        fs::write(main, text)?;
    }
    let binary = build(directory.path(), name, elsewhere.as_ref())?;

    let moved = tempfile::tempdir()?;
    let program = moved.path().join(name);
    fs::copy(binary, &program)?;
    directory.close()?;
    let command = match &elsewhere {
        None => here(&program),
        Some(elsewhere) => elsewhere.command(&program)?,
    };
    let output = run(command)?;
    for part in parts {
        let part = if elsewhere.is_some() { &Elsewhere::expected(part) } else { *part };
        ensure!(output.contains(part), "no {part:?} in the output: {output}");
    }
    Ok(())
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
fn build(directory: &Path, name: &str, elsewhere: Option<&Elsewhere>) -> Result<PathBuf> {
    let target = elsewhere.map(|elsewhere| elsewhere.target.as_str());
    let status = Command::new(env!("CARGO"))
        .args(["build", "--offline"])
        .args(target.iter().flat_map(|target| ["--target", target]))
        .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/../nested/config.toml")])
        .current_dir(directory)
        .env_remove("RUSTFLAGS")
        .status()?;
    ensure!(status.success(), "the example does not build");
    // Another crate of the same name may be built next.
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(target.unwrap_or("."));
    let built = built.join("debug").join(name);
    let kept = directory.join("built");
    fs::copy(built, &kept)?;
    Ok(kept)
}

fn here(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/");
    command
}

fn run(mut command: Command) -> Result<String> {
    let output = command.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the example failed: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}
