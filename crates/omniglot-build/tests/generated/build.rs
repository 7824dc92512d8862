//! Binds one C library that has everything that can be bound.

fn main() -> omniglot_build::Result<()> {
    omniglot_build::Library::new("everything")
        .header("c/everything.h")
        .source("c/everything.c")
        .bitfield_enum("permissions")
        .setjmp_guard("reader_.*", "reader->on_error")
        .raise("reader_fail")
        .callback_slots(2)
        .generate()
}
