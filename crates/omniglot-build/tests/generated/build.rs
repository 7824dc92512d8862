//! Binds one C library that has everything that can be bound.

fn main() -> omniglot_build::Result<()> {
    omniglot_build::Library::new("everything")
        .header("c/everything.h")
        .source("c/everything.c")
        .bitfield_enum("permissions")
        .setjmp_guard("reader_.*", "reader->on_error")
        .raise("reader_fail")
        .variadic("add_all", "add_two", "int first, double second")
        .variadic("add_all", "add_text", "const char *text")
        .function_macro("POINT_SUM", "int (const struct point *point, int factor)")
        .bool_type("gboolean")
        .callback_slots(2)
        .generate()
}
