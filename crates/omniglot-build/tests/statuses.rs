//! What the results of many functions mean is said once.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used)]

mod support;

use omniglot_build::Wrapper;
use support::library;

#[test]
fn all_functions_that_match_give_results() {
    let library = library("wrappers")
        .wrap(Wrapper::function("hash").out_slice("out", "out_len").status_at_least(0))
        .wrap(Wrapper::function("unpack").in_slice("source", "source_len"))
        .status(".*", 0, "reason");
    let rust = library.preview().unwrap().rust;
    let has_wrapper = |name: &str| rust.contains(&format!("pub fn {name}_raw("));
    assert!(has_wrapper("unpack") && has_wrapper("hash"));
    // Their results are of other types than what the message is about.
    assert!(!["codec_open", "codec_read", "codec_name", "mix"].into_iter().any(has_wrapper));
    // The other says what its result means itself.
    assert_eq!(rust.matches("omniglot_scope.reason(").count(), 1, "{rust}");
}

#[test]
fn what_matches_nothing_or_explains_nothing_is_an_error() {
    let said = |pattern: &str, message: &str| {
        library("wrappers").status(pattern, 0, message).preview().unwrap_err().to_string()
    };
    assert!(said("no_such_.*", "reason").contains("no_such_"));
    assert!(said("unpack", "no_such_function").contains("no_such_function"));
    assert!(said("(", "reason").contains("status"));
}
