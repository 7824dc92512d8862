//! Names: which ones Rust or the generated module reserves, and how others are escaped.

use proc_macro2::{Ident, Span};

/// What instances and their interface have as methods already. A C function of the
/// same name gets a trailing underscore. A test compares this with the core's methods.
const METHODS: [&str; 61] = [
    "address",
    "alloc",
    "alloc_slice",
    "alloc_str",
    "alloc_zeroed",
    "assemble",
    "base",
    "base_mut",
    "builder",
    "c_str",
    "call_pointer",
    "callback",
    "copy_in",
    "copy_unvalidated",
    "copy_within",
    "deref",
    "deref_mut",
    "errno",
    "fallible_callback",
    "fn_ptr",
    "follow",
    "free",
    "from_runtime",
    "interrupt_handle",
    "isolation",
    "malloc",
    "new",
    "out",
    "poisoned",
    "read",
    "read_at",
    "read_cstr",
    "read_into",
    "read_str",
    "read_string",
    "read_vec",
    "realloc",
    "register",
    "register_fallible",
    "reserve",
    "reset",
    "runtime",
    "scope",
    "set_timeout",
    "str",
    "try_scope",
    "upgrade",
    "upgrade_mut",
    "upgrade_slice",
    "upgrade_slice_mut",
    "value",
    "view",
    "view_slice",
    "view_str",
    "with_callback",
    "with_callback_at",
    "with_fallible_callback",
    "write",
    "write_slice",
    "write_slice_with",
    "zeroed",
];

/// Names that generated functions use inside, so that parameters cannot.
const LOCALS: [&str; 5] = ["frame", "header", "result", "self", "function"];

/// Rust's keywords, and C++'s, to which an underscore is appended.
const KEYWORDS: [&str; 53] = [
    "abstract", "alignof", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "offsetof", "override",
    "priv", "proc", "pub", "pure", "ref", "return", "Self", "self", "sizeof", "static", "struct",
    "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
];

/// More that is escaped, among them Rust's primitive types.
const ESCAPED: [&str; 22] = [
    "virtual", "where", "while", "yield", "str", "bool", "f32", "f64", "usize", "isize", "u128",
    "i128", "u64", "i64", "u32", "i32", "u16", "i16", "u8", "i8", "char", "_",
];

/// Whether the generated interface has a method of this name.
pub(crate) fn is_method(name: &str) -> bool {
    METHODS.contains(&name)
}

/// Whether generated functions use this name inside.
pub(crate) fn is_local(name: &str) -> bool {
    LOCALS.contains(&name)
}

/// What every generated module has, so that the header's types and constants give way.
pub(crate) fn module_names(instance: &str) -> Vec<String> {
    let own = ["Api", "DESCRIPTION", "OmniglotLayout", "OmniglotRuntime", "constants", "generated"];
    [instance, "omniglot"].into_iter().chain(own).map(str::to_owned).collect()
}

/// What C's compilers take in identifiers, and Rust does not.
const ODD: [char; 3] = ['$', '@', '?'];

/// A C identifier in Rust: it has an underscore if Rust keeps it for
/// itself, or if it has characters that Rust does not take.
pub(crate) fn escape(name: &str) -> String {
    if KEYWORDS.contains(&name) || ESCAPED.contains(&name) || name.contains(ODD) {
        return format!("{}_", word(name));
    }
    name.to_owned()
}

/// A C identifier as a part of a Rust one.
pub(crate) fn word(name: &str) -> String {
    name.replace(ODD, "_")
}

/// Whether the type is the compiler's `va_list`, or part of it.
pub(crate) fn is_va_list(name: &str) -> bool {
    matches!(name, "va_list" | "__va_list_tag" | "__gnuc_va_list" | "__va_list")
        || name.starts_with("__builtin_va_list")
        || name.starts_with("__builtin_ms_va_list")
}

/// An identifier of generated code. A name that is none becomes `_`, which the
/// Rust parser then reports.
pub(crate) fn ident(name: &str) -> Ident {
    syn::parse_str(name).unwrap_or_else(|_| Ident::new("_", Span::call_site()))
}

/// Whether the name can be a Rust identifier.
pub(crate) fn is_ident(name: &str) -> bool {
    syn::parse_str::<Ident>(name).is_ok()
}

/// `lib_png` → `LibPng`.
pub(crate) fn upper_camel(name: &str) -> String {
    let words = name.split(['_', '-']).filter(|word| !word.is_empty());
    words
        .flat_map(|word| {
            let mut characters = word.chars();
            let first = characters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(characters)
        })
        .collect()
}

/// `nextIn` and `next_in` → `NEXT_IN`.
pub(crate) fn upper_snake(name: &str) -> String {
    let mut upper = String::new();
    let mut lower_before = false;
    for character in name.chars() {
        if character.is_uppercase() && lower_before {
            upper.push('_');
        }
        lower_before = character.is_lowercase() || character.is_ascii_digit();
        upper.extend(character.to_uppercase());
    }
    upper
}

#[cfg(test)]
mod tests {
    use super::{escape, upper_camel, upper_snake};

    #[test]
    fn names_that_rust_does_not_take_are_escaped() {
        assert_eq!(["type", "types_", "u8", "a$b"].map(escape), ["type_", "types_", "u8_", "a_b_"]);
    }

    #[test]
    fn names_change_their_case() {
        assert_eq!(["png", "lib_png", "SDL2"].map(upper_camel), ["Png", "LibPng", "SDL2"]);
        assert_eq!(
            ["next_in", "nextIn", "NEXT", "type_"].map(upper_snake),
            ["NEXT_IN", "NEXT_IN", "NEXT", "TYPE_"]
        );
    }
}
