//! Generates C libraries with random signatures, binds them, and writes the Rust code that calls
//! them.

#![forbid(unsafe_code)]

mod c;
mod probe;
mod random;
mod rust;
mod world;

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs, thread};

use omniglot_build::Library;
use world::{Scalar, World};

/// Number of libraries, each with its own types and signatures. The Rust half has a module for each
/// (`src/libraries.rs`).
const LIBRARIES: u64 = 8;

/// The default seed.
const SEED: u64 = 0x0419_1982;

/// The environment variable with another seed.
const VARIABLE: &str = "OMNIGLOT_ABI_SEED";

/// Number of signatures in a library. Compiling them takes most of these tests' time.
const SIGNATURES: usize = 128;

/// The environment variable that doubles that number.
const WHOLE: &str = "OMNIGLOT_WHOLE";

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    println!("cargo:rerun-if-env-changed={WHOLE}");
    println!("cargo:rerun-if-changed=build");
    let seed = match env::var(VARIABLE) {
        Ok(text) => text.parse()?,
        Err(_) => SEED,
    };
    let directory = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(directory.join("seed.rs"), seed.to_string())?;
    let signatures = SIGNATURES << u32::from(env::var_os(WHOLE).is_some());
    // Some are also callbacks, and called by their addresses.
    let cases = signatures + 2 * signatures.div_ceil(random::CALLBACK);
    fs::write(directory.join("cases.rs"), cases.to_string())?;
    let wide = probe::wide(&directory)?;
    let known: Vec<&str> = wide.iter().flatten().map(|scalar| scalar.c).collect();
    fs::write(directory.join("wide.rs"), format!("&{known:?}"))?;
    // Each generation runs on one processor, and takes half of this suite's time, so they run in
    // parallel.
    let plan = &Plan { directory, seed, signatures, wide };
    thread::scope(|scope| {
        let odd = scope.spawn(|| libraries(plan, (1..LIBRARIES).step_by(2)));
        libraries(plan, (0..LIBRARIES).step_by(2))?;
        odd.join().map_err(|_| "generation panicked")?
    })
}

/// What all libraries have in common.
struct Plan {
    directory: PathBuf,
    seed: u64,
    signatures: usize,
    wide: Vec<Option<Scalar>>,
}

fn libraries(plan: &Plan, mut indices: impl Iterator<Item = u64>) -> Outcome {
    indices.try_for_each(|index| library(plan, index))
}

fn library(Plan { directory, seed, signatures, wide }: &Plan, index: u64) -> Outcome {
    let name = format!("abi{index}");
    let world = World::random(seed.wrapping_add(index), *signatures, wide);
    let header = directory.join(format!("{name}.h"));
    let source = directory.join(format!("{name}.c"));
    fs::write(&header, c::header(&world))?;
    fs::write(&source, c::source(&world, &name))?;
    fs::write(directory.join(format!("{name}_calls.rs")), rust::calls(&world))?;
    in_a_kernel(Library::new(&name))
        .header(format!("{name}.h"))
        .include(directory)
        .source(source)
        .allowlist_function("(plain|calling|pointer)_.*")
        .callback_slots(1)
        .sandboxed()
        .generate()?;
    Ok(())
}

/// In a kernel, the libraries take turns in one region in the RAM of QEMU's board `virt`.
fn in_a_kernel(library: Library) -> Library {
    library.region(0x8600_0000, 8 << 20).stack(64 << 10).exchange(64 << 10)
}
