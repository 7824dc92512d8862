//! The system call driver for programs.

use kernel::ErrorCode;
use kernel::process::{self, ProcessId};
use kernel::syscall::{CommandReturn, SyscallDriver};
use omniglot::Runtime;

use crate::Demonstration;

/// The driver's number, which Tock does not use otherwise.
pub const DRIVER: usize = 0xb_0000;

/// Command 0 reports that the driver exists. Command 1 hashes its first argument, as four bytes,
/// and returns the first four bytes of the hash. So a program can check, without a buffer, that the
/// library works.
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

    /// The driver keeps no state for a program.
    fn allocate_grant(&self, _: ProcessId) -> Result<(), process::Error> {
        Ok(())
    }
}
