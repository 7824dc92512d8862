//! Runs cargo from within `cargo xtask`.

use std::env;
use std::process::{Command, ExitCode, ExitStatus};

use std::os::unix::process::ExitStatusExt;

/// The target that everything here runs on. Naming it keeps flags away from build scripts.
pub(crate) const HOST_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The cargo that started xtask, so that nested runs use the same toolchain.
pub(crate) fn command() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Converts an exit status into an exit code, with a shell's code for death by a signal.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    ExitCode::from(status_byte(status))
}

fn status_byte(status: ExitStatus) -> u8 {
    let code = status.code();
    let code = code.or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::status_byte;

    #[test]
    fn an_exit_status_is_passed_on() {
        assert_eq!(status_byte(ExitStatus::from_raw(0)), 0);
        assert_eq!(status_byte(ExitStatus::from_raw(7 << 8)), 7);
    }

    #[test]
    fn a_signal_becomes_128_and_its_number() {
        assert_eq!(status_byte(ExitStatus::from_raw(11)), 139);
    }
}
