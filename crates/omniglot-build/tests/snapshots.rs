//! Headers and what is generated from them, for review.

mod support;

use omniglot_build::{Library, Preview};
use support::library;

/// The Rust, the C, and what is not bound; or the error. Without the checkout's path.
fn text(library: &Library) -> String {
    let said = match library.preview() {
        Ok(Preview { rust, c, problems, .. }) => {
            let problems = problems.iter().map(|problem| format!("{problem}\n"));
            format!("{rust}\n{c}\n{}", problems.collect::<String>())
        }
        Err(error) => error.to_string(),
    };
    said.replace(&format!("{}/", support::headers().display()), "")
}

macro_rules! snapshot {
    ($library:expr) => {
        insta::assert_snapshot!(text(&$library));
    };
}

#[test]
fn enums() {
    snapshot!(library("enums"));
}

#[test]
fn enums_in_other_styles() {
    snapshot!(
        library("enums")
            .newtype_enum("direction")
            .bitfield_enum("flags")
            .constified_enum("async_res_t")
    );
}

#[test]
fn structs() {
    snapshot!(library("structs"));
}

#[test]
fn callbacks() {
    snapshot!(library("callbacks"));
}

#[test]
fn opaque() {
    snapshot!(library("opaque"));
}

#[test]
fn unions() {
    snapshot!(library("unions"));
}

#[test]
fn bit_fields() {
    snapshot!(library("bit_fields").newtype_enum("flavor"));
}

#[test]
fn described() {
    snapshot!(support::described());
}

#[test]
fn booleans() {
    snapshot!(library("booleans").bool_type("gboolean").bool_type("flag_t"));
}

#[test]
fn wrappers() {
    snapshot!(support::wrapped());
}

#[test]
fn handles() {
    snapshot!(support::handles());
}

#[test]
fn annotations() {
    snapshot!(library("annotations"));
}

#[test]
fn guards() {
    snapshot!(support::guarded());
}

#[test]
fn constants() {
    snapshot!(library("constants"));
}

#[test]
fn macros() {
    snapshot!(library("macros"));
}

#[test]
fn names() {
    snapshot!(library("names"));
}

#[test]
fn numbers() {
    snapshot!(
        library("numbers")
            .allowlist_function("precise|spin|wide|next|blend|plot")
            .allowlist_var("unit")
    );
}

#[test]
fn large() {
    snapshot!(library("large"));
}

#[test]
fn unbindable() {
    snapshot!(library("unbindable"));
}

#[test]
fn another_target() {
    // Without a region there is no image, and no runtime of Linux.
    snapshot!(library("plain").target("riscv32imac-unknown-none-elf"));
}
