//! Verified code that does its worst: whatever it accesses, jumps to or makes of its stack, nothing
//! but its own region changes, and all comes to an end that is told.

use omniglot_core::{Error, Event, Runtime};
use omniglot_linux::Sfi;

use super::{Shim, call, described, enter, image_of, options, sample, sandboxed, start};

/// Addresses that are worth a visit, as foreign code has them: 64 bits.
fn addresses() -> Vec<u64> {
    let low = [
        0,
        8,
        0xfff,
        0x1000,
        0x3efff,
        0x3f000,
        0x3f008,
        0x3ffff,
        0x40000,
        0x40001,
        0x40020,
        0x40040,
        0x40060,
        0x40080,
        0x40092,
        0x400a0,
        0x400c0,
        0x400e0,
        0x40100,
        0x40120,
        0x40140,
        0x40fe0,
        0x41000,
        0x42000,
        0x43000,
        0x44000,
        0x7fff_ffff,
        0x8000_0000,
        0xfffb_ffff,
        0xfffc_0000,
        0xffff_fff0,
        0xffff_ffff,
    ];
    let canary = &raw const CANARY as u64;
    let stack = &raw const low as u64;
    let code = addresses as *const () as u64;
    let highs = [0, 1 << 32, canary >> 32 << 32, stack >> 32 << 32, u64::MAX << 32, 1 << 63];
    let pairs = highs.into_iter().flat_map(|high| low.iter().map(move |low| high | low));
    pairs.chain([canary, stack, code]).collect()
}

static CANARY: [u64; 512] = [0x0123_4567_89ab_cdef; 512];

/// What may come of an attack.
fn is_harmless(outcome: &omniglot_core::Result<Event>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) => matches!(
            error,
            Error::Fault(_) | Error::Protocol(_) | Error::NonLocalExit | Error::Timeout { .. }
        ),
    }
}

#[test]
fn wild_addresses_stay_inside() {
    let mut neighbours = [start(), start()];
    let mut session = start();
    session.set_timeout(Some(std::time::Duration::from_millis(200)));
    let heap = vec![0x55u8; 1 << 16];
    for shim in [Shim::Load, Shim::Store, Shim::Jump, Shim::SetStack] {
        for address in addresses() {
            let outcome = enter(&mut session, shim, 0, address, 0xa77a_c4ed);
            assert!(is_harmless(&outcome), "{shim:?} {address:#x}: {outcome:?}");
            session.reset().expect("a reset");
        }
    }
    assert!(CANARY.iter().all(|word| *word == 0x0123_4567_89ab_cdef));
    assert!(heap.iter().all(|byte| *byte == 0x55));
    for neighbour in &mut neighbours {
        assert_eq!(call(neighbour, Shim::Count, 0, 0), Ok(42));
        let mut all = vec![0; 1 << 20];
        neighbour.window().read(neighbour.exchange().0, &mut all).expect("in the window");
        let marks = all.windows(4).filter(|bytes| *bytes == 0xa77a_c4ed_u32.to_le_bytes());
        assert_eq!(marks.count(), 0);
    }
    assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
}

/// Every line of the page of gates, entered from the text, with a stack pointer anywhere.
#[test]
fn every_line_of_the_gates_is_safe_to_enter() {
    let mut session = start();
    session.set_timeout(Some(std::time::Duration::from_millis(200)));
    for line in (0x40000..0x41000).step_by(32) {
        let outcome = enter(&mut session, Shim::Jump, 0, line, 0);
        assert!(is_harmless(&outcome), "{line:#x}: {outcome:?}");
        session.reset().expect("a reset");
        assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2), "{line:#x}");
    }
}

/// A return address that foreign code changed while its callback waited leads to a line of its
/// region, whatever it is.
#[test]
fn forged_return_addresses_stay_inside() {
    for forged in addresses() {
        let mut session = start();
        session.set_timeout(Some(std::time::Duration::from_millis(200)));
        let stack = call(&mut session, Shim::StackPointer, 0, 0).expect("a stack pointer");
        enter(&mut session, Shim::CallBack, 0, 0, 0).expect("a callback");
        // The frames below are the callback's return address, RBX, and the gate's.
        for slot in 1..=3 {
            let outcome = enter(&mut session, Shim::Store, 1, stack - 8 * slot, forged);
            assert_eq!(outcome, Ok(Event::Returned), "{forged:#x}");
        }
        let outcome = session.resume(omniglot_core::Reply::Return);
        assert!(is_harmless(&outcome), "{forged:#x}: {outcome:?}");
    }
}

/// What the verifier refuses is not mapped, whatever else is right.
#[test]
fn images_with_forbidden_code_are_refused() {
    let source = include_str!("sample.S");
    let forbidden = [
        ("syscall", "Opcode"),
        ("movq (%rdi), %rax", "Memory"),
        ("movq %rax, %gs:(%rdi)", "Memory"),
        ("movq %fs:0, %rax", "Memory"),
        ("jmp *%rax", "Indirect"),
        ("ret", "Return"),
        ("movq %rax, %rsp", "StackWrite"),
        ("wrgsbase %rax", "Opcode"),
        ("rdfsbase %rax", "Opcode"),
        ("std", "Opcode"),
        ("popfq", "Opcode"),
        ("rep stosb", "String"),
        ("int $0x80", "Opcode"),
    ];
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (instruction, rule) in forbidden {
        let spoilt =
            source.replacen("SHIM illegal\n", &format!("SHIM illegal\n    {instruction}\n"), 1);
        let path = directory.path().join("spoilt.S");
        std::fs::write(&path, spoilt).expect("a source");
        match Sfi::start(&described(image_of(&path)), &options()) {
            Err(Error::Load(text)) => {
                let text = text.to_string();
                assert!(text.contains("refused"), "{instruction}, {rule}: {text}");
            }
            other => panic!("{instruction} was not refused: {other:?}"),
        }
    }
}

#[test]
fn malformed_images_are_refused() {
    let good = sample().sandboxed().expect("an image");
    let start = |image: Vec<u8>| Sfi::start(&described(sandboxed(image)), &options());
    assert!(start(good.to_vec()).is_ok());
    assert!(matches!(start(Vec::new()), Err(Error::Load(_))));
    for len in [1, 63, 64, 200, good.len() / 2] {
        assert!(matches!(start(good[..len].to_vec()), Err(Error::Load(_))), "{len} bytes");
    }
    // Each field of the program headers, one after the other, with something else in it.
    for (index, value) in (64..64 + 3 * 56).flat_map(|index| [(index, 0), (index, 0xff)]) {
        let mut image = good.to_vec();
        if image[index] == value {
            continue;
        }
        image[index] = value;
        match start(image) {
            Ok(runtime) => {
                let mut session = omniglot_core::Session::new(runtime);
                session.set_timeout(Some(std::time::Duration::from_millis(200)));
                let outcome = enter(&mut session, Shim::Add, 0, 1, 1);
                assert!(is_harmless(&outcome), "byte {index}: {outcome:?}");
            }
            Err(Error::Load(_) | Error::Fault(_)) => {}
            Err(other) => panic!("byte {index}: {other:?}"),
        }
    }
}
