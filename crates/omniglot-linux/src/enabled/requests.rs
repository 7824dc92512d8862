//! What the library asked for and did not get, and what it wrote, as the server in its domain
//! records them. Both are attacker-controlled: nothing depends on them.

use omniglot_core::{Result, Text, Window};
use zerocopy::FromBytes;

use super::filters::policy::name_of;
use super::layout::{WORLD_OUTPUT, WORLD_REQUESTS, WORLD_SAID};
use crate::request::Request;

/// `MOST_REQUESTS` and `OUTPUT_SIZE` of `worker/control.h`.
const MOST: usize = 56;
const OUTPUT: usize = 0x2000;
const PATH: usize = 116;

/// `struct request`.
#[repr(C)]
#[derive(FromBytes)]
struct Raw {
    number: u32,
    error: i32,
    count: u32,
    path: [u8; PATH],
}

const _: () = assert!(size_of::<Raw>() == 128, "the layout that the worker writes");

/// The requests in the order in which they were first made; at most 56 are kept.
pub(super) fn read(window: &Window) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    for index in 0..MOST {
        let mut bytes = [0; size_of::<Raw>()];
        window.read(window.start() + WORLD_REQUESTS + index * bytes.len(), &mut bytes)?;
        let Some(raw) = Raw::read_from_bytes(&bytes).ok().filter(|raw| raw.count > 0) else {
            break;
        };
        let path = raw.path.split(|byte| *byte == 0).next().unwrap_or(&[]);
        requests.push(Request {
            system_call: name_of(u64::from(raw.number)),
            path: Text::from_untrusted(path),
            error: raw.error,
            count: raw.count,
        });
    }
    Ok(requests)
}

/// How many bytes the library wrote in this life.
pub(super) fn said(window: &Window) -> Result<u64> {
    let mut said = [0; 8];
    window.read(window.start() + WORLD_SAID, &mut said)?;
    Ok(u64::from_ne_bytes(said))
}

/// What the library wrote after the first `heard` bytes, as far as it is there; how many bytes it
/// wrote in all; and how many are lost.
pub(super) fn said_since(window: &Window, heard: u64) -> Result<(Vec<u8>, u64, u64)> {
    let said = said(window)?;
    // A library that says that it said less than before said nothing.
    let fresh = said.saturating_sub(heard);
    if fresh == 0 {
        return Ok((Vec::new(), said, 0));
    }
    let mut ring = [0; OUTPUT];
    window.read(window.start() + WORLD_OUTPUT, &mut ring)?;
    ring.rotate_left(said as usize % OUTPUT);
    let kept = usize::try_from(fresh).unwrap_or(OUTPUT).min(OUTPUT);
    Ok((ring[OUTPUT - kept..].to_vec(), said, fresh - kept as u64))
}

/// The end of what the library wrote to its standard output and error, 8 KiB at most: lines, with
/// control characters escaped.
pub(super) fn output(window: &Window) -> Result<String> {
    let (bytes, _, lost) = said_since(window, 0)?;
    let cut = bytes.iter().position(|byte| *byte == b'\n').filter(|_| lost > 0);
    let whole = cut.and_then(|end| bytes.get(end + 1..)).unwrap_or(&bytes);
    Ok(whole.split_inclusive(|byte| *byte == b'\n').map(line).collect())
}

/// The last line that has something in it of what was written after the first `heard` bytes.
pub(super) fn last_line(window: &Window, heard: u64) -> Option<String> {
    let (bytes, ..) = said_since(window, heard).ok()?;
    bytes.rsplit(|byte| *byte == b'\n').map(shown).find(|line| !line.trim().is_empty())
}

/// A line as text that can be shown, with its end.
fn line(bytes: &[u8]) -> String {
    match bytes.split_last() {
        Some((b'\n', text)) => shown(text) + "\n",
        _ => shown(bytes),
    }
}

/// Bytes as text that can be shown.
pub(super) fn shown(text: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let bytes = character.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
            shown.push_str(Text::from_untrusted(&bytes).as_str());
        }
        if !chunk.invalid().is_empty() {
            shown.push('\u{fffd}');
        }
    }
    shown
}
