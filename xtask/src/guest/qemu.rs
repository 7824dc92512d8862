//! Starts QEMU, and watches it until it ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use anyhow::{Context, Error, Result};

use super::arch::Accelerator;
use super::init::Start;
use super::machine::Guest;
use super::relay::{Relay, Stream};
use super::{archive, failure, files, program};
use crate::workspace::Workspace;

/// The interval at which the guest is polled.
const PAUSE: Duration = Duration::from_millis(10);

/// The time by which the guest ends itself later than it is ended from outside.
const GRACE: Duration = Duration::from_secs(30);

/// How often to start a machine whose kernel panics before it runs anything. QEMU's emulation of
/// several processors is not perfect, and gets worse on a busy machine.
const MOST_STARTS: u32 = 3;

/// The ports for output of the guest, and the names of the files that it is written to.
const PORTS: [&str; 3] = [OUT, ERR, STATUS];
const OUT: &str = "out";
const ERR: &str = "err";
const STATUS: &str = "status";

/// A guest that is ready to start, in a directory of its own that is removed with it.
pub(super) struct Run {
    directory: PathBuf,
    qemu: Command,
    timeout: Duration,
}

impl Run {
    /// Packs what the guest needs.
    pub(super) fn prepare(guest: &Guest, workspace: &Workspace, kernel: &Path) -> Result<Self> {
        let here = env::current_dir().context("could not determine the current directory")?;
        let kernel = here.join(kernel);
        File::open(&kernel).with_context(|| format!("could not open {}", kernel.display()))?;
        let program = program::find(&guest.root, &guest.program, &here)?;
        let start = Start {
            program: &program.path,
            arguments: &guest.arguments,
            variables: &guest.variables,
            directory: &here,
            input: &guest.input,
            timeout: guest.timeout + GRACE,
        };
        let tree = files::collect(guest, &program, &here, &start)?;
        let directory = new_directory(workspace)?;
        let qemu = command(guest, &directory, &kernel);
        let run = Self { directory, qemu, timeout: guest.timeout };
        archive::write(&tree, &run.path("initramfs"))?;
        Ok(run)
    }

    /// Runs the guest to its end, and returns the program's exit status.
    pub(super) fn run(mut self, mut print: impl FnMut(Stream, &[u8]) -> Result<()>) -> Result<u8> {
        let mut starts = 1;
        loop {
            match self.start(&mut print)? {
                End::Status(status) => return Ok(status),
                End::Failure(_) if starts < MOST_STARTS && self.panicked_early() => starts += 1,
                End::Failure(error) => return Err(error),
            }
        }
    }

    fn start(&mut self, print: &mut impl FnMut(Stream, &[u8]) -> Result<()>) -> Result<End> {
        let log = File::create(self.path("log")).context("could not create a log")?;
        self.qemu.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = self.qemu.spawn().context("could not start QEMU")?;
        let mut machine = Machine(child);
        let mut relays =
            [Relay::new(Stream::Out, &self.path(OUT)), Relay::new(Stream::Err, &self.path(ERR))];
        let ended = self.watch(&mut machine, || {
            relays.iter_mut().try_for_each(|relay| relay.run(&mut *print))
        })?;
        let Some(status) = ended else {
            return Ok(End::Failure(failure::timed_out(self.timeout, &self.path("console"))));
        };
        Ok(match self.status() {
            Some(status) => End::Status(status),
            None => End::Failure(failure::ended(status, &self.path("log"), &self.path("console"))),
        })
    }

    /// Waits until the machine ends, or its time is up.
    fn watch(
        &self,
        machine: &mut Machine,
        mut relay: impl FnMut() -> Result<()>,
    ) -> Result<Option<ExitStatus>> {
        let started = Instant::now();
        loop {
            // The order matters: checking for the end before reading means that all earlier output
            // is read.
            let ended = machine.0.try_wait().context("could not wait for QEMU to end")?;
            relay()?;
            if ended.is_some() || started.elapsed() > self.timeout {
                return Ok(ended);
            }
            thread::sleep(PAUSE);
        }
    }

    /// The exit status that the guest reported, if it did.
    fn status(&self) -> Option<u8> {
        let said = fs::read_to_string(self.path(STATUS)).ok()?;
        said.strip_prefix("started\nended ")?.strip_suffix('\n')?.parse().ok()
    }

    /// Returns true if the kernel panicked before the program was started.
    fn panicked_early(&self) -> bool {
        let said = fs::read(self.path(STATUS)).unwrap_or_default();
        said.is_empty() && failure::panic(&self.path("console")).is_some()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Anything left behind is removed when the target directory is cleaned.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// How a run of the machine ended.
enum End {
    /// The program ended with this exit status.
    Status(u8),
    /// There is no exit status, for this reason.
    Failure(Error),
}

/// A running QEMU process, which is killed and reaped on drop.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // Both calls fail if it has already ended, as it should.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn new_directory(workspace: &Workspace) -> Result<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("run-{}-{number}", process::id());
    let directory = workspace.guest_directory().join(name);
    fs::create_dir_all(&directory)
        .with_context(|| format!("could not create {}", directory.display()))?;
    Ok(directory)
}

/// Returns true if QEMU has the property `one-insn-per-tb`. It exists since version 8.1, and
/// replaced the separate option in 9.1.
fn has_blocks(qemu: &str) -> bool {
    let said = Command::new(qemu).arg("--version").output().map(|output| output.stdout);
    let said = String::from_utf8(said.unwrap_or_default()).unwrap_or_default();
    version(&said).is_none_or(|version| version >= (8, 1))
}

/// The version in a line such as `QEMU emulator version 7.2.22 (Debian …)`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_once("version ")?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The QEMU command with its arguments. It runs in `directory`, so that only the kernel's path is
/// needed: in most arguments, a comma in a path would have to be doubled.
fn command(guest: &Guest, directory: &Path, kernel: &Path) -> Command {
    let qemu = guest.arch.qemu();
    let accelerator = match guest.accelerator {
        Accelerator::TcgSteps if has_blocks(qemu) => "tcg,thread=multi,one-insn-per-tb=on",
        Accelerator::Tcg | Accelerator::TcgSteps => "tcg,thread=multi",
        Accelerator::Kvm => "kvm",
    };
    let processor = guest.arch.processor(guest.accelerator);
    let mut command = Command::new(qemu);
    command.current_dir(directory).args(guest.arch.board());
    command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
    if guest.accelerator == Accelerator::TcgSteps && !has_blocks(qemu) {
        command.arg("-singlestep");
    }
    command.args(["-accel", accelerator, "-cpu", processor]);
    command.args(["-smp", &guest.cpus.to_string(), "-m", &guest.memory.to_string()]);
    command.arg("-kernel").arg(kernel);
    command.args(["-initrd", "initramfs", "-append", &guest.arch.parameters()]);
    command.args(["-serial", "file:console", "-device", "virtio-serial-pci"]);
    for port in PORTS {
        command.args(["-chardev", &format!("file,id={port},path={port}")]);
        command.args(["-device", &format!("virtserialport,chardev={port},name={port}")]);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_read() {
        assert_eq!(version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\n"), Some((7, 2)));
        assert_eq!(version("QEMU emulator version 10.0.2"), Some((10, 0)));
        assert_eq!(version(""), None);
    }
}
