//! Tests littlefs on a device in the kernel's memory.

use omniglot_kernel::Kernel;
use omniglot_kernel::domain::Failure;
use omniglot_kernel::services::blocks::{BlockDevice, RamDisk};
use omniglot_kernel::services::files::{CORRUPT, Files, NO_ENTRY};
use static_cell::ConstStaticCell;

use crate::faulty::Failing;
use crate::report::{Outcome, Report, because, check, equal, unexpected};

/// Number of blocks of the device.
const BLOCKS: usize = 64;
static DISK: ConstStaticCell<RamDisk<BLOCKS>> = ConstStaticCell::new(RamDisk::new());

type Device<'a> = &'a mut dyn BlockDevice;
type Test = (&'static str, fn(&mut Files, Device<'_>) -> Outcome);

const TESTS: &[Test] = &[
    ("littlefs::an_erased_device_has_no_file_system", erased),
    ("littlefs::files_hold_what_was_written", written),
    ("littlefs::a_file_is_replaced", replaced),
    ("littlefs::directories_list_their_files", listed),
    ("littlefs::a_missing_file_is_refused", missing),
    ("littlefs::a_full_device_is_refused_and_goes_on", full),
    ("littlefs::a_crash_loses_nothing_that_was_written", crash),
    ("littlefs::after_a_loss_of_power_a_file_is_old_or_new", power),
];

pub(crate) fn run(kernel: &mut Kernel, report: &mut Report) {
    let Some(device) = DISK.try_take() else { return };
    for (name, test) in TESTS {
        let outcome = test(&mut kernel.services.files, device);
        report.result(&mut kernel.uart, format_args!("{name}"), outcome);
    }
}

/// Checks that a file holds `len` bytes of a pattern.
fn holds(files: &mut Files, device: Device<'_>, name: &str, seed: u8, len: usize) -> Outcome {
    let (mut found, mut good) = (0, true);
    let read = files.read(device, name, |bytes| {
        good &= bytes.iter().zip(found..).all(|(byte, position)| *byte == pattern(seed, position));
        found += bytes.len();
    });
    read.map_err(unexpected)?;
    equal(&found, &len)?;
    check(good, format_args!("{name} holds something else"))
}

fn pattern(seed: u8, position: usize) -> u8 {
    seed.wrapping_add(position as u8).wrapping_add((position >> 8) as u8)
}

/// Returns bytes of a pattern.
fn bytes<const N: usize>(seed: u8) -> [u8; N] {
    let mut bytes = [0; N];
    for (position, byte) in bytes.iter_mut().enumerate() {
        *byte = pattern(seed, position);
    }
    bytes
}

fn erased(files: &mut Files, device: Device<'_>) -> Outcome {
    for block in 0..device.blocks() {
        device.erase(block).map_err(|_| because(format_args!("it cannot be erased")))?;
    }
    equal(&files.read(device, "a", |_| {}), &Err(Failure::Refused(CORRUPT)))
}

fn written(files: &mut Files, device: Device<'_>) -> Outcome {
    files.format(device).map_err(unexpected)?;
    files.write(device, "empty", &[]).map_err(unexpected)?;
    files.write(device, "small", &bytes::<10>(1)).map_err(unexpected)?;
    files.write(device, "large", &bytes::<50_000>(2)).map_err(unexpected)?;
    holds(files, device, "empty", 0, 0)?;
    holds(files, device, "small", 1, 10)?;
    holds(files, device, "large", 2, 50_000)
}

fn replaced(files: &mut Files, device: Device<'_>) -> Outcome {
    files.write(device, "large", &bytes::<20_000>(3)).map_err(unexpected)?;
    holds(files, device, "large", 3, 20_000)?;
    holds(files, device, "small", 1, 10)
}

fn listed(files: &mut Files, device: Device<'_>) -> Outcome {
    files.make_directory(device, "more").map_err(unexpected)?;
    files.write(device, "more/one", &bytes::<5>(4)).map_err(unexpected)?;
    let (mut names, mut directories) = (0, 0);
    let mut size = None;
    let list = files.list(device, "/", |entry| {
        names += 1;
        directories += u32::from(entry.is_directory);
        if entry.name == b"large" {
            size = Some(entry.size);
        }
    });
    list.map_err(unexpected)?;
    // The count includes the directory itself and its parent.
    equal(&(names, directories, size), &(6, 3, Some(20_000)))?;
    files.remove(device, "more/one").map_err(unexpected)?;
    files.remove(device, "more").map_err(unexpected)
}

fn missing(files: &mut Files, device: Device<'_>) -> Outcome {
    equal(&files.read(device, "nothing", |_| {}), &Err(Failure::Refused(NO_ENTRY)))?;
    equal(&files.remove(device, "nothing"), &Err(Failure::Refused(NO_ENTRY)))
}

fn full(files: &mut Files, device: Device<'_>) -> Outcome {
    const NAMES: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let content = bytes::<50_000>(5);
    let outcome = NAMES.into_iter().try_for_each(|name| files.write(device, name, &content));
    check(matches!(outcome, Err(Failure::Refused(_))), format_args!("{outcome:?}"))?;
    holds(files, device, "1", 5, 50_000)?;
    for name in NAMES {
        // The last files were never written, so errors are ignored.
        let _ = files.remove(device, name);
    }
    files.write(device, "small", &bytes::<100>(6)).map_err(unexpected)?;
    holds(files, device, "small", 6, 100)
}

fn crash(files: &mut Files, device: Device<'_>) -> Outcome {
    files.write(device, "kept", &bytes::<5000>(7)).map_err(unexpected)?;
    check(files.crash(0x1000_0000).is_err(), "it does not crash")?;
    check(files.read(device, "kept", |_| {}).is_err(), "it goes on after a crash")?;
    files.domain.restart().map_err(unexpected)?;
    holds(files, device, "kept", 7, 5000)
}

/// Cuts the power at every operation of replacing a file, one after another.
fn power(files: &mut Files, device: Device<'_>) -> Outcome {
    const LEN: usize = 6000;
    files.format(device).map_err(unexpected)?;
    files.write(device, "file", &bytes::<LEN>(8)).map_err(unexpected)?;
    let (mut old, mut new) = (8, 9_u8);
    for left in 0..1000 {
        let mut failing = Failing { device: &mut *device, left };
        let outcome = files.write(&mut failing, "file", &bytes::<LEN>(new));
        let is_old = holds(files, device, "file", old, LEN);
        let is_new = holds(files, device, "file", new, LEN);
        check(is_old.is_ok() != is_new.is_ok(), format_args!("after {left} operations: neither"))?;
        if is_new.is_ok() {
            (old, new) = (new, new.wrapping_add(1));
        }
        if outcome.is_ok() {
            return check(left > 5, format_args!("it takes {left} operations only"));
        }
    }
    check(false, "it never succeeds")
}
