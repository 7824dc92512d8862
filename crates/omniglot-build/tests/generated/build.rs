//! Binds one C library that has everything that can be bound, and a mixture of libraries.

use omniglot_build::{Handle, Library, Wrapper};

fn main() -> omniglot_build::Result<()> {
    everything()?;
    // Several headers, a C++ source and an installed library in one instance.
    Library::new("mixture")
        .header("c/words.h")
        .header("zlib.h")
        .source("c/words.cc")
        .pkg_config("zlib")
        .allowlist_function("words_.*|crc32|zlibVersion")
        .wrap(Wrapper::function("words_count").in_str("text"))
        .wrap(Wrapper::function("words_longest").in_str("text").returns_str(64))
        .generate()
}

fn everything() -> omniglot_build::Result<()> {
    Library::new("everything")
        .header("c/everything.h")
        .source("c/everything.c")
        .bitfield_enum("permissions")
        .setjmp_guard("reader_.*", "reader->on_error")
        .raise("reader_fail")
        .variadic("add_all", "add_two", "int first, double second")
        .variadic("add_all", "add_text", "const char *text")
        .function_macro("POINT_SUM", "int (const struct point *point, int factor)")
        .bool_type("gboolean")
        .wrap(
            Wrapper::function("repeat")
                .out_slice("dest", "dest_len")
                .in_slice("source", "source_len")
                .status_ok(0)
                .message("repeat_error"),
        )
        .wrap(
            Wrapper::function("checksum")
                .out_slice("out", "out_len")
                .in_slice("in", "in_len")
                .in_slice("key", "key_len")
                .optional("key")
                .status_ok(0),
        )
        .wrap(
            Wrapper::function("add_to")
                .in_out_slice("left", "count")
                .in_slice("right", "count")
                .in_array("factors", 2),
        )
        .wrap(
            Wrapper::function("measure")
                .in_str("name")
                .in_c_str("unit")
                .optional("unit")
                .out("width")
                .out("state")
                .status_at_least(0),
        )
        .wrap(Wrapper::function("item_open").status_ok(0))
        .handle(
            Handle::of("item")
                .constructor("item_new")
                .constructor("item_open")
                .destructor("item_free")
                .named("Item"),
        )
        .wrap(Wrapper::function("y_or").optional("point"))
        .wrap(Wrapper::function("greeting").returns_str(16))
        .callback_slots(2)
        .generate()
}
