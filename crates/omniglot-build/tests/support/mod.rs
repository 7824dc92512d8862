//! What the tests share.
#![allow(dead_code)]

use std::path::PathBuf;

use omniglot_build::{Handle, Library, Wrapper};

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
pub(crate) fn wrapped() -> Library {
    library("wrappers")
        .wrap(
            Wrapper::function("unpack")
                .out_slice("dest", "dest_len")
                .in_slice("source", "source_len")
                .status_ok(0)
                .message("reason"),
        )
        .wrap(
            Wrapper::function("hash")
                .out_slice("out", "out_len")
                .in_slice("in", "in_len")
                .in_slice("key", "key_len")
                .optional("key")
                .status_ok(0),
        )
        .wrap(
            Wrapper::function("mix")
                .in_out_slice("left", "count")
                .in_slice("right", "count")
                .in_array("seed", 32),
        )
        .wrap(
            Wrapper::function("codec_open")
                .in_str("name")
                .in_c_str("options")
                .optional("options")
                .out("result")
                .out("version")
                .status_ok(0),
        )
        .wrap(Wrapper::function("codec_read").out_slice("buffer", "len").status_at_least(0))
        .wrap(Wrapper::function("codec_name").returns_str(64))
}

/// As the snapshot of the same name.
pub(crate) fn handles() -> Library {
    library("handles")
        .handle(
            Handle::of("archive")
                .constructor("archive_new")
                .constructor("archive_open")
                .destructor("archive_close")
                .named("Archive"),
        )
        .handle(Handle::of("entry").constructor("archive_first").destructor("entry_free"))
        .handle(Handle::of("session").constructor("session_new").destructor("session_end"))
        .wrap(Wrapper::function("archive_open").in_str("name").out("version").status_ok(0))
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
