//! The console's line: what is typed, shown as it is typed.

use core::fmt::Write;

use omniglot_kernel_hardware::Uart;

use crate::text::Text;

/// How long a line can be.
pub const LINE: usize = 256;
/// What the console shows when it waits.
const PROMPT: &str = "omniglot> ";

const BACKSPACE: u8 = 0x08;
const END: u8 = 0x04;
const DELETE: u8 = 0x7f;

/// What is being typed.
#[derive(Debug, Default)]
pub struct Console {
    line: Text<LINE>,
    last: u8,
}

impl Console {
    /// Shows that a command can be typed.
    pub fn prompt(uart: &mut Uart) {
        // A serial line takes everything.
        let _ = uart.write_str(PROMPT);
    }

    /// Takes in a byte that was typed; the line, when it ends with that. Ctrl-D on an empty
    /// line is the command to leave.
    pub fn take(&mut self, uart: &mut Uart, byte: u8) -> Option<Text<LINE>> {
        let last = core::mem::replace(&mut self.last, byte);
        match byte {
            // The second half of one end of line.
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
