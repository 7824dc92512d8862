//! Every address outside the domain, with loads, stores and fetches.

use omniglot::FaultKind;

use super::{Arena, Must, Wrong};
use crate::board::{self, address};
use crate::canaries;
use crate::hostile::width;
use crate::tally::Tally;

/// The domain of the hostile library (build.rs).
const START: usize = 0x8600_0000;
const END: usize = START + (128 << 10);

/// The kind of an access.
#[derive(Clone, Copy, Debug)]
enum Access {
    Load,
    Store,
    Fetch,
}

/// Tries an access, with every width if there are several.
fn access(arena: &mut Arena, kind: Access, address: usize) -> Result<(), Wrong> {
    let widths = [width::BYTE, width::HALF, width::WORD, width::DOUBLE];
    let must = Must::FaultAt(FaultKind::Access, address);
    match kind {
        Access::Load => widths.into_iter().try_for_each(|width| {
            arena.attempt(&must, |api| api.load(address, width as u32).map(drop))
        }),
        Access::Store => widths.into_iter().try_for_each(|width| {
            arena.attempt(&must, |api| api.store(address, width as u32, 0x5a5a_5a5a))
        }),
        Access::Fetch => arena.attempt(&must, |api| api.jump(address)),
    }
}

pub(crate) fn run(arena: &mut Arena, tally: &mut Tally) {
    let [initialised, zeroed] = canaries::addresses();
    let places = [
        ("kernel_code", board::code_range().0),
        ("kernel_constants", (board::code_range().1 - 8) & !7),
        ("kernel_data", initialised),
        ("kernel_bss", zeroed),
        ("kernel_stack", 0),
        ("other_domains_code", 0x8400_0000),
        ("other_domains_memory", arena.neighbour() & !7),
        ("other_domains_end", 0x8400_0000 + (6 << 20) - 8),
        ("serial_line", address::SERIAL),
        ("interrupt_controller", board::PLIC),
        ("timer", address::TIMER),
        ("timer_compare", address::TIMER_COMPARE),
        ("software_interrupt", address::CLINT),
        ("test_finisher", address::FINISHER),
        ("null", 0),
        ("boot_rom", 0x1000),
        ("flash", 0x2000_0000),
        ("virtio", 0x1000_1000),
        ("below_own_code", START - 8),
        ("beyond_own_memory", END),
        ("end_of_addresses", 0xffff_fff8),
    ];
    for (name, place) in places {
        let stack = name == "kernel_stack";
        for kind in [Access::Load, Access::Store, Access::Fetch] {
            let place = if stack { stack_address() } else { place };
            let result = access(arena, kind, place).and_then(|()| arena.check_thoroughly());
            tally.result(format_args!("attacks::memory::{kind:?}_{name}"), result);
        }
    }
    own(arena, tally);
    edges(arena, tally);
    for kind in [Access::Load, Access::Store, Access::Fetch] {
        tally.result(format_args!("attacks::memory::{kind:?}_sweep"), sweep(arena, kind));
    }
}

/// Returns an address in the kernel's stack.
fn stack_address() -> usize {
    canaries::on_stack() & !7
}

/// Tries one address in every 16 MiB of the whole address space.
fn sweep(arena: &mut Arena, kind: Access) -> Result<(), Wrong> {
    let address = |step: u32| (step as usize) << 24 | 0x30_0000;
    let must = |step| Must::FaultAt(FaultKind::Access, address(step));
    let width = width::WORD as u32;
    arena.sweep(256, must, |api, step| match kind {
        Access::Load => api.load(address(step), width).map(drop),
        Access::Store => api.store(address(step), width, 0),
        Access::Fetch => api.jump(address(step)),
    })
}

/// Tries the domain's own memory with accesses that are not allowed there.
fn own(arena: &mut Arena, tally: &mut Tally) {
    let access = Must::Fault(FaultKind::Access);
    arena.attack(tally, "memory::store_to_own_code", &access, |api| {
        let code = api.own_code()?;
        api.store(code, width::WORD as u32, 0)
    });
    arena.attack(tally, "memory::run_own_data", &access, |api| api.run_data());
    arena.attack(tally, "memory::run_own_stack", &access, |api| api.jump(END - 64));
    arena.attack(tally, "memory::load_own_code", &Must::Harmless, |api| {
        let code = api.own_code()?;
        api.load(code, width::WORD as u32).map(drop)
    });
}

/// Tries misaligned accesses across a boundary, accesses that wrap around, and atomic ones.
fn edges(arena: &mut Arena, tally: &mut Tally) {
    let any = Must::Err("a fault", |error| matches!(error, omniglot::Error::Fault(_)));
    let word = width::WORD as u32;
    for (name, address) in [
        ("over_the_end", END - 2),
        ("over_the_start", START - 2),
        ("over_the_end_of_addresses", 0xffff_fffe),
        ("over_other_domains_start", 0x8400_0000 - 2),
    ] {
        arena.attack(tally, format_args!("memory::misaligned_load_{name}"), &any, |api| {
            api.load(address, word).map(drop)
        });
        arena.attack(tally, format_args!("memory::misaligned_store_{name}"), &any, |api| {
            api.store(address, word, u32::MAX)
        });
    }
    arena.attack(tally, "memory::misaligned_jump", &any, |api| api.jump(0x8000_0001));
    let [data, _] = canaries::addresses();
    arena.attack(tally, "memory::atomic_add", &any, |api| api.atomic_add(data, 1).map(drop));
    arena.attack(tally, "memory::load_reserved", &any, |api| api.load_reserved(data).map(drop));
    arena.attack(tally, "memory::store_conditional", &any, |api| {
        let own = api.own_data()?;
        api.load_reserved(own)?;
        // Without a reservation it fails or faults; a success would change the canaries.
        api.store_conditional(data, 0)?;
        api.store(data, word, 0)
    });
    arena.attack(tally, "memory::copy_over_the_end", &any, |api| api.copy(END - 16, START, 4096));
    arena.attack(tally, "memory::copy_that_wraps", &any, |api| {
        api.copy(END - 16, START, usize::MAX)
    });
}
