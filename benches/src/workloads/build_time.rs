//! The cost of bindings in a user's build: a crate that binds all of png.h, in the dev profile,
//! with its dependencies built already.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use omniglot_turns::{Record, Settings, Unit, summarise};

/// Each run takes seconds, so there are fewer runs than for calls.
const MOST_RUNS: usize = 9;

const BUILD_SCRIPT: &str = r#"
fn main() -> omniglot_build::Result<()> {
    println!("cargo:rerun-if-env-changed=OMNIGLOT_BENCH_RUN");
    let start = std::time::Instant::now();
    omniglot_build::Library::new("png").header("png.h").pkg_config("libpng").generate()?;
    let took = start.elapsed().as_nanos().to_string();
    std::fs::write(std::env::var_os("OMNIGLOT_BENCH_TOOK").unwrap(), took).unwrap();
    Ok(())
}
"#;

const PROGRAM: &str = r#"#![forbid(unsafe_code)]
mod png {
    omniglot::include_library!("png");
}
fn main() -> omniglot::Result<()> {
    let mut png = png::Png::builder().build()?;
    println!("{}", png.png_access_version_number()?);
    Ok(())
}
"#;

/// Times the generation in the build script, compiling the crate after a change to it, and a build
/// without any change.
pub(crate) fn build_time(settings: Settings) -> Result<Vec<Record>> {
    let project = Project::create()?;
    // The first build compiles the dependencies.
    project.build("0")?;
    let (mut generate, mut compile, mut unchanged) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=settings.runs.min(MOST_RUNS) {
        let run = run.to_string();
        project.build(&run)?;
        generate.push(project.generation()?);
        project.touch_program()?;
        compile.push(project.build(&run)?);
        unchanged.push(project.build(&run)?);
    }
    Ok(vec![
        summarise("build_time", 0, "generate", Unit::Ns, generate),
        summarise("build_time", 0, "compile", Unit::Ns, compile),
        summarise("build_time", 0, "unchanged", Unit::Ns, unchanged),
    ])
}

/// A user's crate in its own directory.
struct Project {
    directory: PathBuf,
    took: PathBuf,
    cargo: OsString,
}

impl Project {
    fn create() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let directory = root.join("target/bench-build-time");
        fs::create_dir_all(directory.join("src"))?;
        let crates = root.join("crates");
        let manifest = format!(
            "[package]\nname = \"build-time\"\nedition = \"2024\"\n\
             [dependencies]\nomniglot = {{ path = {:?} }}\n\
             [build-dependencies]\nomniglot-build = {{ path = {:?} }}\n[workspace]\n",
            crates.join("omniglot"),
            crates.join("omniglot-build"),
        );
        fs::write(directory.join("Cargo.toml"), manifest)?;
        fs::write(directory.join("build.rs"), BUILD_SCRIPT)?;
        fs::write(directory.join("src/main.rs"), PROGRAM)?;
        fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock"))?;
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Ok(Self { took: directory.join("took"), directory, cargo })
    }

    /// Builds the crate, and returns the time in nanoseconds. The build script runs again if `run`
    /// differs from the last time.
    fn build(&self, run: &str) -> Result<f64> {
        let mut command = Command::new(&self.cargo);
        command.args(["build", "--quiet", "--offline"]).current_dir(&self.directory);
        command.env("CARGO_TARGET_DIR", self.directory.join("target"));
        command.env("OMNIGLOT_BENCH_RUN", run).env("OMNIGLOT_BENCH_TOOK", &self.took);
        let start = Instant::now();
        let output = command.output().context("cannot start cargo")?;
        let took = start.elapsed();
        if !output.status.success() {
            bail!("the crate does not build: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(took.as_nanos() as f64)
    }

    /// Returns the time that the build script recorded in its last run.
    fn generation(&self) -> Result<f64> {
        let took = fs::read_to_string(&self.took).context("the build script did not run")?;
        took.parse().context("the build script wrote no number")
    }

    fn touch_program(&self) -> Result<()> {
        let program = fs::File::options().write(true).open(self.directory.join("src/main.rs"))?;
        Ok(program.set_modified(SystemTime::now())?)
    }
}
