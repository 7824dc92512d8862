//! The messages of mistakes that show at run time are those of the guide's table. Those of the
//! compiler are in `tests/compile-fail/cases/first_hour`, those of build scripts in
//! `crates/omniglot-build/tests/errors.rs`.
#![allow(clippy::unwrap_used, reason = "a test")]

use omniglot::Result;
use omniglot_guide::parts::Parts;

const TABLE: &str = include_str!("../../../docs/guide/src/mistakes.md");

/// Whether a row of the table shows this message. Three dots there stand for what differs.
fn is_in_table(message: &str) -> bool {
    let cells = TABLE.lines().filter_map(|row| row.split('|').nth(2));
    let shown = cells.map(|cell| cell.trim().trim_matches('`'));
    shown.filter(|cell| cell.contains(' ')).any(|cell| {
        let mut rest = message;
        cell.split('…').all(|part| match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    })
}

fn assert_in_table<T>(outcome: Result<T>) {
    let message = outcome.err().unwrap().to_string();
    assert!(is_in_table(&message), "{message}");
}

#[test]
fn an_error_was_ignored() -> Result<()> {
    let mut parts = Parts::builder().build()?;
    parts.parts_crash().unwrap_err();
    assert_in_table(parts.parts_first());
    parts.reset()?;
    parts.parts_first().map(drop)
}

#[test]
fn more_data_than_fits() -> Result<()> {
    let mut parts = Parts::builder().memory_limit(64 << 20).build()?;
    assert_in_table(parts.alloc_zeroed::<u8>(16 << 20));
    assert_in_table(parts.scope(|parts| parts.copy_in(&vec![0_u8; 16 << 20]).map(drop)));
    Ok(())
}

#[test]
fn a_domain_does_not_have_what_the_library_needs() -> Result<()> {
    let mut parts = Parts::builder().build()?;
    assert_in_table(parts.parts_connect());
    Ok(())
}

#[test]
fn other_messages_are_not_in_the_table() {
    assert!(!is_in_table("no such message in the table"));
}
