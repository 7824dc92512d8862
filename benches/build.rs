//! Builds the small workloads twice, for plain FFI and as a library for Omniglot, and binds the
//! distribution's libraries.

use std::env;
use std::process::Command;

use omniglot_build::{Library, Result};

/// Number of callback slots: more than are ever registered at a time.
const SLOTS: u32 = 80;

/// The distribution's libraries, as the linker knows them, for plain FFI.
const LINKED: [&str; 9] =
    ["sodium", "brotlienc", "brotlidec", "png16", "z", "sqlite3", "lua5.4", "jansson", "jpeg"];

fn main() -> Result<()> {
    println!("cargo:rustc-env=BENCH_RUSTC={}", compiler());
    cc::Build::new().file("c/workloads.c").compile("workloads");
    for library in LINKED {
        println!("cargo:rustc-link-lib={library}");
    }
    Library::new("workloads")
        .header("c/workloads.h")
        .source("c/workloads.c")
        .callback_slots(SLOTS)
        .batch("add_six")
        .sandboxed()
        .generate()?;
    Library::new("sodium")
        .header("sodium.h")
        .pkg_config("libsodium")
        .allowlist_function("sodium_init|crypto_generichash")
        .sandboxed()
        // Argon2's, for processors with AVX-512. Nothing here calls it.
        .known_stop("fill_block_with_xor")
        .known_stop("fill_segment_avx512f")
        .generate()?;
    Library::new("brotli")
        .header("brotli/encode.h")
        .header("brotli/decode.h")
        .pkg_config("libbrotlienc")
        .pkg_config("libbrotlidec")
        .allowlist_function("BrotliEncoderCompress|BrotliDecoderDecompress")
        .sandboxed()
        .generate()?;
    Library::new("zlib")
        .header("zlib.h")
        .pkg_config("zlib")
        .allowlist_function("compress2|uncompress")
        .sandboxed()
        .generate()?;
    Library::new("sqlite")
        .header("sqlite3.h")
        .pkg_config("sqlite3")
        .allowlist_function("sqlite3_(open|exec|prepare_v2|step|column_int64|finalize)")
        .allowlist_var("SQLITE_(OK|ROW)")
        .sandboxed()
        .generate()?;
    Library::new("png")
        .header("png.h")
        .pkg_config("libpng")
        .allowlist_function("png_(create|destroy)_read_struct|png_create_info_struct")
        .allowlist_function("png_set_read_fn|png_read_(info|image)")
        .allowlist_function("png_get_(image_height|rowbytes)")
        .allowlist_var("PNG_LIBPNG_VER_STRING")
        // libpng reports errors by longjmp; with this guard, that becomes an error of the call.
        .setjmp_guard("png_read_.*", "png_jmpbuf(png_ptr)")
        .sandboxed()
        .generate()?;
    chatty()
}

/// Binds the libraries that are called often, for little work each time.
fn chatty() -> Result<()> {
    Library::new("lua")
        .header("lua.h")
        .header("lualib.h")
        .header("lauxlib.h")
        .pkg_config("lua5.4")
        .allowlist_function("luaL_(newstate|openlibs|loadstring)|lua_(pcallk|close|setglobal)")
        .allowlist_function("lua_(pushcclosure|pushinteger|tointegerx)")
        .sandboxed()
        .generate()?;
    Library::new("jansson")
        .header("jansson.h")
        .pkg_config("jansson")
        .allowlist_function("json_(loadb|delete|object_get|array_(size|get)|integer_value)")
        .sandboxed()
        .generate()?;
    Library::new("jpeg")
        .header("stdio.h")
        .header("jpeglib.h")
        .pkg_config("libjpeg")
        .allowlist_function("jpeg_(std_error|CreateDecompress|mem_src|read_header)")
        .allowlist_function("jpeg_(start|finish|destroy)_decompress|jpeg_read_scanlines")
        .allowlist_var("JPEG_LIB_VERSION")
        .sandboxed()
        .generate()
}

/// Returns the compiler's version, for the report.
fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
