//! Generates safe bindings to the system's zlib.

use omniglot_build::{Library, Wrapper};

fn main() -> omniglot_build::Result<()> {
    Library::new("zlib")
        .header("zlib.h")
        .pkg_config("zlib")
        .allowlist_function("(de|in)flate(Init2_|Reset|End)?|compress(2|Bound)|uncompress|zError")
        .allowlist_var("ZLIB_VERSION|Z_[A-Z_]+")
        .wrap(slices("compress2"))
        .wrap(slices("uncompress"))
        .generate()
}

/// Describes zlib's functions from a whole slice to a whole slice. They return the length of the
/// output, or zlib's error message.
fn slices(function: &str) -> Wrapper {
    Wrapper::function(function)
        .out_slice("dest", "destLen")
        .in_slice("source", "sourceLen")
        .status_ok(0)
        .message("zError")
}
