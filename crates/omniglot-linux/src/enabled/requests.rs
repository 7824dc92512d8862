//! What the library asked for and did not get, and what it wrote, as the server in its domain
//! writes it down. Both are words of a stranger: nothing depends on them.

use omniglot_core::{Result, Text, Window};
use zerocopy::FromBytes;

use super::filters::name_of;
use super::layout::{WORLD_OUTPUT, WORLD_REQUESTS, WORLD_SAID};
use crate::Request;

/// `MOST_REQUESTS` and `OUTPUT_SIZE` of `worker/control.h`.
const MOST: usize = 56;
const OUTPUT: usize = 0x2000;
const PATH: usize = 52;

/// `struct request`.
#[repr(C)]
#[derive(FromBytes)]
struct Raw {
    number: u32,
    error: i32,
    count: u32,
    path: [u8; PATH],
}

const _: () = assert!(size_of::<Raw>() == 64, "the layout that the worker writes");

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

/// The end of what the library wrote to its standard output and error, 8 KiB at most: lines, with
/// control characters escaped.
pub(super) fn output(window: &Window) -> Result<String> {
    let mut said = [0; 8];
    window.read(window.start() + WORLD_SAID, &mut said)?;
    let said = u64::from_ne_bytes(said);
    let mut ring = [0; OUTPUT];
    window.read(window.start() + WORLD_OUTPUT, &mut ring)?;
    let bytes = if said > OUTPUT as u64 {
        ring.rotate_left(said as usize % OUTPUT);
        // The first line is cut.
        let line = ring.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        &ring[line..]
    } else {
        &ring[..said as usize]
    };
    Ok(bytes.split_inclusive(|byte| *byte == b'\n').map(line).collect())
}

/// A line as text that can be shown.
fn line(bytes: &[u8]) -> String {
    let (text, end) = match bytes.split_last() {
        Some((b'\n', text)) => (text, "\n"),
        _ => (bytes, ""),
    };
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
    shown + end
}
