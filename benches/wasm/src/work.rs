//! The workloads, in each way to run a module and in plain FFI to the same sources.

mod brotli;
mod png;
mod small;
mod sodium;
mod sqlite;
mod zlib;

use anyhow::Result;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::module::Modules;

/// Plain FFI to the sources that the modules are made of: what those are compared with.
const NATIVE: &str = "wasm-native";

/// Evaluates `$variant` for each way to run the module `$library`, and returns a vector.
macro_rules! on_each_guest {
    ($modules:expr, $library:literal, |$name:ident, $guest:ident| $variant:expr) => {{
        // First, since wasmtime sees whether the functions have the signatures that the host expects.
        let ($name, $guest) = ("wasm", $modules.instance($library)?);
        let mut variants = vec![$variant];
        let ($name, $guest) = ("wasm2c", $crate::wasm2c::Wasm2c::new($library)?);
        variants.push($variant);
        variants
    }};
}
use on_each_guest;

/// Returns the variants of a workload, or `None` if modules cannot do it.
pub(crate) fn find(
    inputs: &Inputs,
    modules: &Modules,
    name: &str,
    size: usize,
) -> Result<Option<Workload>> {
    let variants = match name {
        "empty_call" => small::empty(modules),
        "six_arguments" => small::six_arguments(modules),
        "callback" => small::callback(modules, size),
        "libsodium" => sodium::variants(modules, size),
        "brotli" => brotli::round_trips(modules, inputs.text(size)?, 11),
        "brotli_q5" => brotli::round_trips(modules, inputs.text(size)?, 5),
        "brotli_q1" => brotli::round_trips(modules, inputs.text(size)?, 1),
        "brotli_decompress" => brotli::decompressions(modules, &inputs.text(size)?),
        "libpng" => png::variants(modules, inputs.picture(size)?),
        "zlib" => zlib::variants(modules, inputs.text(size)?),
        "sqlite" => sqlite::variants(modules, size),
        _ => return Ok(None),
    };
    Ok(Some(Workload { size, variants: variants? }))
}

/// Makes a variant from a function that does the operation once.
fn repeated(name: &str, mut once: impl FnMut() -> Result<()> + 'static) -> Variant {
    Variant::new(name, move |count| (0..count).try_for_each(|_| once()))
}
