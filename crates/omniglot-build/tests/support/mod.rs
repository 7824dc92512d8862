//! What the tests share.
#![allow(dead_code)]

use std::path::PathBuf;

use omniglot_build::Library;

/// The directory with the headers that tests bind.
pub(crate) fn headers() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/headers")
}

/// A library with the header of its name, with few callback slots so that what is
/// generated stays short.
pub(crate) fn library(name: &str) -> Library {
    Library::new(name).header(format!("{name}.h")).include(headers()).callback_slots(2)
}

/// As the snapshot of the same name.
pub(crate) fn described() -> Library {
    library("described")
        .variadic("set_option", "set_option_long", "long")
        .variadic("set_option", "set_option_text", "const char *text, unsigned option")
        .variadic("set_option", "set_option_handler", "void (*handler)(int)")
        .function_macro("SQUARE", "double (double x)")
        .function_macro("CLEAR", "void (struct handle *handle)")
}

/// As the snapshot of the same name.
pub(crate) fn guarded() -> Library {
    library("guards")
        .setjmp_guard("reader_(next|peek|fail|version)", "reader_buffer(reader)")
        .raise("reader_fail")
}
