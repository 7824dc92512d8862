//! Generates bindings to the library that the guide's chapters use.

use omniglot_build::{Handle, Library, Wrapper};

fn main() -> omniglot_build::Result<()> {
    Library::new("parts")
        .header("parts.h")
        .include("c")
        .source("c/parts.c")
        .allowlist_function("parts_.*")
        .allowlist_type("part.*")
        .allowlist_var("parts_.*")
        .wrap(
            Wrapper::function("parts_bounds")
                .in_slice("counts", "length")
                .out("least")
                .out("most")
                .status_ok(0),
        )
        .wrap(Wrapper::function("parts_load").in_str("path"))
        .wrap(Wrapper::function("parts_save").in_str("path").in_str("text").status_ok(0))
        .wrap(Wrapper::function("parts_setting").in_str("name"))
        .handle(
            Handle::of("parts_box")
                .constructor("parts_box_new")
                .destructor("parts_box_free")
                .named("PartsBox"),
        )
        .variadic("parts_format", "parts_format_number", "int number")
        .batch("parts_measure|parts_change")
        .setjmp_guard("parts_parse", "parser->failed")
        .generate()
}
