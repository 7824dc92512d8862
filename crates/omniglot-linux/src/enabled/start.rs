//! Starting a worker and waiting until its library is loaded.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use omniglot_core::{Description, Error, Result, Window};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use rustix::thread::sched_getaffinity;

use super::channel::{Channel, Message};
use super::files;
use super::filters::filters;
use super::generation;
use super::images;
use super::layout::{Layout, Orders};
use super::libraries::Libraries;
use super::mapping::Mapping;
use super::report::explain;
use super::spawner;
use super::system::refused;
use super::tables::Tables;
use super::worker::Worker;
use crate::{Options, Permission};

/// How often to look for an answer before sleeping, where there are two processors.
const SPINS: u32 = 2000;

/// How long the host sleeps at least and at most before it looks at the worker.
pub(super) const SHORTEST_SLEEP: Duration = Duration::from_micros(50);
pub(super) const LONGEST_SLEEP: Duration = Duration::from_millis(10);

/// A worker in which a library is loaded; the worker goes first when it is dropped.
pub(super) struct Started {
    pub(super) worker: Worker,
    pub(super) window: Window,
    pub(super) layout: Layout,
    pub(super) channel: Channel,
    pub(super) tables: Tables,
    pub(super) generation: u64,
}

/// Starts a worker and loads the library in it.
pub(super) fn start(description: &Description, options: &Options) -> Result<Started> {
    if description.image.is_empty() {
        return Err(Error::Unsupported {
            what: "the bindings have no C shims for this target",
            remedy: "generate them with omniglot-build for x86_64-unknown-linux-gnu",
        });
    }
    let libraries = Libraries::check(options)?;
    let layout = Layout::new(options)?;
    let generation = generation::current()?;
    let spins = spins();
    let (mapping, file) = Mapping::create(layout.size)?;
    let mut window = mapping.window(layout.base);
    write_orders(&layout, &mut window, options, &libraries, spins)?;
    let mut channel = Channel::new(Arc::new(mapping), spins);
    let rules = files::rules(&options.library_directories, &libraries.files)?;
    let mut worker = spawn(description, &file, &rules, generation, options)?;
    let image =
        wait_until_loaded(&mut channel, &mut worker, &window, &layout, description, options)?;
    let tables = Tables::read(&window, image, description)?;
    Ok(Started { window, layout, channel, worker, tables, generation })
}

/// Spinning helps only if the other side can run at the same time.
fn spins() -> u32 {
    match sched_getaffinity(None) {
        Ok(processors) if processors.count() <= 1 => 0,
        _ => SPINS,
    }
}

fn write_orders(
    layout: &Layout,
    window: &mut Window,
    options: &Options,
    libraries: &Libraries,
    spins: u32,
) -> Result<()> {
    let filters = filters(options.allow)?;
    layout.write(
        window,
        &Orders {
            keep_stderr: options.allow.contains(Permission::Stderr),
            spins,
            libraries: &libraries.names,
            search_path: libraries.search_path.clone(),
            load_filter: &filters.load,
            serve_filter: &filters.serve,
        },
    )
}

fn spawn(
    description: &Description,
    window: &OwnedFd,
    rules: &OwnedFd,
    generation: u64,
    options: &Options,
) -> Result<Worker> {
    let programs = images::programs()?;
    let shims = images::shims(description.image)?;
    let files = [
        window.as_fd(),
        programs.loader.as_fd(),
        shims.as_fd(),
        programs.linker.as_fd(),
        rules.as_fd(),
    ];
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(refused("a socket for the worker's files"))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(5))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    message.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(&ours, &[IoSlice::new(&[0])], &mut message, SendFlags::NOSIGNAL)
        .map_err(refused("sending files to the worker"))?;
    let keep_stderr = options.allow.contains(Permission::Stderr);
    spawner::spawn(generation, &programs.stub, theirs, keep_stderr)
        .map(|spawned| Worker::of(spawned, generation))
}

fn wait_until_loaded(
    channel: &mut Channel,
    worker: &mut Worker,
    window: &Window,
    layout: &Layout,
    description: &Description,
    options: &Options,
) -> Result<usize> {
    let started = Instant::now();
    while !channel.is_answered() {
        let left = options.start_timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(Error::Timeout { limit: options.start_timeout });
        }
        channel.sleep(left.min(LONGEST_SLEEP));
        if !channel.is_answered() && worker.has_ended() {
            break;
        }
    }
    if !channel.is_answered() {
        return Err(explain(channel.ending(), worker.end(), window, layout, description));
    }
    match channel.message()? {
        Message::Ready { image } => Ok(image),
        Message::Ending(ending) => {
            Err(explain(Some(ending), worker.end(), window, layout, description))
        }
        _ => Err(Error::Protocol("a call's answer while loading")),
    }
}
