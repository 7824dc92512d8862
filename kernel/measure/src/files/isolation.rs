//! littlefs behind its protection, without any checks of values.
#![allow(unsafe_code)]

use omniglot::{Error, Result, Runtime as _, Signature};
use omniglot_kernel::foreign::littlefs::{
    Littlefs as Library, lfs_config_erase_fn, lfs_config_prog_fn, lfs_config_read_fn,
    lfs_config_sync_fn,
};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::ForeignRegion;

use super::{Device, Function, LENGTH, Littlefs, run, some, status};
use crate::count::count;
use crate::isolation::{ARGUMENTS, Calls};

const NAMES: [(Function, &str); 7] = [
    (Function::Format, "lfs_format"),
    (Function::Mount, "lfs_mount"),
    (Function::Unmount, "lfs_unmount"),
    (Function::Open, "lfs_file_opencfg"),
    (Function::Close, "lfs_file_close"),
    (Function::Write, "lfs_file_write"),
    (Function::Read, "lfs_file_read"),
];

/// Measures the workload, and returns the memory.
#[inline(never)]
pub(crate) fn measure(
    hart: Hart,
    region: ForeignRegion,
    bytes: &[u8; LENGTH],
) -> Result<(u64, ForeignRegion)> {
    let calls = Calls::start::<Library<omniglot_kernel::domain::Runtime>>(hart, region)?;
    let mut calls = calls.in_time();
    let mut entries = [0; NAMES.len()];
    for (entry, (_, name)) in entries.iter_mut().zip(NAMES) {
        *entry = calls.function(name)?;
    }
    let mut isolated = Isolated { calls: &mut calls, entries, device: Device::new() };
    let counted = count(|| match run(&mut isolated, bytes)? {
        true => Ok(()),
        false => Err(Error::Misuse("the file is whole")),
    })?;
    Ok((counted, calls.runtime.into_runtime().into_region()))
}

struct Isolated<'a> {
    calls: &'a mut Calls,
    /// The entries of the shims, in the order of [`NAMES`].
    entries: [usize; NAMES.len()],
    device: Device,
}

impl Littlefs for Isolated<'_> {
    type Error = Error;

    fn base(&self) -> usize {
        self.calls.data(0)
    }

    fn device(&self) -> [usize; 4] {
        let slots = [
            lfs_config_read_fn::FIRST_SLOT,
            lfs_config_prog_fn::FIRST_SLOT,
            lfs_config_erase_fn::FIRST_SLOT,
            lfs_config_sync_fn::FIRST_SLOT,
        ];
        slots.map(|slot| self.calls.runtime.trampoline(slot).unwrap_or(0))
    }

    fn write(&mut self, address: usize, bytes: &[u8]) -> Result<()> {
        self.calls.write(address, bytes)
    }

    fn read(&self, address: usize, bytes: &mut [u8]) -> Result<()> {
        self.calls.runtime.window().read(address, bytes)
    }

    fn call(&mut self, function: Function, arguments: &[usize]) -> Result<i32> {
        let entry = self.entries.get(function as usize).copied().unwrap_or(0);
        let device = &mut self.device;
        let answer = |calls: &mut Calls, slot, frame| answer(calls, device, slot, frame);
        self.calls.call_and_answer(entry, arguments, answer).map(|answer| answer as i32)
    }
}

/// Answers a callback. The arguments are words after the header of its frame, and the result
/// follows them.
fn answer(calls: &mut Calls, device: &mut Device, slot: u32, frame: usize) -> Result<()> {
    const LARGEST: usize = 4 * (ARGUMENTS + 6);
    calls.runtime.window().check(frame, LARGEST)?;
    // SAFETY: checked above, with the result; trampolines align their frames.
    let argument = |index: usize| unsafe { calls.get_word(frame + 4 * (ARGUMENTS + index)) };
    let (block, offset) = (argument(1) as u32, argument(2));
    let (place, len) = (argument(3), argument(4));
    let device = some(device);
    let (answer, count) = match slot {
        lfs_config_read_fn::FIRST_SLOT => (device.read(block, offset, calls.bytes(place, len)?), 5),
        lfs_config_prog_fn::FIRST_SLOT => {
            (device.program(block, offset, calls.bytes(place, len)?), 5)
        }
        lfs_config_erase_fn::FIRST_SLOT => (device.erase(block), 2),
        _ => (device.sync(), 1),
    };
    // SAFETY: as above.
    unsafe { calls.put_word(frame + 4 * (ARGUMENTS + count), status(answer) as usize) };
    Ok(())
}
