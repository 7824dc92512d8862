//! Explains why a guest failed.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Error, anyhow};

use crate::log;

/// The error if QEMU ended and the program's exit status is not known.
pub(super) fn ended(qemu: ExitStatus, log: &Path, console: &Path) -> Error {
    if let Some(line) = panic(console) {
        return anyhow!("the guest's kernel panicked: {line}\n{}", log::tail(console));
    }
    if let Some(line) = line_with(console, "guest: ") {
        return anyhow!("the guest could not start its program: {line}");
    }
    if !qemu.success() {
        return anyhow!("QEMU failed ({qemu})\n{}", log::tail(log));
    }
    anyhow!(
        "the guest ended before its program did: the program may have switched the machine off, \
         or the kernel did not start\n{}",
        log::tail(console)
    )
}

/// The error if the program exceeded the time limit.
pub(super) fn timed_out(limit: Duration, console: &Path) -> Error {
    anyhow!(
        "the guest did not end within {} s and was stopped; --timeout allows more\n{}",
        limit.as_secs(),
        log::tail(console)
    )
}

/// The message with which the kernel panicked, if it did.
pub(super) fn panic(console: &Path) -> Option<String> {
    line_with(console, "Kernel panic")
}

/// The rest of a line in the file `console` from `words` on.
fn line_with(console: &Path, words: &str) -> Option<String> {
    let printed = fs::read(console).unwrap_or_default();
    let printed = String::from_utf8_lossy(&printed);
    printed.lines().find_map(|line| Some(line[line.find(words)?..].trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::ended;
    use crate::testing::TempDir;

    fn message(status: i32, console: &str) -> String {
        let directory = TempDir::new();
        let (log, path) = (directory.path().join("log"), directory.path().join("console"));
        fs::write(&log, "qemu: no such thing\n").unwrap();
        fs::write(&path, console).unwrap();
        ended(ExitStatus::from_raw(status << 8), &log, &path).to_string()
    }

    #[test]
    fn each_kind_of_end_is_named() {
        let panic = message(0, "[ 1.0] Kernel panic - not syncing: no init\r\n");
        assert!(
            panic.starts_with("the guest's kernel panicked: Kernel panic - not syncing: no init\n")
        );
        let port = message(0, "guest: the kernel has no driver\r\n");
        assert!(port.ends_with("its program: guest: the kernel has no driver"), "{port}");
        assert!(message(1, "").contains("qemu: no such thing"));
        assert!(message(0, "hm\r\n").contains("the guest ended before its program did"));
    }
}
