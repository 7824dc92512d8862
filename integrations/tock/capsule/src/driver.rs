//! What programs ask for by system calls.

use kernel::ErrorCode;
use kernel::process::{self, ProcessId};
use kernel::syscall::{CommandReturn, SyscallDriver};
use omniglot::Runtime;

use crate::Demonstration;

/// The number by which programs call this driver: one that Tock does not use.
pub const DRIVER: usize = 0xb_0000;

/// Command 0 says that the driver is there. Command 1 hashes its first argument, as four
/// bytes, and gives the first four bytes of the hash: enough for a program to see that the
/// library works, without a buffer.
impl<R: Runtime> SyscallDriver for Demonstration<R> {
    fn command(&self, number: usize, word: usize, _: usize, _: ProcessId) -> CommandReturn {
        match number {
            0 => CommandReturn::success(),
            1 => self.hash_word(word as u32).map_or_else(
                || CommandReturn::failure(ErrorCode::FAIL),
                CommandReturn::success_u32,
            ),
            _ => CommandReturn::failure(ErrorCode::NOSUPPORT),
        }
    }

    /// Nothing is kept for a program.
    fn allocate_grant(&self, _: ProcessId) -> Result<(), process::Error> {
        Ok(())
    }
}
