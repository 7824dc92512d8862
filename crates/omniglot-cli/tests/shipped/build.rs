//! Compiles code that was generated ahead. Only the C compiler reads a header.

fn main() -> omniglot_build::Result<()> {
    omniglot_build::Prebuilt::new("zlib").pkg_config("zlib").compile()
}
