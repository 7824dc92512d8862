//! Where everything lies in a window, and what the host writes there for the worker.
//!
//! The worker's half of this is `worker/control.h`.

use std::ops::Range;

use omniglot_core::{Error, Result, Text, Window};
use rustix::process::{Resource, getrlimit};
use rustix::rand::{GetRandomFlags, getrandom};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::machine;
use super::spinning::Spins;
use super::system::refused;
use crate::options::{Options, Permission};

/// A page of x86-64, and the smallest of any architecture. What matters is [`page_size`].
pub(super) const PAGE: usize = 4096;
/// The control area's size.
pub(super) const CONTROL_SIZE: usize = 0x10000;
pub(super) const REPORT: usize = 0x400;
pub(super) const HAND_OFF: usize = 0x700;
/// Space for the registers of a thread that a signal interrupted, for a host that runs the library
/// itself.
pub(super) const SCRATCH: usize = 0x900;
/// Space for the registers that foreign code behind a protection key starts with.
pub(super) const NEXT: usize = 0xa00;
pub(super) const SLEEPERS: usize = 0x800;
pub(super) const CHANNEL: usize = CONTROL_SIZE;
/// The first frame begins in the channel's own cache line, behind the part that the channel uses: a
/// small call then moves one line between the two processes, not two.
const EXCHANGE: usize = CHANNEL + 48;
/// `struct world` of `worker/control.h`, and in it the time and the seed.
pub(super) const WORLD: usize = 0x1000;
pub(super) const WORLD_TIME: usize = WORLD;
pub(super) const WORLD_TREE: usize = WORLD + 8;
pub(super) const WORLD_SAID: usize = WORLD + 16;
const WORLD_STRICT: usize = WORLD + 24;
const WORLD_SEED: usize = WORLD + 32;
const WORLD_FRESH: usize = WORLD + 64;
const WORLD_ASKS_HOST: usize = WORLD + 72;
const WORLD_START: usize = WORLD + 80;
pub(super) const WORLD_REQUESTS: usize = WORLD + 0x100;
pub(super) const WORLD_OUTPUT: usize = WORLD + 0x1d00;
const WORLD_SIZE: usize = 0x3d00;
/// `struct code_places` of `worker/control.h`.
pub(super) const PLACES: usize = 0x4d00;
/// Where strings and filters start in the control area.
const FREE: usize = 0x5000;
const GUARD: usize = 64 * PAGE;

const SMALLEST_WINDOW: usize = 32 << 20;
const LARGEST_WINDOW: usize = 1 << 44;
/// `THREAD_AREA` of `worker/control.h`, and how many there may be.
const THREAD_AREA: usize = 0x20000;
const MOST_THREADS: usize = 64;
const SMALLEST_STACK: usize = 1 << 20;

const ALIGNMENT: usize = 2 << 20;

/// A BPF program in the control area: `struct program`.
#[repr(C)]
#[derive(Clone, Copy, IntoBytes, Immutable)]
pub(super) struct Program {
    offset: u32,
    count: u32,
}

/// `struct config`.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct Config {
    base: u64,
    size: u64,
    exchange_end: u64,
    stack_start: u64,
    stack_end: u64,
    host: u32,
    keep_stderr: u32,
    most_spins: u32,
    library_count: u32,
    libraries: u32,
    search_path: u32,
    load_filter: Program,
    serve_filter: Program,
    ask_filter: Program,
    hands_off: u32,
    keep_clock: u32,
    tree_size: u64,
    environment: u32,
    variable_count: u32,
    threads_end: u64,
    thread_count: u32,
    plugins: u32,
    plugin_count: u32,
    is_executable: u32,
    scratch: u64,
    page_size: u64,
    least_spins: u32,
    unused: u32,
}

const _: () = assert!(size_of::<Config>() == 160, "the layout that the worker reads");

/// Where the parts of one window lie, as offsets from its start in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) base: usize,
    pub(super) size: usize,
    pub(super) exchange_end: usize,
    stack_start: usize,
    stack_end: usize,
    /// Behind the stack lie the areas of foreign code's other threads.
    threads_end: usize,
}

/// What the worker must know besides the layout.
pub(super) struct Orders<'a> {
    pub(super) keep_clock: bool,
    pub(super) keep_stderr: bool,
    pub(super) spins: Spins,
    pub(super) libraries: &'a [Vec<u8>],
    pub(super) search_path: Option<Vec<u8>>,
    pub(super) load_filter: &'a [u8],
    pub(super) serve_filter: &'a [u8],
    /// Empty where Landlock confines what can be opened.
    pub(super) ask_filter: &'a [u8],
    /// Whether the worker only loads, for a host that runs the library itself.
    pub(super) hands_off: bool,
    /// The time, as nanoseconds since 1970.
    pub(super) time: u64,
    /// The seed of the domain's random numbers; unless set, from the kernel.
    pub(super) seed: Option<[u8; 32]>,
    /// Whether a request for what does not exist ends the call.
    pub(super) strict: bool,
    /// The size of the files that the host gives; 0 if there are none.
    pub(super) tree_size: usize,
    /// `NAME=value`, without NUL.
    pub(super) environment: &'a [Vec<u8>],
    /// Libraries to load if they can be loaded.
    pub(super) plugins: &'a [Vec<u8>],
    /// How many bytes the library may have in a `/tmp` of its own.
    pub(super) scratch: usize,
    /// Whether the library may have memory that is code.
    pub(super) is_executable: bool,
}

/// What a life begins with, beside memory as loading left it.
pub(super) struct Life<'a> {
    pub(super) options: &'a Options,
    /// `NAME=value`, without NUL: where [`Layout::write`] put the same.
    pub(super) environment: &'a [Vec<u8>],
    /// What was asked for and written while the library was loaded: [`Layout::world`].
    pub(super) world: &'a [u8],
    /// The address of the host's files.
    pub(super) tree: Option<usize>,
}

impl Layout {
    /// Lays out a window, at a random address.
    pub(super) fn new(options: &Options) -> Result<Self> {
        check_limits()?;
        let size = options.memory_limit.checked_next_multiple_of(page_size()).unwrap_or(usize::MAX);
        let stack = options.stack_size.checked_next_multiple_of(page_size()).unwrap_or(usize::MAX);
        if !(SMALLEST_WINDOW..=LARGEST_WINDOW).contains(&size) {
            return Err(Error::Load(Text::new("memory_limit must be from 32 MiB to 16 TiB")));
        }
        if stack < SMALLEST_STACK || stack > size / 4 {
            return Err(Error::Load(Text::new(
                "stack_size must be from 1 MiB to a quarter of memory_limit",
            )));
        }
        let threads = usize::from(options.allow.threads());
        if threads > MOST_THREADS || threads * THREAD_AREA > size / 8 {
            return Err(Error::Load(Text::new(
                "Permission::Threads permits at most 64 threads, and one for each MiB of memory_limit",
            )));
        }
        let exchange_end = (size / 4).next_multiple_of(page_size());
        let stack_start = exchange_end + GUARD;
        let stack_end = stack_start + stack;
        Ok(Self {
            base: random_base(size)?,
            size,
            exchange_end,
            stack_start,
            stack_end,
            threads_end: stack_end + threads * THREAD_AREA,
        })
    }

    /// The host-managed part: foreign address and length.
    pub(super) const fn exchange(&self) -> (usize, usize) {
        (self.base + EXCHANGE, self.exchange_end - EXCHANGE)
    }

    /// The addresses at which foreign code may map memory while it is loaded: all that
    /// follows the host's part and the stacks.
    pub(super) const fn loadable(&self) -> Range<u64> {
        (self.base + self.threads_end) as u64..(self.base + self.size) as u64
    }

    /// Where memory lies that foreign code may give back, as an offset from the window's start, if
    /// all of it is what follows the host's part and the stacks.
    pub(super) fn returnable(&self, address: usize, len: usize) -> Option<Range<usize>> {
        let start = address.checked_sub(self.base)?;
        let end = start.checked_add(len)?;
        let whole = start.is_multiple_of(page_size()) && len.is_multiple_of(page_size()) && len > 0;
        (whole && start >= self.threads_end && end <= self.size).then_some(start..end)
    }

    /// Whether a fault at `address` with that stack pointer is a stack that ran over.
    pub(super) fn is_stack_overflow(&self, address: usize, stack_pointer: usize) -> bool {
        let guard = self.base + self.exchange_end..self.base + self.stack_start;
        let near = guard.start..self.base + self.stack_start + GUARD;
        guard.contains(&address) && near.contains(&stack_pointer)
    }

    /// Writes all that the worker must know.
    pub(super) fn write(&self, window: &mut Window, orders: &Orders<'_>) -> Result<()> {
        let mut area = Area { window: &mut *window, base: self.base, next: FREE };
        // First of all, so that `begin_life` finds its place.
        let environment = area.strings(orders.environment)?;
        let load_filter = area.program(orders.load_filter)?;
        let serve_filter = area.program(orders.serve_filter)?;
        let ask_filter = area.program(orders.ask_filter)?;
        let libraries = area.strings(orders.libraries)?;
        let plugins = area.strings(orders.plugins)?;
        let search_path = match &orders.search_path {
            Some(path) => area.strings(std::slice::from_ref(path))?,
            None => 0,
        };
        let config = Config {
            base: self.base as u64,
            size: self.size as u64,
            exchange_end: self.exchange_end as u64,
            stack_start: self.stack_start as u64,
            stack_end: self.stack_end as u64,
            host: std::process::id(),
            keep_stderr: u32::from(orders.keep_stderr),
            most_spins: orders.spins.most,
            library_count: orders.libraries.len() as u32,
            libraries,
            search_path,
            load_filter,
            serve_filter,
            ask_filter,
            hands_off: u32::from(orders.hands_off),
            keep_clock: u32::from(orders.keep_clock),
            tree_size: orders.tree_size as u64,
            environment,
            variable_count: orders.environment.len() as u32,
            threads_end: self.threads_end as u64,
            thread_count: ((self.threads_end - self.stack_end) / THREAD_AREA) as u32,
            plugins,
            plugin_count: orders.plugins.len() as u32,
            is_executable: u32::from(orders.is_executable),
            scratch: orders.scratch as u64,
            page_size: page_size() as u64,
            least_spins: orders.spins.least,
            unused: 0,
        };
        window.write(self.base + WORLD_TIME, &orders.time.to_ne_bytes())?;
        sow(window, self.base, orders.seed)?;
        window.write(self.base + WORLD_STRICT, &u64::from(orders.strict).to_ne_bytes())?;
        window.write(self.base, config.as_bytes())
    }

    /// What the server in the domain keeps for the host: `struct world` of `worker/control.h`.
    pub(super) fn world(&self, window: &Window) -> Result<Vec<u8>> {
        let mut world = vec![0; WORLD_SIZE];
        window.read(self.base + WORLD, &mut world)?;
        Ok(world)
    }

    /// Writes what the domain must know where the host runs the library itself. There each life begins
    /// with the memory as loading left it but for the control area, which is zero.
    ///
    /// A seed that the user set was used while the library was loaded: the numbers go on from there.
    pub(super) fn begin_life(&self, window: &mut Window, life: &Life<'_>) -> Result<()> {
        Area { window: &mut *window, base: self.base, next: FREE }.strings(life.environment)?;
        window.write(self.base + WORLD, life.world)?;
        window.write(self.base + WORLD_TREE, &(life.tree.unwrap_or(0) as u64).to_ne_bytes())?;
        window.write(self.base + WORLD_STRICT, &u64::from(life.options.strict).to_ne_bytes())?;
        if life.options.seed.is_some() { Ok(()) } else { sow(window, self.base, None) }
    }
}

/// Writes a seed for the domain's random numbers; unless it is set, from the kernel. The control area
/// is at `base`.
fn sow(window: &mut Window, base: usize, seed: Option<[u8; 32]>) -> Result<()> {
    let seed = seed.map_or_else(random::<32>, Ok)?;
    window.write(base + WORLD_SEED, &seed)?;
    window.write(base + WORLD_FRESH, &1_u64.to_ne_bytes())
}

/// What the server of an image in a region must know. Addresses are offsets in the region.
pub(super) struct InRegion<'a> {
    pub(super) window: Range<usize>,
    pub(super) stack: Range<usize>,
    pub(super) heap: Range<usize>,
    pub(super) tree: Range<usize>,
    /// What is mapped, and whether it can be written.
    pub(super) accessible: &'a [(Range<usize>, bool)],
    pub(super) options: &'a Options,
    pub(super) environment: &'a [Vec<u8>],
    pub(super) time: u64,
}

/// `struct region` of `worker/control.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes)]
pub(super) struct RegionRecord {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) protection: i32,
    pub(super) shared: i32,
    pub(super) from_file: i32,
    pub(super) unused: i32,
}

const _: () =
    assert!(size_of::<RegionRecord>() == 32, "the layout that the worker writes and reads");

/// `struct hand_off` of `worker/control.h`, as far as a server in a region reads it.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct ServerHandOff {
    unused: [u64; 5],
    regions: u64,
    region_count: u64,
    more: [u64; 3],
    pool_start: u64,
    pool_end: u64,
}

const _: () = assert!(size_of::<ServerHandOff>() == 96, "the layout that the server reads");

impl InRegion<'_> {
    /// Writes what a life begins with to the control area, whose own window this is, and which is
    /// zero.
    pub(super) fn write(&self, control: &mut Window) -> Result<()> {
        const READ: i32 = 1;
        const WRITE: i32 = 2;
        let base = control.start();
        let mut area = Area { window: &mut *control, base, next: FREE };
        let environment = area.strings(self.environment)?;
        let mapped = self.accessible.iter().map(|(range, is_writable)| RegionRecord {
            start: range.start as u64,
            end: range.end as u64,
            protection: if *is_writable { READ | WRITE } else { READ },
            shared: 0,
            from_file: 0,
            unused: 0,
        });
        let mapped: Vec<RegionRecord> = mapped.collect();
        let regions = area.add(mapped.as_bytes())?;
        let hand_off = ServerHandOff {
            unused: [0; 5],
            regions: base as u64 + u64::from(regions),
            region_count: mapped.len() as u64,
            more: [0; 3],
            pool_start: self.heap.start as u64,
            pool_end: self.heap.end as u64,
        };
        control.write(base + HAND_OFF, hand_off.as_bytes())?;
        let tree = if self.tree.is_empty() { 0 } else { self.tree.start as u64 };
        control.write(base + WORLD_TREE, &tree.to_ne_bytes())?;
        control.write(base + WORLD_TIME, &self.time.to_ne_bytes())?;
        let asks = makes_calls(self.options);
        control.write(base + WORLD_ASKS_HOST, &u64::from(asks).to_ne_bytes())?;
        sow(control, base, self.options.seed)?;
        if self.options.seed.is_none() {
            control.write(base + WORLD_START, &random::<16>()?)?;
        }
        control.write(base, self.config(environment).as_bytes())
    }

    fn config(&self, environment: u32) -> Config {
        let none = Program { offset: 0, count: 0 };
        Config {
            base: self.window.start as u64,
            size: self.window.len() as u64,
            exchange_end: 0,
            stack_start: self.stack.start as u64,
            stack_end: self.stack.end as u64,
            host: std::process::id(),
            keep_stderr: 0,
            most_spins: 0,
            library_count: 0,
            libraries: 0,
            search_path: 0,
            load_filter: none,
            serve_filter: none,
            ask_filter: none,
            hands_off: 1,
            keep_clock: 0,
            tree_size: self.tree.len() as u64,
            environment,
            variable_count: self.environment.len() as u32,
            threads_end: self.stack.end as u64,
            thread_count: 0,
            plugins: 0,
            plugin_count: 0,
            is_executable: 0,
            scratch: self.options.tmp as u64,
            page_size: PAGE as u64,
            least_spins: 0,
            unused: 0,
        }
    }
}

/// Whether the host makes some calls for the library.
fn makes_calls(options: &Options) -> bool {
    let made = [Permission::Clock, Permission::Random, Permission::Stderr];
    made.into_iter().any(|permission| options.allow.contains(permission))
}

/// Has requests for what does not exist end calls from now on, if the user wants that. The window is
/// the control area's own.
pub(super) fn set_strict(control: &mut Window, is_strict: bool) -> Result<()> {
    control.write(control.start() + WORLD_STRICT, &u64::from(is_strict).to_ne_bytes())
}

/// The worker reserves all address space, which such limits count; and a process that writes to a
/// file in memory beyond the limit on file sizes gets a signal.
pub(super) fn check_limits() -> Result<()> {
    if getrlimit(Resource::As).current.is_some() {
        return Err(Error::Unsupported {
            what: "the address space is limited (RLIMIT_AS, ulimit -v)",
            remedy: "lift that limit; memory_limit bounds what foreign code can have",
        });
    }
    if getrlimit(Resource::Fsize).current.is_some() {
        return Err(Error::Unsupported {
            what: "the size of files is limited (RLIMIT_FSIZE, ulimit -f)",
            remedy: "lift that limit; the domain's memory is a file in memory",
        });
    }
    Ok(())
}

/// The size of a page, which the kernel decides where the architecture knows several.
pub(super) fn page_size() -> usize {
    rustix::param::page_size()
}

fn random<const LEN: usize>() -> Result<[u8; LEN]> {
    let mut bytes = [0; LEN];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(refused("random bytes"))?;
    Ok(bytes)
}

fn random_base(size: usize) -> Result<usize> {
    let bytes = random::<8>()?;
    let range = places();
    let places = range.len().saturating_sub(size) / ALIGNMENT;
    let place = usize::from_ne_bytes(bytes).checked_rem(places).ok_or(Error::Load(Text::new(
        "memory_limit is larger than what this machine's addresses have room for",
    )))?;
    Ok(range.start + place * ALIGNMENT)
}

/// Where windows may lie: far from what the kernel maps in a process. That is the stack and most
/// mappings near the end, programs at fixed addresses near the start, other programs with their heap
/// from two thirds of the address space upwards (`ELF_ET_DYN_BASE`), and mappings from a third
/// upwards if the stack's size is unlimited.
///
/// The worker's own mappings must not be in the way. The host's are elsewhere as well, so that an
/// address of the host that a library guesses, or was told, is no address of the domain.
fn places() -> Range<usize> {
    let eighth = machine::address_space() / 8;
    3 * eighth..5 * eighth
}

/// The free part of the control area.
struct Area<'a> {
    window: &'a mut Window,
    base: usize,
    next: usize,
}

impl Area<'_> {
    /// Adds bytes, 8-aligned, and returns their offset.
    fn add(&mut self, bytes: &[u8]) -> Result<u32> {
        let offset = self.next;
        let end = offset + bytes.len();
        if end > CONTROL_SIZE {
            return Err(Error::Load(Text::new(
                "the paths of libraries and plugins and the environment are too long together: 30 \
                 KiB at most",
            )));
        }
        self.window.write(self.base + offset, bytes)?;
        self.next = end.next_multiple_of(8);
        Ok(offset as u32)
    }

    fn program(&mut self, bytes: &[u8]) -> Result<Program> {
        Ok(Program { offset: self.add(bytes)?, count: (bytes.len() / 8) as u32 })
    }

    /// Adds strings that contain no NUL, each terminated by one.
    fn strings(&mut self, strings: &[Vec<u8>]) -> Result<u32> {
        let mut joined = Vec::new();
        for string in strings {
            joined.extend_from_slice(string);
            joined.push(0);
        }
        self.add(&joined)
    }
}

#[cfg(test)]
mod tests {
    use super::places;

    static IN_STATIC_DATA: u8 = 1;

    /// A library that returned one of these addresses would otherwise, once in thousands of starts,
    /// name memory of its own.
    #[test]
    fn no_window_lies_where_the_host_has_its_memory() {
        let on_stack = 1_u8;
        let small = Box::new(1_u8);
        let large = vec![1_u8; 64 << 20];
        let code = no_window_lies_where_the_host_has_its_memory as *const ();
        let addresses = [
            (&raw const IN_STATIC_DATA).addr(),
            (&raw const on_stack).addr(),
            (&raw const *small).addr(),
            large.as_ptr().addr(),
            code.addr(),
        ];
        for address in addresses {
            assert!(!places().contains(&address), "{address:#x} in {:#x?}", places());
        }
    }
}
