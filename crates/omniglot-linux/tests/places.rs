//! What an error says of the place where foreign code faulted.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(worker_processes)]

#[macro_use]
mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use omniglot_core::{Description, Error, Fault, Runtime, Session};
use omniglot_linux::{Options, Process};
use support::{Driven, compile, write_frame};

/// The shims of `images/places.c`, after the two that every image has.
#[derive(Clone, Copy, Debug)]
enum Shim {
    Wild = 2,
    Measure,
    GiveUp,
    Leave,
    LoseStack,
}

fn description(flags: &[&str]) -> Description {
    let object = compile("places.c", flags);
    let image = fs::read(object).expect("the compiled image").leak();
    Description { name: "gadget", image, shims: 7, slots: 0, functions: &["malloc", "free"] }
}

fn start<R: Driven>(description: &Description) -> Session<R> {
    let mut options = Options::default();
    // A virtual machine may be a hundred times slower than this one.
    options.start_timeout = Duration::from_secs(300);
    Session::new(R::load(description, &options).expect("the library loads"))
}

fn fault<R: Driven>(linux: &mut Session<R>, shim: Shim, a: u64) -> Fault {
    let frame = write_frame(linux, 0, a, 0);
    let entry = linux.shim(shim as u32).expect("a shim");
    match linux.enter(entry, frame) {
        Err(Error::Fault(fault)) => fault,
        other => panic!("{shim:?}: a fault was expected, but {other:?}"),
    }
}

/// The line of a source that has that comment.
fn line(source: &str, comment: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images").join(source);
    let text = fs::read_to_string(path).expect("the source");
    let comment = format!("/* {comment} */");
    1 + text.lines().position(|line| line.contains(&comment)).expect("the comment")
}

/// "gadget: wild (places.c:9)"; without debug information the offset.
fn a_fault_names_library_function_and_line<R: Driven>() {
    let mut linux = start::<R>(&description(&["-g1"]));
    let place = fault(&mut linux, Shim::Wild, 8).place;
    let line = line("places.c", "wild");
    assert_eq!(place.as_str(), format!("gadget: wild (places.c:{line})"));
    let mut linux = start::<R>(&description(&["-g0"]));
    let place = fault(&mut linux, Shim::Wild, 8).place;
    assert!(place.as_str().starts_with("gadget: wild+0x"), "{place}");
    let mut linux = start::<R>(&description(&["-g0", "-s"]));
    let place = fault(&mut linux, Shim::Wild, 8).place;
    assert!(place.as_str().starts_with("gadget+0x"), "{place}");
}

#[test]
fn every_version_of_the_format_is_read() {
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-g3"] {
        let mut linux = start::<Process>(&description(&["-g1", version]));
        let place = fault(&mut linux, Shim::Wild, 8).place;
        let expected = format!("gadget: wild (places.c:{})", line("places.c", "wild"));
        assert_eq!(place.as_str(), expected, "{version}");
    }
}

/// A fault in the C library says who called it: where the mistake is, most often.
#[test]
fn a_fault_in_the_c_library_names_the_caller() {
    let mut linux = start::<Process>(&description(&["-g1"]));
    for (shim, argument, comment) in [(Shim::Measure, 1, "measure"), (Shim::GiveUp, 1, "give_up")] {
        let place = fault(&mut linux, shim, argument).place;
        let caller =
            format!(", called from gadget: {comment} (places.c:{})", line("places.c", comment));
        assert!(place.as_str().starts_with("libc.so.6"), "{place}");
        assert!(place.as_str().ends_with(&caller), "{place}");
        linux.reset().expect("a reset");
    }
}

#[test]
fn a_jump_to_nowhere_names_where_from() {
    let mut linux = start::<Process>(&description(&["-g1"]));
    for address in [0, 0x10_0000] {
        let place = fault(&mut linux, Shim::Leave, address).place;
        let expected =
            format!("a call from gadget: leave (places.c:{})", line("places.c", "leave"));
        assert_eq!(place.as_str(), expected);
        linux.reset().expect("a reset");
    }
}

/// Whatever the stack is by then, it is a fault, with what was found first.
#[test]
fn a_stack_that_leads_nowhere_costs_the_caller_only() {
    let mut linux = start::<Process>(&description(&["-g1"]));
    let (start, _) = linux.exchange();
    for stack in [start as u64 + 0x8000, start as u64 + 0x8001, 0, 8, !7] {
        let place = fault(&mut linux, Shim::LoseStack, stack).place;
        assert!(place.as_str().starts_with("libc.so.6"), "{stack:#x}: {place}");
        linux.reset().expect("a reset");
    }
}

/// A library of the user's, in a file of its own.
#[test]
fn a_library_in_a_file_has_lines_too() {
    let library = compile("sample.c", &["-g1", "-DCONSTRUCTOR=*(volatile int *)8=1"]);
    let mut options = Options::default();
    options.libraries = vec![library];
    match Process::start(&description(&[]), &options) {
        Err(Error::Fault(fault)) => {
            let place = fault.place.as_str();
            assert!(place.starts_with("library.so: ") && place.contains(" (sample.c:"), "{place}");
        }
        other => panic!("a fault was expected, but {other:?}"),
    }
}

/// There is no time to look lines up, and the error is the same but for them.
#[test]
fn a_call_without_time_left_has_no_lines() {
    let mut linux = start::<Process>(&description(&["-g1"]));
    linux.set_timeout(Some(Duration::ZERO));
    let frame = write_frame(&mut linux, 0, 8, 0);
    let entry = linux.shim(Shim::Wild as u32).expect("a shim");
    match linux.enter(entry, frame) {
        Err(Error::Fault(fault)) => {
            assert!(!fault.place.as_str().contains("places.c"), "{}", fault.place);
        }
        Err(Error::Timeout { .. }) => {}
        other => panic!("{other:?}"),
    }
}

on_every_runtime! {
    a_fault_names_library_function_and_line
}
