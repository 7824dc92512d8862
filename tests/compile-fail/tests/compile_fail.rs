//! Each program in `cases` breaks one rule, and the compiler's message says which.
//!
//! After a change of wording: `TRYBUILD=overwrite cargo test -p omniglot-compile-fail`,
//! then review the difference.

#[test]
fn programs_that_break_a_rule_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("cases/accepted/*.rs");
    cases.compile_fail("cases/*.rs");
}

/// Common mistakes of beginners. The message says what to write instead.
#[test]
fn what_beginners_write_is_answered_with_what_to_write() {
    let cases = trybuild::TestCases::new();
    cases.pass("cases/first_hour/accepted/*.rs");
    cases.compile_fail("cases/first_hour/*.rs");
}
