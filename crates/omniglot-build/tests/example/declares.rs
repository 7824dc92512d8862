// What the examples in the documentation share. They include it, since they are crates of their own.

/// A library `shop` whose header `shop.h` declares this. The header is in the directory, which is
/// deleted when the first of the two is dropped.
fn declares(header: &str) -> (tempfile::TempDir, omniglot_build::Library) {
    let here = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(here.path().join("shop.h"), header).expect("the header");
    let library = omniglot_build::Library::new("shop").header("shop.h").include(here.path());
    (here, library)
}

/// Whether the generated Rust has this text, whatever its line breaks. Paths in front of
/// names are left out.
fn generates(library: &omniglot_build::Library, text: &str) -> bool {
    let plain = |text: &str| {
        let text: String = text.split_whitespace().collect();
        let paths = ["::omniglot::", "::core::ffi::", "::core::option::", "::core::ops::"];
        paths.iter().fold(text, |text, path| text.replace(path, "")).replace(",)", ")")
    };
    let rust = library.preview().expect("it can be generated").rust;
    plain(&rust).contains(&plain(text))
}
