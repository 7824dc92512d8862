//! C functions named as a method that every instance has must give way: the names are
//! listed by hand, and this test finds what the list lacks.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

use omniglot_build::Library;
use syn::{ImplItem, Item};

/// The methods of the types that an instance derefs to, and of what derefs to it.
fn methods() -> Vec<String> {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../omniglot-core/src");
    let mut methods = Vec::new();
    for entry in fs::read_dir(core).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for item in syn::parse_file(&text).unwrap().items {
            methods.extend(methods_of(&item));
        }
    }
    // Those of `define_library!` and of the traits that it implements.
    let more = [
        "scope",
        "try_scope",
        "with_callback",
        "with_callback_at",
        "with_fallible_callback",
        "call_pointer",
        "fn_ptr",
        "builder",
        "from_runtime",
        "assemble",
    ];
    methods.extend(more.map(str::to_owned));
    methods.sort();
    methods.dedup();
    // A keyword of C, so no function's name.
    methods.retain(|name| name != "register");
    methods
}

fn methods_of(item: &Item) -> Vec<String> {
    let Item::Impl(item) = item else { return Vec::new() };
    let syn::Type::Path(path) = &*item.self_ty else { return Vec::new() };
    let owner = path.path.segments.last().map(|segment| segment.ident.to_string());
    if !matches!(owner.as_deref(), Some("Base" | "Scope")) {
        return Vec::new();
    }
    let public = |member: &ImplItem| match member {
        ImplItem::Fn(function) if matches!(function.vis, syn::Visibility::Public(_)) => {
            Some(function.sig.ident.to_string())
        }
        _ => None,
    };
    item.items.iter().filter_map(public).collect()
}

#[test]
fn no_c_function_hides_a_method() {
    let methods = methods();
    assert!(methods.contains(&"upgrade".to_owned()), "{methods:?}");
    let directory = tempfile::tempdir().unwrap();
    let header: String = methods.iter().map(|name| format!("int {name}(int x);\n")).collect();
    fs::write(directory.path().join("methods.h"), header).unwrap();
    let library = Library::new("methods").header("methods.h").include(directory.path());
    let rust = library.preview().unwrap().rust;
    let gives_way = |name: &&String| rust.contains(&format!("pub fn {name}_("));
    let hidden: Vec<&String> = methods.iter().filter(|name| !gives_way(name)).collect();
    assert!(hidden.is_empty(), "names.rs lacks {hidden:?}");
}
