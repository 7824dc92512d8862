//! Generates safe bindings to the system's zlib.

fn main() -> omniglot_build::Result<()> {
    omniglot_build::Library::new("zlib")
        .header("zlib.h")
        .pkg_config("zlib")
        .allowlist_function("(de|in)flate(Init2_|Reset|End)?|compress(2|Bound)|uncompress")
        .allowlist_var("ZLIB_VERSION|Z_[A-Z_]+")
        .generate()
}
