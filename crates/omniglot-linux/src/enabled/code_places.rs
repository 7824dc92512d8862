//! Where foreign code was, for a reader: library, function and line.
//!
//! What the worker says of it is attacker-controlled, and so are the libraries' files: all of it is
//! a hint, and is text in the end.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use omniglot_core::{Description, Result, Text, Window};
use zerocopy::FromBytes;

use super::debug_info::{self, Details};
use super::images::SHIMS;
use super::layout::PLACES;
use super::library_files::open_library;

/// How long finding a place may take, unless the call has less time left.
pub(super) const LIMIT: Duration = Duration::from_secs(1);

const OBJECT: usize = 240;
const FUNCTION: usize = 128;
/// What is shown of a function's name: those of C++ are long, and the line follows.
const MOST_OF_A_NAME: usize = 60;

/// `struct code_place` of `worker/control.h`.
#[repr(C)]
#[derive(FromBytes)]
struct PlaceRecord {
    offset: u64,
    in_function: u64,
    object: [u8; OBJECT],
    function: [u8; FUNCTION],
}

const _: () = assert!(size_of::<PlaceRecord>() == 384, "the layout that the worker writes");

/// What places are named with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    pub(super) description: &'a Description,
    /// Where libraries may be, whose files have names and lines.
    pub(super) readable: &'a [PathBuf],
    /// When looking them up ends.
    pub(super) until: Instant,
}

impl Names<'_> {
    /// Where a fault was, and who had called the C library, if it was there: "libc.so.6: abort+0xd3,
    /// called from gadget: check (gadget.c:42)".
    pub(super) fn of_fault(&self, window: &Window) -> Result<Text> {
        let mut text = self.here(window)?;
        let caller = self.name(&read(window, 1)?);
        if caller.as_str().is_empty() {
            return Ok(text);
        }
        let is_known = !text.as_str().is_empty();
        text.push(if is_known { ", called from " } else { "a call from " });
        text.push(caller.as_str());
        Ok(text)
    }

    /// The first of the two places that the worker names: "gadget: gadget_parse (gadget.c:42)".
    pub(super) fn here(&self, window: &Window) -> Result<Text> {
        Ok(self.name(&read(window, 0)?))
    }

    fn name(&self, place: &PlaceRecord) -> Text {
        let object = up_to_nul(&place.object);
        let is_own = object == SHIMS.as_bytes();
        let name = if is_own { self.description.name.as_bytes() } else { last_part(object) };
        if name.is_empty() {
            return Text::default();
        }
        let details = self.look_up(object, place.offset);
        let known = up_to_nul(&place.function);
        let function = match details.function {
            _ if !known.is_empty() => Some((known.to_owned(), place.in_function)),
            function => function,
        };
        let mut text = name.to_owned();
        if let Some((function, _)) = &function {
            text.extend(b": ");
            text.extend(shortened(function).bytes());
        }
        match (details.line, function) {
            (Some((file, line)), _) => {
                text.extend(b" (");
                text.extend(last_part(&file));
                text.extend(format!(":{line})").bytes());
            }
            (None, Some((_, offset))) => text.extend(format!("+{offset:#x}").bytes()),
            (None, None) => text.extend(format!("+{:#x}", place.offset).bytes()),
        }
        Text::from_untrusted(&text)
    }

    /// What the file of the object says of an instruction in it.
    fn look_up(&self, object: &[u8], offset: u64) -> Details {
        if object == SHIMS.as_bytes() {
            return debug_info::look_up(self.description.image, offset, self.until);
        }
        let path = Path::new(std::ffi::OsStr::from_bytes(object));
        let file = open_library(path, self.readable).ok();
        file.map_or_else(Details::default, |file| {
            debug_info::look_up_in_file(file, offset, self.until)
        })
    }
}

/// Forgets what was written there before.
pub(super) fn clear(window: &mut Window) -> Result<()> {
    window.write(window.start() + PLACES, &[0; 2 * size_of::<PlaceRecord>()])
}

fn read(window: &Window, index: usize) -> Result<PlaceRecord> {
    let mut bytes = [0; size_of::<PlaceRecord>()];
    window.read(window.start() + PLACES + index * bytes.len(), &mut bytes)?;
    PlaceRecord::read_from_bytes(&bytes)
        .map_err(|_| omniglot_core::Error::Protocol("a place of another size"))
}

fn up_to_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or(&[])
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(&[])
}

fn shortened(name: &[u8]) -> String {
    let mut name = String::from_utf8_lossy(name).into_owned();
    if name.len() > MOST_OF_A_NAME {
        name.truncate(name.floor_char_boundary(MOST_OF_A_NAME));
        name.push('…');
    }
    name
}
