//! Headers of installed libraries.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use omniglot_build::{Library, Wrapper};

fn image_exists(directory: &Path, name: &str) -> bool {
    directory.join("omniglot").join(format!("{name}.so")).is_file()
}

#[test]
fn libpng_is_bound() {
    let directory = tempfile::tempdir().unwrap();
    let library = Library::new("png")
        .header("png.h")
        .pkg_config("libpng")
        .allowlist_function("png_.*")
        .allowlist_var("PNG_.*")
        .setjmp_guard("png_(read|write)_.*", "png_jmpbuf(png_ptr)")
        .raise("png_error")
        .out_dir(directory.path());
    let preview = library.preview().unwrap();
    assert!(preview.functions.len() >= 200, "{}", preview.functions.len());
    assert!(preview.rust.contains("pub const PNG_LIBPNG_VER_STRING: &::core::ffi::CStr"));
    assert!(preview.rust.contains("pub fn raise_png_error("));
    library.generate().unwrap();
    assert!(image_exists(directory.path(), "png"));
}

#[test]
fn zlib_is_bound_without_an_allowlist() {
    let directory = tempfile::tempdir().unwrap();
    let library =
        Library::new("zlib").header("zlib.h").pkg_config("zlib").out_dir(directory.path());
    let preview = library.preview().unwrap();
    assert!(preview.functions.len() >= 70, "{}", preview.functions.len());
    assert!(!preview.functions.iter().any(|name| name == "printf"), "libc is not zlib");
    let unbound: Vec<&str> = preview.problems.iter().map(|problem| problem.item.as_str()).collect();
    assert_eq!(unbound, ["gzprintf", "gzvprintf"]);
    library.generate().unwrap();
    assert!(image_exists(directory.path(), "zlib"));
}

#[test]
fn zlib_reads_like_rust() {
    let directory = tempfile::tempdir().unwrap();
    let library = Library::new("zlib")
        .header("zlib.h")
        .pkg_config("zlib")
        .allowlist_function("uncompress|zlibVersion|zError")
        .wrap(
            Wrapper::function("uncompress")
                .out_slice("dest", "destLen")
                .in_slice("source", "sourceLen")
                .status_ok(0)
                .message("zError"),
        )
        .wrap(Wrapper::function("zlibVersion").returns_str(64))
        .out_dir(directory.path());
    let rust = library.preview().unwrap().rust;
    let text: String = rust.split_whitespace().collect();
    assert!(text.contains(
        "pubfnuncompress(&mutself,dest:&mut[Bytef],source:&[Bytef],)->::omniglot::Result<usize>"
    ));
    assert!(
        text.contains("pubfnzlibVersion(&mutself)->::omniglot::Result<::omniglot::View<'_,str>>")
    );
    library.generate().unwrap();
}

#[test]
fn libc_itself_is_bound() {
    let directory = tempfile::tempdir().unwrap();
    let library = Library::new("libc")
        .header("stdlib.h")
        .header("string.h")
        .header("time.h")
        .allowlist_function("str.*|mem.*|malloc|free|qsort|time|div|abs")
        .out_dir(directory.path());
    let preview = library.preview().unwrap();
    assert!(preview.rust.contains("pub fn malloc_("), "C names give way to methods");
    assert!(preview.rust.contains("pub fn qsort("));
    library.generate().unwrap();
    assert!(image_exists(directory.path(), "libc"));
}
