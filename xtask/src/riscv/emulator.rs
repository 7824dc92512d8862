//! QEMU's 32-bit RISC-V board `virt`, which runs a program without firmware.
//!
//! QEMU's documentation ("RISC-V virt board") and its sources (`hw/riscv/virt.c`,
//! `hw/misc/sifive_test.c`) describe the board's devices. A program ends the machine with an exit
//! status through the test finisher at 0x100000.

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

/// The arguments of every run: the machine with random numbers, without QEMU's windows and monitor.
///
/// The virtio devices implement the current version of their specification, not the legacy one
/// before 1.0.
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

/// A machine and the program that it will run.
pub(crate) struct Emulator {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// How a machine ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself, with the status that the program passed to the test finisher.
    Itself(ExitStatus),
    /// By us, when its time was up.
    Stopped,
}

impl Emulator {
    /// Creates a machine that runs `program`, an ELF file.
    pub(crate) fn new(program: &Path) -> Self {
        Self { program: program.to_owned(), arguments: Vec::new() }
    }

    /// Adds `arguments` for QEMU.
    pub(crate) fn arguments<I: IntoIterator<Item: Into<OsString>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds the file `image` as a virtio disk.
    pub(crate) fn disk(self, image: &Path) -> Self {
        let mut drive = OsString::from("if=none,id=disk,format=raw,file=");
        drive.push(image);
        let device = OsStr::new("virtio-blk-device,drive=disk");
        self.arguments([OsStr::new("-drive"), &drive, OsStr::new("-device"), device])
    }

    /// Adds a virtio network card in QEMU's own network, 10.0.2.0/24.
    ///
    /// For each pair in `forwarded`, connections to the first port on this machine's loopback
    /// interface are forwarded to the second port on the guest's address, 10.0.2.15.
    pub(crate) fn network(self, forwarded: &[(u16, u16)]) -> Self {
        let mut backend = "user,id=network,restrict=on".to_owned();
        for (host, guest) in forwarded {
            backend.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-10.0.2.15:{guest}"));
        }
        self.arguments(["-netdev", &backend, "-device", "virtio-net-device,netdev=network"])
    }

    /// Adds Smepmp, and a word in memory that tells the program to use it. A program cannot probe
    /// for Smepmp unless it survives the probe on a hart without it.
    ///
    /// # Errors
    ///
    /// QEMU cannot be asked for its version.
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

    /// Runs the machine without input, and passes on each line of its serial output as it arrives.
    ///
    /// # Errors
    ///
    /// QEMU cannot be started.
    pub(crate) fn run(&self, limit: Duration, each_line: impl FnMut(&str)) -> Result<Ended> {
        let mut child = self.start(Stdio::null())?;
        let Some(output) = child.stdout.take() else { bail!("QEMU has no output") };
        let ended = follow(&lines(output), limit, each_line);
        end(&mut child, ended)
    }

    /// Starts the machine with `input` as its serial input, and a pipe for its serial output.
    pub(crate) fn start(&self, input: Stdio) -> Result<Child> {
        let mut command = self.command();
        command.stdin(input).stdout(Stdio::piped());
        command.spawn().with_context(|| format!("could not start {QEMU}"))
    }
}

/// The processor model, which depends on QEMU's version: the extension had another name before its
/// specification was ratified.
fn processor_with_smepmp(version: &str) -> &'static str {
    let numbers = version.split(|character: char| !character.is_ascii_digit());
    match numbers.filter_map(|number| number.parse::<u32>().ok()).next() {
        Some(..8) => "rv32,x-epmp=true",
        _ => "rv32,smepmp=true",
    }
}

/// Passes on lines. Returns true at their end, and false if time is up.
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

/// Reads the lines of `output` in a thread, so that a receiver can stop waiting.
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
    /// The exit code for this result.
    ///
    /// # Errors
    ///
    /// The machine had to be stopped after `limit`.
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
