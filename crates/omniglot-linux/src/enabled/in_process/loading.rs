//! From a worker that loaded a library to a domain in this process.

use std::sync::Arc;

use omniglot_core::{Error, Result, Window};
use zerocopy::FromBytes;

use super::memory::{Memory, Regions, Reservation};
use super::snapshot::Snapshot;
use crate::enabled::layout::{HAND_OFF, Layout};
use crate::enabled::load_spec::LoadSpec;
use crate::enabled::start::{Started, start_for_hand_off};
use crate::enabled::tables::Tables;

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
}

const _: () = assert!(size_of::<HandOff>() == 56, "the layout that the worker writes");

/// A domain that is ready to run.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) memory: Memory,
    pub(super) layout: Layout,
    pub(super) tables: Tables,
    pub(super) hand_off: HandOff,
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
    let own_end = layout.base + layout.exchange_end;
    let regions = Regions::read(&window, own_end, hand_off.regions, hand_off.region_count)?;
    let file = file.ok_or(Error::Protocol("a worker without memory"))?;
    let snapshot = Snapshot::of(Arc::clone(channel.mapping()), file, layout.exchange_end);
    let memory = Memory::copy(reservation, &layout, snapshot, &regions, key)?;
    Ok(Loaded { memory, layout, tables, hand_off })
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
    Ok(hand_off)
}
