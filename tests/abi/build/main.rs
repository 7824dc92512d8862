//! Makes up C libraries with random signatures, binds them, and writes the Rust that
//! calls them.

#![forbid(unsafe_code)]

mod c;
mod random;
mod rust;
mod world;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use omniglot_build::Library;
use world::World;

/// How many libraries there are, each with shapes and signatures of its own. The Rust
/// half has a module for each (`src/libraries.rs`).
const LIBRARIES: u64 = 8;

/// Used unless the environment says otherwise.
const SEED: u64 = 0x0419_1982;

/// The variable with another seed.
const VARIABLE: &str = "OMNIGLOT_ABI_SEED";

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    println!("cargo:rerun-if-changed=build");
    let seed = match env::var(VARIABLE) {
        Ok(text) => text.parse()?,
        Err(_) => SEED,
    };
    let directory = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(directory.join("seed.rs"), seed.to_string())?;
    // Generation runs on one processor, and is half of what this suite costs.
    thread::scope(|scope| {
        let directory = &directory;
        let odd = scope.spawn(move || libraries(directory, (1..LIBRARIES).step_by(2), seed));
        libraries(directory, (0..LIBRARIES).step_by(2), seed)?;
        odd.join().map_err(|_| "generation panicked")?
    })
}

fn libraries(directory: &Path, mut indices: impl Iterator<Item = u64>, seed: u64) -> Outcome {
    indices.try_for_each(|index| library(directory, index, seed))
}

fn library(directory: &Path, index: u64, seed: u64) -> Outcome {
    let name = format!("abi{index}");
    let world = World::random(seed.wrapping_add(index));
    let header = directory.join(format!("{name}.h"));
    let source = directory.join(format!("{name}.c"));
    fs::write(&header, c::header(&world))?;
    fs::write(&source, c::source(&world, &name))?;
    fs::write(directory.join(format!("{name}_calls.rs")), rust::calls(&world))?;
    Library::new(&name)
        .header(format!("{name}.h"))
        .include(directory)
        .source(source)
        .allowlist_function("(plain|calling|pointer)_.*")
        .callback_slots(1)
        .generate()?;
    Ok(())
}
