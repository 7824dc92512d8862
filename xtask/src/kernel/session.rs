//! A running kernel with its console.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::machine::{ECHO, HTTP};
use crate::riscv::Emulator;

/// The prompt that the kernel prints when it waits for a command.
const PROMPT: &str = "omniglot> ";
/// The time limit for one command. It only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// A machine that runs the kernel. Dropping it ends the machine.
pub(super) struct Session {
    machine: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    /// The kernel's output since the last prompt.
    written: String,
    /// The port of this machine for the kernel's HTTP server.
    pub(super) http: u16,
    /// The port of this machine for the kernel's echo service.
    pub(super) echo: u16,
}

impl Session {
    /// Starts the kernel, and waits for its first prompt.
    pub(super) fn start(program: &Path, disk: &Path) -> Result<Self> {
        let (http, echo) = free_ports()?;
        let emulator = Emulator::new(program).disk(disk).network(&[(http, HTTP), (echo, ECHO)]);
        let mut machine = emulator.start(Stdio::piped())?;
        let keyboard = machine.stdin.take().context("QEMU has no input")?;
        let screen = chunks(machine.stdout.take().context("QEMU has no output")?);
        let mut session = Self { machine, keyboard, screen, written: String::new(), http, echo };
        session.until_prompt()?;
        Ok(session)
    }

    /// Types a command, and returns the kernel's output.
    pub(super) fn command(&mut self, line: &str) -> Result<String> {
        self.keyboard.write_all(format!("{line}\r").as_bytes()).context("the kernel is gone")?;
        let written = self.until_prompt()?;
        // The kernel echoes the command first.
        Ok(written.strip_prefix(line).unwrap_or(&written).trim().to_owned())
    }

    /// Shuts the kernel down, and checks that it reports success.
    pub(super) fn exit(mut self) -> Result<()> {
        self.keyboard.write_all(b"exit\r").context("the kernel is gone")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.machine.try_wait()? {
                return if status.success() { Ok(()) } else { bail!("the kernel ended: {status}") };
            }
            if Instant::now() >= deadline {
                bail!("the kernel does not end");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn until_prompt(&mut self) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(written) = self.written.strip_suffix(PROMPT) {
                let written = written.replace('\r', "");
                self.written.clear();
                return Ok(written);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.written.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => bail!("the kernel does not answer; it wrote: {}", self.written),
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The machine may already have ended by itself.
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}

/// Reads arriving data in a thread, so that a receiver can stop waiting.
fn chunks(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count) = from.read(&mut bytes) {
            let chunk = bytes.get(..count).unwrap_or(&[]).to_vec();
            if count == 0 || sender.send(chunk).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Two ports that are currently free.
fn free_ports() -> Result<(u16, u16)> {
    let one = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    let two = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok((one.local_addr()?.port(), two.local_addr()?.port()))
}
