//! Starts the foreign libraries in their regions.
#![allow(unsafe_code)]

use omniglot::{Error, Library, Result};
use omniglot_pmp::{ForeignRegion, Pmp};
use omniglot_tock::TockHart;
use omniglot_tock_capsule::{Demonstration, Disk, Place};
use qemu_rv32_virt_chip::chip::QemuRv32VirtClint;
use qemu_rv32_virt_chip::clint::CLINT_BASE;
use static_cell::{ConstStaticCell, StaticCell};

#[path = "../../memory.rs"]
mod memory;

/// Frequency of the machine timer.
const HERTZ: u64 = 10_000_000;

type Runtime = Pmp<TockHart<QemuRv32VirtClint<'static>, HERTZ>>;

static DISK: ConstStaticCell<Disk> = ConstStaticCell::new(Disk::new());
static DEMONSTRATION: StaticCell<Demonstration<Runtime>> = StaticCell::new();
static FORBIDDEN: StaticCell<[Place; 4]> = StaticCell::new();

/// Starts the libraries, and makes the capsule that uses them.
///
/// # Safety
/// This is called only once, after Tock has set up its protection.
pub(crate) unsafe fn start() -> Result<&'static Demonstration<Runtime>> {
    // SAFETY: the caller guarantees this; this region is used only here.
    let monocypher = unsafe { library(memory::MONOCYPHER) }?;
    // SAFETY: the caller guarantees this; this region is used only here.
    let littlefs = unsafe { library(memory::LITTLEFS) }?;
    let forbidden = FORBIDDEN.init(forbidden());
    let demonstration = Demonstration::new(monocypher, littlefs, DISK.take(), forbidden);
    Ok(DEMONSTRATION.init(demonstration))
}

/// Returns addresses that no library may access. Tock itself can.
fn forbidden() -> [Place; 4] {
    [
        Place { name: "the kernel's code", address: (start as *const ()).addr() },
        Place { name: "the kernel's RAM", address: (&raw const DEMONSTRATION).addr() },
        Place { name: "the serial line", address: 0x1000_0000 },
        Place { name: "the timer", address: (&raw const *CLINT_BASE).addr() },
    ]
}

/// Starts a library in its region.
///
/// # Safety
/// As for [`start`]; in addition, the region was not used before.
unsafe fn library<L: Library<Runtime = Runtime>>(range: memory::Range) -> Result<L> {
    // SAFETY: layout.ld keeps Tock and its programs out of these regions, and the caller has this
    // one to itself. No device of this board is told their addresses.
    let region = unsafe { ForeignRegion::new(range.start as usize, range.len as usize) };
    // SAFETY: the board's start-up code has set up that protection, with 16 entries and five
    // regions for processes. Only the capsule calls the libraries, from deferred calls.
    let hart = unsafe { TockHart::new(|| QemuRv32VirtClint::new(&CLINT_BASE)) };
    let hart = hart.ok_or(Error::Misuse("HERTZ is not the frequency of the machine timer"))?;
    Ok(L::assemble(Pmp::start(hart, region, &L::DESCRIPTION)?))
}
