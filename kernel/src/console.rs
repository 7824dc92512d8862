//! The console's line editor, which echoes what is typed.

use core::fmt::Write;

use omniglot_kernel_hardware::Uart;

use crate::text::Text;

/// The longest line, in bytes.
pub const LINE: usize = 256;
/// The prompt.
const PROMPT: &str = "omniglot> ";

const BACKSPACE: u8 = 0x08;
const END: u8 = 0x04;
const DELETE: u8 = 0x7f;

/// The line that is being typed.
#[derive(Debug, Default)]
pub struct Console {
    line: Text<LINE>,
    last: u8,
}

impl Console {
    /// Prints the prompt.
    pub fn prompt(uart: &mut Uart) {
        // Writing to a serial line never fails.
        let _ = uart.write_str(PROMPT);
    }

    /// Handles a typed byte. Returns the line once the byte completes it. Ctrl-D on an empty line
    /// is the command to leave.
    pub fn take(&mut self, uart: &mut Uart, byte: u8) -> Option<Text<LINE>> {
        let last = core::mem::replace(&mut self.last, byte);
        match byte {
            // The second half of a CR LF line ending.
            b'\n' if last == b'\r' => None,
            b'\r' | b'\n' => Some(self.end(uart)),
            END if self.line.as_str().is_empty() => {
                let _ = self.line.write_str("exit");
                Some(self.end(uart))
            }
            BACKSPACE | DELETE => {
                if self.line.pop().is_some() {
                    let _ = uart.write_str("\x08 \x08");
                }
                None
            }
            b' '..=b'~' => {
                if self.line.push(char::from(byte)) {
                    uart.send(byte);
                }
                None
            }
            _ => None,
        }
    }

    fn end(&mut self, uart: &mut Uart) -> Text<LINE> {
        let _ = uart.write_str("\n");
        let line = self.line;
        self.line.clear();
        line
    }
}
