//! Reports with arbitrary content.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use omniglot_core::{BUILTIN_SHIMS, Description, Error};
use omniglot_fuzz::{Random, fuzz};

use super::*;
use crate::Options;
use crate::enabled::layout::PLACES;
use crate::enabled::mapping::Mapping;

const NAME: &str = "a library";
const FUNCTIONS: [&str; 2] = ["deflate", "inflate"];

/// Messages of the dynamic linker, and characters that must not appear in a message.
const WORDS: [&str; 16] = [
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/dev/",
    "undefined symbol: ",
    "deflate",
    "inflate",
    ", version Z_1",
    " (fatal)",
    "/proc/self/fd/5",
    "/proc/self/fd/5/proc/self/fd/5",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{e0041}",
    "ä",
    "\n",
    "libz.so.1: cannot open shared object file",
    " ",
];

fn ending(random: &mut Random) -> Option<Ending> {
    let endings = [
        None,
        Some(Ending::Fault),
        Some(Ending::Denied),
        Some(Ending::Exited),
        Some(Ending::LoadFailed),
        Some(Ending::StartFailed),
    ];
    *random.pick(&endings)
}

fn end(random: &mut Random) -> End {
    match random.below(3) {
        0 => End::Exited(random.edge() as u8 as i32),
        1 => End::Killed(1 + random.below(64) as i32),
        _ => End::Unknown,
    }
}

/// A report's bytes: numbers as foreign code may choose them, and text.
fn report(random: &mut Random, layout: &Layout) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..5 {
        let near = (layout.base as u64).wrapping_add(random.below(layout.size as u64));
        let numbers = [near, random.edge(), random.below(500)];
        let number = *random.pick(&numbers);
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend((random.below(80) as u32).to_ne_bytes());
    bytes.extend((random.below(140) as i32 - 2).to_ne_bytes());
    while bytes.len() < size_of::<Report>() {
        match random.below(8) {
            0 => bytes.push(random.byte()),
            1 => bytes.extend([0xff, 0xe2, 0x80]),
            _ => bytes.extend(random.pick(&WORDS).bytes()),
        }
    }
    if random.once_in(3) {
        random.mutate(&mut bytes);
    }
    bytes.resize(size_of::<Report>(), 0);
    bytes
}

/// What a worker may say of places: objects and functions of any names, the shims among them.
fn places(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..2 {
        let start = bytes.len();
        bytes.extend(random.below(0x2000).to_ne_bytes());
        bytes.extend(random.edge().to_ne_bytes());
        for end in [256, 384] {
            for _ in 0..random.below(12) {
                bytes.extend(random.pick(&WORDS).bytes());
            }
            bytes.resize(start + end, 0);
        }
    }
    if random.once_in(3) {
        random.mutate(&mut bytes);
    }
    bytes.resize(768, 0);
    bytes
}

/// The errors that are right after a worker that reported this.
fn is_of(error: &Error, said: Option<Ending>, end: End) -> bool {
    match said {
        Some(Ending::LoadFailed) => match error {
            Error::MissingFunction(name) => FUNCTIONS.contains(&name.as_str()),
            error => matches!(error, Error::Load(_)),
        },
        Some(Ending::StartFailed) => match error {
            Error::System { operation, .. } => STEPS.contains(operation),
            error => matches!(error, Error::Load(_)),
        },
        Some(Ending::Denied) => matches!(error, Error::SyscallDenied { .. }),
        Some(Ending::Fault) => matches!(error, Error::Fault(_)),
        // The kernel's report takes precedence over the worker's.
        Some(Ending::Exited) | None => match (end, error) {
            (End::Exited(status), Error::Exited { status: told }) => *told == Some(status),
            (End::Exited(LINKER_FAILED), Error::SyscallDenied { .. }) => said.is_none(),
            (End::Killed(_) | End::Unknown, error) => matches!(
                error,
                Error::Exited { .. } | Error::Fault(_) | Error::SyscallDenied { .. }
            ),
            _ => false,
        },
    }
}

#[test]
fn whatever_a_report_says_it_becomes_an_error() {
    let options = Options { memory_limit: 32 << 20, stack_size: 1 << 20, ..Options::default() };
    let layout = Layout::new(&options).expect("a window");
    let (mapping, _file) = Mapping::create(layout.size).expect("memory");
    let mut window = mapping.window(layout.base);
    let description = Description {
        name: NAME,
        image: &[],
        shims: BUILTIN_SHIMS,
        slots: 0,
        functions: &FUNCTIONS,
    };
    let readable = [PathBuf::from("/usr/lib"), PathBuf::from("/lib")];
    fuzz("reports", 20_000, |random| {
        let bytes = report(random, &layout);
        window.write(layout.base + REPORT, &bytes).expect("room");
        window.write(layout.base + PLACES, &places(random)).expect("room");
        let until = Instant::now() + Duration::from_secs(1);
        let names = Names { description: &description, readable: &readable, until };
        let (said, end) = (ending(random), end(random));
        let loading = random.once_in(2);
        let error = if loading {
            explain_loading(said, end, &window, &layout, &names)
        } else {
            explain(said, end, &window, &layout, &names, random.below(10_000))
        };
        assert!(is_of(&error, said, end), "{said:?}, {end:?}: {error:?}");
        let shown = [error.to_string(), format!("{error:?}")];
        for text in shown {
            let is_bad = |character: char| {
                character.is_control() || ('\u{202a}'..='\u{202e}').contains(&character)
            };
            assert!(!text.contains(is_bad) && text.len() < 2000, "{text:?}");
        }
        let place = names.of_fault(&window).expect("a text");
        assert!(!place.as_str().contains(char::is_control), "{place:?}");
    });
}
