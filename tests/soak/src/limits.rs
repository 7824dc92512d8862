//! Exhausts the system's resources. Every operation must return a value, or an error that names
//! what is missing, and must work again once there is room.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use omniglot::Error;
use omniglot_conformance::conformance::Conformance;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

use crate::census::{Census, address_space_kib, children_of, data_kib};
use crate::judge::Tally;
use crate::work::{Job, builder};

/// The resource that is exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Limit {
    /// Open descriptors
    Descriptors,
    /// Processes and threads of the user, who is an ordinary one
    Processes,
    /// Address space, in KiB
    AddressSpace,
    /// Private memory that may be written, in KiB
    Data,
    /// The size of files, in KiB: of all of a file
    FileSize,
    /// The stack of new programs, in KiB: all of it
    Stack,
}

impl Limit {
    const ALL: [Self; 6] = [
        Self::Descriptors,
        Self::Processes,
        Self::AddressSpace,
        Self::Data,
        Self::FileSize,
        Self::Stack,
    ];

    /// Returns the amounts of room to test, from next to nothing to enough.
    fn rooms(self) -> Vec<u64> {
        match self {
            Self::Descriptors => (0..24).collect(),
            Self::Processes => (0..6).collect(),
            Self::AddressSpace => vec![1 << 10, 4 << 10, 16 << 10, 64 << 10, 66 << 10, 1 << 20],
            // With 2 to 8 MiB, a thread of the standard library gets its stack, but sometimes not
            // its signal stack for overflows. It then panics before any code of this project runs.
            Self::Data => vec![1 << 10, 16 << 10, 64 << 10, 1 << 20],
            Self::FileSize => vec![0, 4, 64, 1 << 10, 65_535, 1 << 20],
            Self::Stack => vec![16, 128, 256, 1 << 10],
        }
    }

    const fn resource(self) -> Resource {
        match self {
            Self::Descriptors => Resource::Nofile,
            Self::Processes => Resource::Nproc,
            Self::AddressSpace => Resource::As,
            Self::Data => Resource::Data,
            Self::FileSize => Resource::Fsize,
            Self::Stack => Resource::Stack,
        }
    }

    /// Returns the limit that leaves this much room.
    fn with_room(self, room: u64) -> Result<u64> {
        Ok(match self {
            Self::Descriptors => count("/proc/self/fd")? + room,
            Self::Processes => count("/proc/self/task")? + children_of("self")?.len() as u64 + room,
            Self::AddressSpace => (address_space_kib()? + room) << 10,
            Self::Data => (data_kib()? + room) << 10,
            Self::FileSize | Self::Stack => room << 10,
        })
    }
}

fn count(directory: &str) -> Result<u64> {
    Ok(fs::read_dir(directory)?.count() as u64)
}

/// A lowered limit, which is restored when this is dropped.
struct Lowered {
    resource: Resource,
    before: Rlimit,
}

impl Lowered {
    fn to_room(limit: Limit, room: u64) -> Result<Self> {
        let (resource, value) = (limit.resource(), limit.with_room(room)?);
        let before = getrlimit(resource);
        setrlimit(resource, Rlimit { current: Some(value), maximum: before.maximum })
            .with_context(|| format!("{limit:?} to {value}"))?;
        Ok(Self { resource, before })
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        // A process may always raise its soft limit to the hard one.
        let _ = setrlimit(self.resource, self.before);
    }
}

/// Tests one limit with one amount of room here, or all of them in their own processes.
pub(crate) fn run(only: Option<Limit>, room: Option<u64>) -> Result<()> {
    match (only, room) {
        (Some(limit), Some(room)) => run_here(limit, room),
        (Some(limit), None) => run_rooms(limit),
        (None, _) => Limit::ALL.into_iter().try_for_each(run_rooms),
    }
}

/// Tests a limit with each amount of room, each in a new process without any instance.
fn run_rooms(limit: Limit) -> Result<()> {
    let copy = Copy::for_everybody()?;
    for room in limit.rooms() {
        let mut command = copy.command(limit)?;
        let name = limit.to_possible_value().context("a value of the command line")?;
        command.args(["limits", "--only", name.get_name(), "--room", &room.to_string()]);
        let output = command.output().context("a copy of this program")?;
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{limit:?} with {room}: {}: {text}", output.status);
        print!("{text}");
    }
    Ok(())
}

/// A copy of this program in a place where every user may run it.
struct Copy(PathBuf);

impl Copy {
    fn for_everybody() -> Result<Self> {
        let path = env::temp_dir().join(format!("omniglot-limits-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        let copy = Self(path);
        fs::set_permissions(&copy.0, fs::Permissions::from_mode(0o755))?;
        fs::copy(env::current_exe()?, copy.program())?;
        Ok(copy)
    }

    fn program(&self) -> PathBuf {
        self.0.join("soak")
    }

    /// Limits on processes apply only to ordinary users, and count all processes of a user. So this
    /// uses one that nobody else uses.
    fn command(&self, limit: Limit) -> Result<Command> {
        let mut command = Command::new(self.program());
        if limit == Limit::Processes && geteuid().is_root() {
            let user = 1_000_000 + std::process::id();
            command = Command::new("setpriv");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={user}"));
            command.arg("--clear-groups").arg(self.program());
        }
        command.current_dir(Path::new("/"));
        Ok(command)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A directory left in the temporary directory is no reason to fail.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run_here(limit: Limit, room: u64) -> Result<()> {
    let mut tally = Tally::default();
    // Before the first instance: a failed one-time initialisation must not have lasting effects.
    let lowered = Lowered::to_room(limit, room)?;
    let cold = builder().build();
    drop(lowered);
    judge("cold", cold.map(drop), &mut tally)?;
    let mut kept = builder().spares(0).build().context("once there is room again")?;
    check(&mut kept).context("once there is room again")?;
    let before = Census::take()?;

    let lowered = Lowered::to_room(limit, room)?;
    let worked = Job::Callback.on(&mut kept);
    let reset = kept.reset();
    let rebuilt = builder().spares(1).build().and_then(|mut other| other.reset());
    let copied = large_view(&mut kept);
    drop(lowered);
    worked.context("an instance that is there needs nothing more")?;
    judge("reset", reset, &mut tally)?;
    judge("another", rebuilt, &mut tally)?;
    judge("view", copied, &mut tally)?;

    kept.reset().context("once there is room again")?;
    check(&mut kept).context("a reset instance")?;
    before.wait_for_return()?;
    println!("limits: {limit:?} with {room}: {tally}");
    Ok(())
}

fn judge(what: &str, outcome: omniglot::Result<()>, tally: &mut Tally) -> Result<()> {
    match outcome {
        Ok(()) => tally.count(format!("{what} done")),
        Err(error) => {
            tally.error(&error).with_context(|| what.to_owned())?;
            tally.count(format!("{what} refused ({error})"));
        }
    }
    Ok(())
}

fn check(library: &mut Conformance) -> Result<()> {
    for job in [Job::Call, Job::Scope, Job::Callback, Job::Box] {
        job.on(library).with_context(|| format!("{job:?}"))?;
    }
    Ok(())
}

/// A view of memory that another process may write is a copy, here of megabytes.
fn large_view(library: &mut Conformance) -> omniglot::Result<()> {
    let Ok(large) = library.alloc_zeroed::<u8>(4 << 20) else {
        return Ok(()); // the instance is poisoned by a reset that failed
    };
    let view = library.view_slice(&large)?;
    if view.len() == 4 << 20 { Ok(()) } else { Err(Error::Misuse("a view of another length")) }
}
