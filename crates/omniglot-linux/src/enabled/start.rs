//! Starting a worker and waiting until its library is loaded.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use omniglot_core::{Error, IsolationKind, Result, Window};
use rustix::event::Timespec;
use rustix::fs::{FileType, fstat};

use super::channel::{Channel, Message};
use super::fd_passing::{self, Shown};
use super::files;
use super::filters::filters;
use super::generation;
use super::images::{self, Programs};
use super::layout::{Layout, Orders, WORLD_TREE};
use super::learning;
use super::listener::Listener;
use super::load_spec::LoadSpec;
use super::mapping::Mapping;
use super::open_broker::OpenBroker;
use super::report::{early_error, explain_loading};
use super::spawner;
use super::spinning::Spins;
use super::tables::Tables;
use super::worker::{End, Worker};
use super::world;
use crate::capabilities::machine::Machine;
use crate::options::{Options, Permission};

/// The shortest and the longest sleep of the host between two checks of the worker.
pub(super) const SHORTEST_SLEEP: Duration = Duration::from_micros(50);
pub(super) const LONGEST_SLEEP: Duration = Duration::from_millis(10);

/// How long the host waits for a request to open a file before it checks the worker.
const BROKER_SLEEP: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000 };

/// A worker in which a library is loaded; the worker is dropped first.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) worker: Worker,
    pub(super) window: Window,
    pub(super) layout: Layout,
    pub(super) channel: Channel,
    pub(super) tables: Tables,
    pub(super) generation: u64,
    /// The window's memory, from where the worker left it.
    pub(super) file: Option<OwnedFd>,
}

/// What a worker does after it has loaded its library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// It serves calls.
    Serve,
    /// It waits to be copied and killed; the host runs the library itself.
    HandOff,
}

/// What keeps a worker from files that it must not read.
enum Guard {
    /// The kernel, by these rules.
    Landlock(OwnedFd),
    /// The host, which opens the files.
    Host,
}

impl Guard {
    /// Landlock, unless the kernel has none, the user wants to know which files are opened, or the
    /// worker gets a pipe as its standard error. Landlock does not restrict pipes, so the worker
    /// could open it again, for reading.
    fn of(options: &Options, readable: &[PathBuf]) -> Result<Self> {
        if learning::is_on() {
            return Ok(Self::Host);
        }
        if options.allow.contains(Permission::Stderr) && is_pipe(std::io::stderr()) {
            return Ok(Self::Host);
        }
        Ok(files::rules(readable)?.map_or(Self::Host, Self::Landlock))
    }
}

fn is_pipe(file: impl AsFd) -> bool {
    fstat(file).is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Fifo)
}

/// The host's handles of a worker that is loading.
struct Watch<'a> {
    socket: OwnedFd,
    shown: Option<Shown>,
    broker: Option<OpenBroker<'a>>,
}

/// A worker that is loading.
struct Start<'a> {
    spec: &'a LoadSpec,
    purpose: Purpose,
    programs: &'a Programs,
    shims: Arc<OwnedFd>,
    layout: Layout,
    window: Window,
    channel: Channel,
}

/// Starts a worker and loads the library in it.
pub(super) fn start(spec: &LoadSpec) -> Result<Started> {
    start_here(spec).map_err(or_what_is_missing)
}

fn start_here(spec: &LoadSpec) -> Result<Started> {
    let guard = Guard::of(&spec.options, &spec.readable)?;
    start_guarded(spec, &guard, Purpose::Serve, Layout::new(&spec.options)?)
}

/// What this place lacks, if that may be why a start failed: what fails first, and how, says less.
fn or_what_is_missing(error: Error) -> Error {
    match error {
        Error::Load(_) | Error::MissingFunction(_) | Error::Unsupported { .. } => return error,
        // What is used up now says nothing of the place.
        Error::System { errno, .. } if is_used_up(errno) => return error,
        _ => {}
    }
    let missing = Machine::this().missing(IsolationKind::Process);
    let first = missing.first();
    first.map_or(error, |first| Error::Unsupported { what: first.lack, remedy: first.remedy })
}

/// Starts a worker that loads the library and then waits to be copied and killed.
pub(super) fn start_for_hand_off(spec: &LoadSpec, layout: Layout) -> Result<Started> {
    check_permissions(&spec.options)?;
    if images::is_for_musl() {
        return Err(Error::Unsupported {
            what: "in the host's process only libraries of glibc run",
            remedy: "set Isolation::Process, or build with a C compiler for glibc",
        });
    }
    let guard = Guard::of(&spec.options, &spec.readable)?;
    start_guarded(spec, &guard, Purpose::HandOff, layout)
}

/// Checks that nothing is permitted that the host's own process does not have for a library.
pub(super) fn check_permissions(options: &Options) -> Result<()> {
    if options.allow.threads() > 0 || options.allow.contains(Permission::ExecutableMemory) {
        return Err(Error::Unsupported {
            what: "threads and memory for code need a process of the library's own",
            remedy: "set Isolation::Process, or do without them",
        });
    }
    Ok(())
}

/// Whether an error number means that descriptors, memory, processes or space are used up.
fn is_used_up(errno: i32) -> bool {
    use rustix::io::Errno;

    let errors =
        [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::AGAIN, Errno::NOSPC, Errno::FBIG];
    errors.iter().any(|error| error.raw_os_error() == errno)
}

fn start_guarded(
    spec: &LoadSpec,
    guard: &Guard,
    purpose: Purpose,
    layout: Layout,
) -> Result<Started> {
    let programs = images::programs()?;
    start_programs(spec, guard, purpose, layout, programs)
}

fn start_programs(
    spec: &LoadSpec,
    guard: &Guard,
    purpose: Purpose,
    layout: Layout,
    programs: &Programs,
) -> Result<Started> {
    if spec.description.image.is_empty() {
        return Err(Error::Unsupported {
            what: "the bindings have no C shims for this target",
            remedy: "generate them with omniglot-build for the target of the program",
        });
    }
    let generation = generation::current()?;
    let (mapping, file) = Mapping::create(layout.size)?;
    let mut window = mapping.window(layout.base);
    write_orders(&layout, &mut window, spec, guard, purpose)?;
    let channel = Channel::new(Arc::new(mapping), Spins::of_this_machine());
    let shims = images::shims(spec.description.image)?;
    let start = Start { spec, purpose, programs, shims, layout, window, channel };
    start.run(file, guard, generation)
}

fn write_orders(
    layout: &Layout,
    window: &mut Window,
    spec: &LoadSpec,
    guard: &Guard,
    purpose: Purpose,
) -> Result<()> {
    let LoadSpec { options, libraries, .. } = spec;
    let filters = filters(options.allow, &layout.loadable())?;
    layout.write(
        window,
        &Orders {
            keep_clock: options.allow.contains(Permission::Clock),
            keep_stderr: options.allow.contains(Permission::Stderr),
            spins: Spins::of_this_machine(),
            libraries: &libraries.names,
            search_path: libraries.search_path.clone(),
            load_filter: &filters.load,
            serve_filter: &filters.serve,
            ask_filter: match guard {
                Guard::Landlock(_) => &[],
                Guard::Host => &filters.ask,
            },
            hands_off: purpose == Purpose::HandOff,
            time: world::time(options),
            seed: options.seed,
            strict: options.strict,
            tree_size: spec.tree.as_ref().map_or(0, |tree| tree.len),
            environment: &spec.environment,
            plugins: &libraries.plugins,
            scratch: options.tmp,
            is_executable: options.allow.contains(Permission::ExecutableMemory),
        },
    )
}

impl Start<'_> {
    fn run(self, file: OwnedFd, guard: &Guard, generation: u64) -> Result<Started> {
        let (mut worker, socket) = self.spawn(&file, guard, generation)?;
        let mut watch = Watch { socket, shown: None, broker: None };
        let image = self.wait_until_loaded(&mut worker, guard, &mut watch)?;
        if self.purpose == Purpose::Serve {
            self.check_filters(guard, &mut watch)?;
        }
        self.share_tree()?;
        let tables = Tables::read(&self.window, image, &self.spec.description)?;
        drop(watch);
        let Self { layout, window, mut channel, .. } = self;
        channel.set_worker(worker.id());
        let file = (self.purpose == Purpose::HandOff).then_some(file);
        Ok(Started { worker, window, layout, channel, tables, generation, file })
    }

    /// Maps the user's files where the worker has them, so that foreign addresses in them mean the
    /// same here.
    fn share_tree(&self) -> Result<()> {
        let (Some(tree), Purpose::Serve) = (&self.spec.tree, self.purpose) else {
            return Ok(());
        };
        let mut address = [0; 8];
        self.window.read(self.window.start() + WORLD_TREE, &mut address)?;
        let place = self.layout.returnable(usize::from_ne_bytes(address), tree.len);
        let place = place.ok_or(Error::Protocol("the domain's files are not in its memory"))?;
        self.channel.mapping().overlay(place, &tree.file)
    }

    /// When the worker reports that all is loaded, the filter for calls must be in place: the
    /// worker can have no other filters than those that the stub brought.
    fn check_filters<'a>(&'a self, guard: &Guard, watch: &mut Watch<'a>) -> Result<()> {
        let wanted = match guard {
            Guard::Landlock(_) => 2,
            Guard::Host => 3,
        };
        self.look(watch, &Timespec::default())?;
        match &watch.shown {
            Some(shown) if shown.filters()? >= wanted => Ok(()),
            _ => Err(Error::Protocol("all is loaded, but the system calls of loading are left")),
        }
    }

    fn spawn(&self, file: &OwnedFd, guard: &Guard, generation: u64) -> Result<(Worker, OwnedFd)> {
        let rules = match guard {
            Guard::Landlock(rules) => rules.as_fd(),
            Guard::Host => self.programs.linker.as_fd(), // holds the place, is not used
        };
        let (ours, theirs) = fd_passing::send(&[
            file.as_fd(),
            self.programs.loader.as_fd(),
            self.shims.as_fd(),
            self.programs.linker.as_fd(),
            rules,
            // Where there are no files this holds the place, and is not used.
            self.spec.tree.as_ref().map_or(self.programs.linker.as_fd(), |tree| tree.file.as_fd()),
        ])?;
        let keep_stderr = self.spec.options.allow.contains(Permission::Stderr);
        let spawned = spawner::spawn(generation, &self.programs.stub, theirs, keep_stderr)?;
        Ok((Worker::of(spawned, generation), ours))
    }

    /// Receives what the stub sends, if it arrives within that time; makes the broker of the
    /// worker's files, if the host opens them.
    fn look<'a>(&'a self, watch: &mut Watch<'a>, patience: &Timespec) -> Result<()> {
        if watch.shown.is_some() {
            return Ok(());
        }
        let Some(mut shown) = fd_passing::receive(&watch.socket, patience)? else {
            return Ok(());
        };
        watch.broker = shown.asks.take().map(|(memory, listener)| OpenBroker {
            library: self.spec.description.name,
            listener,
            memory,
            readable: self.spec.readable.clone(),
            loader: self.programs.loader.as_fd(),
            shims: self.shims.as_fd(),
        });
        watch.shown = Some(shown);
        Ok(())
    }

    /// The address of the image in the window, once it is known.
    fn wait_until_loaded<'a>(
        &'a self,
        worker: &mut Worker,
        guard: &Guard,
        watch: &mut Watch<'a>,
    ) -> Result<usize> {
        let limit = self.spec.options.start_timeout;
        let started = Instant::now();
        while !self.channel.is_answered() {
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(Error::Timeout { limit });
            }
            match (guard, &watch.broker) {
                (Guard::Landlock(_), _) => self.channel.sleep(left.min(LONGEST_SLEEP)),
                (Guard::Host, Some(broker)) => broker.serve(&BROKER_SLEEP),
                (Guard::Host, None) => self.look(watch, &BROKER_SLEEP)?,
            }
            if worker.has_ended() && !self.channel.is_answered() {
                // A socket that was closed with files in it is an error: it shows nothing.
                let _ = self.look(watch, &Timespec::default());
                let early = early_step(worker).filter(|_| watch.shown.is_none());
                return Err(early.unwrap_or_else(|| self.explain(worker)));
            }
        }
        match self.channel.message()? {
            Message::Ready { image } => Ok(image),
            Message::Ending(_) => Err(self.explain(worker)),
            _ => Err(Error::Protocol("a call's answer while loading")),
        }
    }

    fn explain(&self, worker: &mut Worker) -> Error {
        let said = self.channel.ending();
        let names = self.spec.names(self.spec.options.start_timeout);
        let error = explain_loading(said, worker.end(), &self.window, &self.layout, &names);
        learning::note(names.description.name, &self.window, Some(&error));
        if let Some(sink) = &self.spec.options.output {
            Listener::new(sink.clone()).hear(&self.window, true);
        }
        error
    }
}

/// What failed in the stub before it could write a report, and before it showed itself: its status is
/// the step. No code of the library's can have run.
fn early_step(worker: &mut Worker) -> Option<Error> {
    match worker.end() {
        End::Exited(status) => early_error(status),
        _ => None,
    }
}

#[cfg(test)]
#[path = "../../tests/support/mod.rs"]
mod support;

#[cfg(test)]
mod tests {
    use std::fs::File;

    use omniglot_core::{Description, FaultKind, Session, Text};

    use super::support::{Shim, call, compile, sample, sample_with};
    use super::*;
    use crate::enabled::instance::Process;

    /// Starts a worker as on a kernel without Landlock.
    fn start_without_landlock(description: &Description, options: &Options) -> Result<Process> {
        let spec = LoadSpec::new(description, options)?;
        Ok(Process::of(
            start_guarded(&spec, &Guard::Host, Purpose::Serve, Layout::new(&spec.options)?)?,
            spec,
        ))
    }

    /// The outcome of a start with this code in the dynamic linker's place.
    fn with_linker(code: &str) -> Error {
        let begin = format!("-DBEGIN={code}");
        let linker = compile("linker.c", &["-nostdlib", "-ffreestanding", "-Wl,-e,begin", &begin]);
        let linker = File::open(linker).expect("the linker").into();
        let known = images::programs().expect("the programs");
        let copy = |file: &OwnedFd| file.try_clone().expect("a descriptor");
        let programs = Programs { stub: copy(&known.stub), loader: copy(&known.loader), linker };
        let spec = LoadSpec::new(&sample(), &Options::default()).expect("a spec");
        let guard = Guard::of(&spec.options, &spec.readable).expect("a guard");
        let layout = Layout::new(&spec.options).expect("a layout");
        match start_programs(&spec, &guard, Purpose::Serve, layout, &programs) {
            Err(error) => error,
            Ok(started) => panic!("{code} loads nothing, but {started:?}"),
        }
    }

    #[test]
    fn system_calls_before_any_handler_of_the_loader_fail_or_are_named() {
        // What no filter knows fails with ENOSYS (38), links with EACCES (13).
        let status = |status| Error::Exited { status: Some(status) };
        assert_eq!(with_linker("leave(-call(0x7fff))"), status(38));
        assert_eq!(with_linker("leave(-call(462))"), status(38), "mseal");
        assert_eq!(with_linker("leave(-call(267))"), status(13), "readlinkat");
        // The dynamic linker's way to give up.
        let gives_up = with_linker("call(0x7fff), leave(127)");
        let denied = |name, number| Error::SyscallDenied { name, number, place: Text::default() };
        assert_eq!(gives_up, denied("unknown", 0x7fff));
        assert!(gives_up.to_string().contains("system call 32767"), "{gives_up}");
        let gives_up = with_linker("call(462), leave(127)");
        assert_eq!(gives_up, denied("mseal", 462));
        assert_eq!(with_linker("leave(127)"), status(127));
        let attacks = with_linker("call(41)");
        assert_eq!(attacks, denied("socket", 41));
        match with_linker("*(volatile int *)8 = 1") {
            Error::Fault(fault) => {
                assert_eq!((fault.kind, fault.address), (FaultKind::Access, 8));
            }
            other => panic!("a fault was expected, but {other:?}"),
        }
    }

    #[test]
    fn the_host_opens_libraries_where_landlock_is_missing() {
        let options = Options { libraries: vec!["libm.so.6".into()], ..Options::default() };
        let linux = start_without_landlock(&sample(), &options).expect("it loads");
        let mut linux = Session::new(linux);
        assert_eq!(call(&mut linux, Shim::Add, 1, 2), Ok(3));
        let denied = call(&mut linux, Shim::Execve, 0, 0);
        assert!(matches!(denied, Err(Error::SyscallDenied { name: "execve", .. })), "{denied:?}");
    }

    #[test]
    fn the_host_opens_nothing_but_libraries() {
        let host = format!("/proc/{}/mem", std::process::id());
        let paths = ["/etc/passwd", "/proc/self/maps", &host, "etc/passwd", "/lib/../etc/passwd"];
        for path in paths {
            // 77: refused; 78: opened.
            let code = format!("exit(open(\"{path}\",O_RDONLY)<0?77:78)");
            let description = sample_with(&[&format!("-DCONSTRUCTOR={code}")]);
            let ended = start_without_landlock(&description, &Options::default());
            assert_eq!(ended.err(), Some(Error::Exited { status: Some(77) }), "{path}");
        }
    }

    #[test]
    fn what_the_host_would_find_elsewhere_is_not_told() {
        // 13: EACCES, 2: ENOENT, 0: opened.
        for (path, errno) in [
            ("/not/there", 13),
            ("/etc/passwd", 13),
            ("/proc/self/fd/0", 13),
            ("/proc/self/fd/9999", 13),
            ("/lib/../not/there", 13),
            ("/lib/not-there.so", 2),
            ("/lib/./none/../not-there.so", 2),
            ("/etc/none/../ld.so.cache", 0),
        ] {
            let code = format!("exit(open(\"{path}\",O_RDONLY)<0?errno:0)");
            let description = sample_with(&[&format!("-DCONSTRUCTOR={code}")]);
            let ended = start_without_landlock(&description, &Options::default());
            assert_eq!(ended.err(), Some(Error::Exited { status: Some(errno) }), "{path}");
        }
    }

    #[test]
    fn no_link_tells_a_name_of_the_hosts() {
        let host = std::process::id();
        for link in ["exe", "cwd", "fd/0"] {
            for call in ["readlink(", "readlinkat(-100,"] {
                let code = format!(
                    "exit({call}\"/proc/{host}/{link}\",__builtin_alloca(64),64)<0?errno:0)"
                );
                let description = sample_with(&[&format!("-DCONSTRUCTOR={code}")]);
                let ended = start_without_landlock(&description, &Options::default());
                assert_eq!(ended.err(), Some(Error::Exited { status: Some(13) }), "{call} {link}");
            }
        }
    }

    #[test]
    fn the_host_opens_what_links_lead_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, path(name)).expect("a link");
        };
        link("/etc/passwd", "outside");
        link("/etc/ld.so.cache", "inside");
        link("inside", "twice");
        link("/dev/null", "device");
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status();
        assert!(made.is_ok_and(|made| made.success()));
        let options = Options {
            library_directories: vec![directory.path().to_owned()],
            ..Options::default()
        };
        // 77: refused; 78: opened.
        for (name, status) in
            [("outside", 77), ("inside", 78), ("twice", 78), ("device", 77), ("pipe", 77)]
        {
            let path = path(name).display().to_string();
            let code = format!("exit(open(\"{path}\",O_RDONLY)<0?77:78)");
            let description = sample_with(&[&format!("-DCONSTRUCTOR={code}")]);
            let ended = start_without_landlock(&description, &options);
            assert_eq!(ended.err(), Some(Error::Exited { status: Some(status) }), "{name}");
        }
    }

    /// More files than a worker may have, sent to ourselves and not received.
    fn files_on_their_way() -> Vec<(OwnedFd, OwnedFd)> {
        let file = File::open("/dev/null").expect("a file");
        let send = |_| fd_passing::send(&[file.as_fd(); fd_passing::FILES]).expect("sent");
        (0..40).map(send).collect()
    }

    #[test]
    fn files_on_their_way_elsewhere_keep_no_worker_from_starting() {
        let others = files_on_their_way();
        let linux = start_without_landlock(&sample(), &Options::default()).expect("it loads");
        let mut linux = Session::new(linux);
        assert_eq!(call(&mut linux, Shim::Add, 1, 2), Ok(3));
        drop(others);
    }

    #[test]
    fn a_missing_library_is_named_without_landlock() {
        let options = Options { libraries: vec!["libnot-there.so.9".into()], ..Options::default() };
        match start_without_landlock(&sample(), &options) {
            Err(Error::Load(text)) => assert!(text.as_str().contains("libnot-there.so.9")),
            other => panic!("an error of loading was expected, but {other:?}"),
        }
    }
}
