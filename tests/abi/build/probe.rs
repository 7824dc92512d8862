//! Finds out which number types both clang and the C compiler support here.

use std::path::Path;
use std::{env, fs};

use omniglot_build::{Error, Library, Result};

use crate::world::{self, Scalar};

/// Returns all number types that not every compiler supports, with `None` for unsupported ones.
pub(crate) fn wide(directory: &Path) -> Result<Vec<Option<Scalar>>> {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let all = world::wide(&architecture).into_iter();
    all.map(|scalar| Ok(is_known(&scalar, directory)?.then_some(scalar))).collect()
}

/// Returns true if a function of this type can be declared and compiled. Whether it can be bound is
/// up to the tests.
fn is_known(scalar: &Scalar, directory: &Path) -> Result<bool> {
    let (header, source) = (directory.join("probe.h"), directory.join("probe.c"));
    let write = |path: &Path, text: String| {
        fs::write(path, text).map_err(|error| Error::File { path: path.to_owned(), error })
    };
    write(&header, format!("{0} probe({0} value);\n", scalar.c))?;
    let body =
        format!("#include \"probe.h\"\n{0} probe({0} value) {{ return value; }}\n", scalar.c);
    write(&source, body)?;
    let library = Library::new("probe").header("probe.h").include(directory).source(&source);
    match crate::in_a_kernel(library).out_dir(directory.join("probe")).generate() {
        Ok(()) => Ok(true),
        Err(Error::Header { .. } | Error::Source { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}
