//! Images that are laid out in unusual ways: what foreign code may write, what the host takes to be
//! writable, and what a reset brings back are the same bytes.

use omniglot_core::{Error, Result, Runtime, Session};
use omniglot_linux::Sfi;

use super::{Shim, beside, call, described, image_with, options};

const PAGE: usize = 4096;
/// Where the page of gates is, the first of the window.
const GATES: usize = 0x40000;
const SECRET: u64 = 0x5ec2_e75e_c2e7_5ec2;

const SYMBOLS: &str = "gate_call = 0x40020; gate_system_call = 0x40040; gate_abort = 0x40060; \
                       gate_ask = 0x40100;";
const TEXT: &str = ".text : { *(.text) . = ALIGN(4096); } :text =0xf4f4f4f4";
const CONSTANTS: &str = ".rodata : { *(.rodata) } :constants";
const DATA: &str = ".data : { *(.data) } :data .bss : { *(.bss) } :data";

/// Parts from below to above, each with where it begins.
type Layout = [(&'static str, &'static str); 3];

const LAYOUTS: [(&str, Layout); 4] = [
    ("as usual", [("0x41000", TEXT), ("ALIGN(4096)", CONSTANTS), ("ALIGN(4096)", DATA)]),
    ("with gaps", [("0x60000", TEXT), ("0x80000", CONSTANTS), ("0x90000", DATA)]),
    ("with data first", [("0x41000", DATA), ("ALIGN(4096)", TEXT), ("ALIGN(4096)", CONSTANTS)]),
    ("with data first, and gaps", [("0x50000", DATA), ("0x60000", CONSTANTS), ("0x70000", TEXT)]),
];

fn start(layout: &Layout) -> Session<Sfi> {
    let outcome = try_start(layout.map(|(place, part)| (place, part.to_owned())).to_vec());
    Session::new(outcome.expect("the image is mapped"))
}

fn try_start(parts: Vec<(&str, String)>) -> Result<Sfi> {
    let mut headers = String::new();
    let mut sections = String::new();
    for (place, part) in &parts {
        let (_, segment) = part.rsplit_once(" :").expect("a part names its segment");
        let segment = segment.split(' ').next().unwrap_or(segment);
        let access = ["data", "constants", "text"].iter().position(|name| *name == segment);
        let flags = [6, 4, 5][access.unwrap_or(0)];
        headers += &format!("{segment} PT_LOAD FLAGS({flags}); ");
        sections += &format!(". = {place}; {part}\n");
    }
    let script = format!(
        "ENTRY(start)\nPHDRS {{ {headers} }}\n\
         SECTIONS {{ {SYMBOLS}\n{sections} /DISCARD/ : {{ *(.note*) *(.comment) }} }}\n"
    );
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("image.ld");
    std::fs::write(&path, script).expect("a script");
    Sfi::start(&described(image_with(&beside("sample.S"), &path)), &options())
}

/// All pages up to behind the guard below the stack.
fn pages() -> impl Iterator<Item = usize> {
    (GATES..0x100_0000).step_by(PAGE).take(0x100)
}

fn page(session: &Session<Sfi>, place: usize) -> Vec<u8> {
    let mut bytes = vec![0; PAGE];
    session.window().read(place, &mut bytes).expect("in the window");
    bytes
}

#[test]
fn what_foreign_code_writes_anywhere_is_gone_after_a_reset() {
    for (name, layout) in LAYOUTS {
        let mut session = start(&layout);
        let content = |session: &_| pages().map(|place| page(session, place)).collect::<Vec<_>>();
        let before = content(&session);
        let mut written = 0;
        for (place, before) in pages().zip(&before) {
            // In the midst of it, where no word is that the shim needs.
            let outcome = call(&mut session, Shim::Store, place as u64 + 0x800, SECRET);
            written += u32::from(outcome.is_ok());
            assert_eq!(page(&session, place) != *before, outcome.is_ok(), "{name}: {place:#x}");
            session.reset().expect("a reset");
            assert!(page(&session, place) == *before, "{name}: {place:#x} after a reset");
        }
        assert!(written > 2, "{name}: data, zeros, the stack");
        assert!(content(&session) == before, "{name}");
    }
}

#[test]
fn the_host_writes_where_foreign_code_may() {
    for (name, layout) in LAYOUTS {
        let mut session = start(&layout);
        for page in pages() {
            let place = page + 0x800;
            let foreign = call(&mut session, Shim::Store, place as u64, 1).is_ok();
            session.reset().expect("a reset");
            let host = session.write(place, &[1]).is_ok();
            assert_eq!(host, foreign, "{name}: {place:#x}");
            session.reset().expect("a reset");
        }
    }
}

/// A request that foreign code makes in its constants cannot be answered there.
#[test]
fn no_request_is_answered_in_constants() {
    for (name, layout) in LAYOUTS {
        let mut session = start(&layout);
        let outcome = call(&mut session, Shim::AskInConstants, 0, 0);
        assert!(matches!(outcome, Err(Error::Protocol(_))), "{name}: {outcome:?}");
        session.reset().expect("a reset");
        assert_eq!(call(&mut session, Shim::Add, 1, 1), Ok(2));
    }
}

/// Each segment is a mapping, of which the kernel gives a process a number.
#[test]
fn an_image_of_many_segments_is_refused() {
    let more = |count: u32| {
        let usual = LAYOUTS[0].1.map(|(place, part)| (place, part.to_owned()));
        let more = (0..count).map(|index| {
            ("ALIGN(4096) + 0x2000", format!(".more{index} : {{ QUAD(1) }} :more{index}"))
        });
        try_start(usual.into_iter().chain(more).collect())
    };
    assert!(more(13).is_ok());
    match more(14) {
        Err(Error::Load(text)) => assert!(text.to_string().contains("segments"), "{text}"),
        other => panic!("it was not refused: {other:?}"),
    }
}
