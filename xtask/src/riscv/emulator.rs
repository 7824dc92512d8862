//! QEMU's 32-bit RISC-V board `virt`, which runs a program without firmware.
//!
//! The board's devices and the test finisher at 0x100000, by which a program ends the machine with
//! an exit status, are described in QEMU's documentation, "RISC-V virt board", and in its source,
//! `hw/riscv/virt.c` and `hw/misc/sifive_test.c`.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;

/// Debian's name of the emulator, package qemu-system-misc.
const QEMU: &str = "qemu-system-riscv32";

/// What every run is started with: the machine with random numbers, and none of QEMU's own
/// windows and prompts.
///
/// The virtio devices speak the current version of their specification, not the one before 1.0.
const MACHINE: &[&str] = &[
    "-machine",
    "virt",
    "-bios",
    "none",
    "-m",
    "128M",
    "-display",
    "none",
    "-monitor",
    "none",
    "-no-reboot",
    "-global",
    "virtio-mmio.force-legacy=false",
    "-device",
    "virtio-rng-device",
];

/// A machine that is to be started with a program.
pub(crate) struct Emulator {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// How a machine came to its end.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself, with this status: the one that the program gave the test finisher.
    Itself(ExitStatus),
    /// By us, since it ran for longer than it may.
    Stopped,
}

impl Emulator {
    /// A machine that starts `program`, an ELF file.
    pub(crate) fn new(program: &Path) -> Self {
        Self { program: program.to_owned(), arguments: Vec::new() }
    }

    /// The same with further `arguments` for QEMU.
    pub(crate) fn arguments<I: IntoIterator<Item: Into<OsString>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// The same with the file `image` as its virtio disk.
    pub(crate) fn disk(self, image: &Path) -> Self {
        let mut drive = OsString::from("if=none,id=disk,format=raw,file=");
        drive.push(image);
        let device = OsStr::new("virtio-blk-device,drive=disk");
        self.arguments([OsStr::new("-drive"), &drive, OsStr::new("-device"), device])
    }

    /// The same with a virtio network card in QEMU's own network, 10.0.2.0/24.
    ///
    /// Each pair of `forwarded` ports has connections to the first, on this machine's loopback
    /// interface, arrive at the second, on the guest's address 10.0.2.15.
    pub(crate) fn network(self, forwarded: &[(u16, u16)]) -> Self {
        let mut backend = "user,id=network,restrict=on".to_owned();
        for (host, guest) in forwarded {
            backend.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-10.0.2.15:{guest}"));
        }
        self.arguments(["-netdev", &backend, "-device", "virtio-net-device,netdev=network"])
    }

    /// The same with Smepmp, and a word in memory that says that it is to be used: it can only be
    /// looked for by a program that survives if it isn't there.
    ///
    /// # Errors
    ///
    /// If QEMU cannot be asked for its version.
    pub(crate) fn lockdown(self) -> Result<Self> {
        let output = Command::new(QEMU).arg("--version").output();
        let output = output.with_context(|| format!("could not start {QEMU}"))?;
        let processor = processor_with_smepmp(&String::from_utf8_lossy(&output.stdout));
        let word = u32::from_le_bytes(*b"LOCK");
        let loader = format!("loader,addr=0x83fffff0,data={word:#x},data-len=4");
        Ok(self.arguments(["-cpu", processor, "-device", &loader]))
    }

    /// The command that starts the machine, with its serial line on standard input and output.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(QEMU);
        command.args(MACHINE).args(["-serial", "stdio", "-kernel"]).arg(&self.program);
        command.args(&self.arguments);
        command
    }

    /// Runs the machine without input and hands on each line of its serial line as it comes.
    ///
    /// # Errors
    ///
    /// If QEMU cannot be started.
    pub(crate) fn run(&self, limit: Duration, each_line: impl FnMut(&str)) -> Result<Ended> {
        let mut child = self.start(Stdio::null())?;
        let Some(output) = child.stdout.take() else { bail!("QEMU has no output") };
        let ended = follow(&lines(output), limit, each_line);
        end(&mut child, ended)
    }

    /// Starts the machine with `input` as what is typed, and its serial line to be read.
    pub(crate) fn start(&self, input: Stdio) -> Result<Child> {
        let mut command = self.command();
        command.stdin(input).stdout(Stdio::piped());
        command.spawn().with_context(|| format!("could not start {QEMU}"))
    }
}

/// The processor, by what a QEMU of some version calls the extension: it had a name of its own
/// before the specification was ratified.
fn processor_with_smepmp(version: &str) -> &'static str {
    let numbers = version.split(|character: char| !character.is_ascii_digit());
    match numbers.filter_map(|number| number.parse::<u32>().ok()).next() {
        Some(..8) => "rv32,x-epmp=true",
        _ => "rv32,smepmp=true",
    }
}

/// Hands on lines until there are no more, which is `true`, or time is up.
fn follow(lines: &Receiver<String>, limit: Duration, mut each_line: impl FnMut(&str)) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => each_line(&line),
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// The lines that arrive on `output`, read by a thread so that waiting for one can be given up.
pub(crate) fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line), Ok(count) if count > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            line.clear();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Waits for a machine that has closed its serial line, or stops one that has not.
pub(crate) fn end(child: &mut Child, closed: bool) -> Result<Ended> {
    if closed {
        return Ok(Ended::Itself(child.wait().context("could not wait for QEMU")?));
    }
    child.kill().context("could not stop QEMU")?;
    child.wait().context("could not wait for QEMU")?;
    Ok(Ended::Stopped)
}

impl Ended {
    /// The exit code that passes this on.
    ///
    /// # Errors
    ///
    /// If the machine had to be stopped after `limit`.
    pub(crate) fn report(&self, limit: Duration) -> Result<ExitCode> {
        match self {
            Self::Itself(status) => Ok(cargo::exit_code(*status)),
            Self::Stopped => bail!("QEMU still ran after {} s and was stopped", limit.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{Emulator, follow, lines, processor_with_smepmp};

    #[test]
    fn smepmp_is_named_as_the_version_has_it() {
        let old = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)";
        assert_eq!(processor_with_smepmp(old), "rv32,x-epmp=true");
        let new = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)";
        assert_eq!(processor_with_smepmp(new), "rv32,smepmp=true");
    }

    #[test]
    fn output_is_handed_on_by_lines_without_their_ends() {
        let mut seen = Vec::new();
        let whole = lines(&b"one\r\ntwo\n\xffthree"[..]);
        assert!(follow(&whole, Duration::from_secs(60), |line| seen.push(line.to_owned())));
        assert_eq!(seen, ["one", "two", "\u{fffd}three"]);
    }

    #[test]
    fn waiting_for_a_line_ends() {
        let (_sender, silent) = mpsc::channel();
        assert!(!follow(&silent, Duration::ZERO, |_| ()));
    }

    #[test]
    fn ports_are_forwarded_from_the_loopback_interface_only() {
        let emulator = Emulator::new(Path::new("kernel")).network(&[(5555, 80)]);
        let command = format!("{:?}", emulator.command());
        assert!(command.contains("hostfwd=tcp:127.0.0.1:5555-10.0.2.15:80"), "{command}");
    }
}
