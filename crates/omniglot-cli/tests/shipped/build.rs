//! Compiles what was generated ahead: no header is read by anything but the C compiler.

fn main() -> omniglot_build::Result<()> {
    omniglot_build::Prebuilt::new("zlib").pkg_config("zlib").compile()
}
