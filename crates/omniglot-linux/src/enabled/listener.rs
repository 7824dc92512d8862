//! What the library writes to its standard output and error, handed on line by line.

use omniglot_core::Window;

use super::requests::{said_since, shown};
use crate::options::LineSink;

/// The longest line, in bytes; what is longer comes in parts.
const LONGEST: usize = 4096;

/// Hands a domain's lines on, as the host looks: after each outermost call, and at the end.
#[derive(Debug)]
pub(super) struct Listener {
    sink: LineSink,
    /// How many bytes of this life were looked at.
    heard: u64,
    /// The beginning of a line, whose end is not written yet.
    begun: Vec<u8>,
}

impl Listener {
    pub(super) const fn new(sink: LineSink) -> Self {
        Self { sink, heard: 0, begun: Vec::new() }
    }

    /// Hands on what was written since the last time; at a life's end also a line without an end.
    pub(super) fn hear(&mut self, window: &Window, is_end: bool) {
        // What foreign code writes there is no reason for an error of the host's.
        let Ok((bytes, heard, lost)) = said_since(window, self.heard) else {
            return;
        };
        self.heard = heard;
        if lost > 0 {
            self.tell();
            self.sink.hear(&format!("({lost} bytes were written faster than they were read)"));
        }
        for byte in bytes {
            if byte == b'\n' || self.begun.len() == LONGEST {
                self.sink.hear(&shown(&self.begun));
                self.begun.clear();
            }
            if byte != b'\n' {
                self.begun.push(byte);
            }
        }
        if is_end {
            self.tell();
            self.heard = 0;
        }
    }

    fn tell(&mut self) {
        if !self.begun.is_empty() {
            self.sink.hear(&shown(&self.begun));
            self.begun.clear();
        }
    }
}
