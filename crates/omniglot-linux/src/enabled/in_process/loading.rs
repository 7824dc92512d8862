//! From a worker that loaded a library to a domain in this process.

use std::ops::Range;
use std::sync::Arc;

use omniglot_core::{Error, Result, Window};
use zerocopy::FromBytes;

use super::memory::{Memory, Regions, Reservation};
use super::snapshot::Snapshot;
use crate::enabled::layout::{HAND_OFF, Layout};
use crate::enabled::load_spec::LoadSpec;
use crate::enabled::start::{Started, start_for_hand_off};
use crate::enabled::tables::Tables;
use crate::enabled::tree::Tree;

/// `struct hand_off` of `worker/control.h`. It is unchecked: foreign code chose the addresses, and
/// wrong ones harm only foreign code.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes)]
pub(super) struct HandOff {
    pub(super) stack: usize,
    pub(super) thread_pointer: usize,
    pub(super) call: usize,
    pub(super) cells: usize,
    pub(super) describe: usize,
    regions: u64,
    region_count: u64,
    /// Where the server in the domain answers system calls, and the end of the stack that it wants.
    pub(super) serve: usize,
    pub(super) serve_stack: usize,
    /// Where it looks for the host's files; 0 if there are none.
    tree: usize,
    /// The memory that it gives out.
    pool_start: usize,
    pool_end: usize,
}

const _: () = assert!(size_of::<HandOff>() == 96, "the layout that the worker writes");

impl HandOff {
    /// The memory that the server gives out, as an offset from the window's start: all of it foreign
    /// code may write. Empty if the worker reports another.
    pub(super) fn pool(&self, layout: &Layout, memory: &Memory) -> Range<usize> {
        let len = self.pool_end.saturating_sub(self.pool_start);
        let pool = layout.returnable(self.pool_start, len);
        pool.filter(|_| memory.check_writable(self.pool_start, len).is_ok()).unwrap_or(0..0)
    }

    /// Where the host's files are to be, as an offset from the window's start.
    fn place_of(&self, tree: &Tree, layout: &Layout) -> Result<Range<usize>> {
        let place = layout.returnable(self.tree, tree.len);
        place.ok_or(Error::Protocol("the domain's files are not in its memory"))
    }
}

/// A domain that is ready to run.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) memory: Memory,
    pub(super) layout: Layout,
    pub(super) tables: Tables,
    pub(super) hand_off: HandOff,
    /// The address of the host's files.
    pub(super) tree: Option<usize>,
    /// What its server noted while the library was loaded.
    pub(super) world: Vec<u8>,
}

/// Makes a confined worker load the library, ends the worker, and takes a copy of its memory that
/// the worker never had.
///
/// With a key, the code is scanned, and all of the memory gets the key.
pub(super) fn load(spec: &LoadSpec, generation: u64, key: Option<u32>) -> Result<Loaded> {
    let (layout, reservation) = Reservation::find(&spec.options, generation)?;
    let Started { mut worker, window, layout, channel, tables, file, .. } =
        start_for_hand_off(spec, layout)?;
    worker.end();
    if !worker.has_ended() {
        return Err(Error::Protocol("a worker that cannot be ended"));
    }
    let hand_off = read(&window)?;
    let world = layout.world(&window)?;
    let own_end = layout.base + layout.exchange_end;
    let regions = Regions::read(&window, own_end, hand_off.regions, hand_off.region_count)?;
    let file = file.ok_or(Error::Protocol("a worker without memory"))?;
    let snapshot = Snapshot::of(Arc::clone(channel.mapping()), file, layout.exchange_end);
    let tree = spec.tree.as_ref();
    let place = tree.map(|tree| hand_off.place_of(tree, &layout)).transpose()?;
    let address = place.as_ref().map(|place| layout.base + place.start);
    let tree = tree.zip(place);
    let memory = Memory::copy(reservation, &layout, snapshot, &regions, tree, key)?;
    Ok(Loaded { memory, layout, tables, hand_off, tree: address, world })
}

fn read(window: &Window) -> Result<HandOff> {
    let mut bytes = [0; size_of::<HandOff>()];
    window.read(window.start() + HAND_OFF, &mut bytes)?;
    let hand_off = HandOff::read_from_bytes(&bytes)
        .map_err(|_| Error::Protocol("a hand-off of another size"))?;
    // The FS base must be an address that the processor can load: below 2^47.
    window.check(hand_off.thread_pointer, 8)?;
    window.check(hand_off.call, 1)?;
    window.check(hand_off.stack, 0)?;
    window.check(hand_off.serve, 1)?;
    window.check(hand_off.serve_stack, 0)?;
    Ok(hand_off)
}
