//! Wild reads, writes, frees and jumps; overflows of heap and stack.

use omniglot::{FaultKind, Ptr, Runtime};

use super::attack::{ACCESS, ANYHOW, Attack, FAULT, Must, attack, bounds, window};
use super::canaries::{PATTERN, Targets};

/// Addresses that attacks target, besides the host's own.
const WILD: [(&str, usize); 4] =
    [("null", 0), ("low", 0x1000), ("kernel", 0xffff_8000_0000_0000), ("top", usize::MAX - 7)];

/// Places in the host, by name. Each attack is run with each of their addresses.
const PLACES: [&str; 4] = ["heap", "stack", "data", "code"];

fn address(targets: &Targets, place: &str) -> usize {
    let named = targets.named().into_iter().find(|(name, _)| *name == place);
    named.map_or(0, |(_, address)| address)
}

pub(crate) fn attacks<R: Runtime>() -> Vec<Attack<R>> {
    let mut all = Vec::new();
    for place in PLACES {
        all.extend(at_host(place));
    }
    for (name, address) in WILD {
        all.extend(at_wild(name, address));
    }
    all.extend(on_its_own_memory());
    all.extend(on_the_heap());
    all
}

/// Where addresses are cut to 32 bits these lead into the library's own memory, or to nothing: so
/// what is read must not be what is there, and what is written must be there still.
fn at_host<R: Runtime>(place: &'static str) -> [Attack<R>; 5] {
    [
        attack(format!("memory::read_host_{place}"), ACCESS, move |api, targets| {
            let found = api.peek_at(address(targets, place))?;
            Ok(found.to_ne_bytes() == [PATTERN; 8])
        })
        .in_region(Must::EndSomehow)
        .at_the_host(),
        attack(format!("memory::write_host_{place}"), ACCESS, move |api, targets| {
            api.write_at(address(targets, place), 0).map(|()| true)
        })
        .in_region(Must::Run)
        .at_the_host(),
        attack(format!("memory::copy_host_{place}"), ACCESS, move |api, targets| {
            let room = api.malloc::<u8>(64)?;
            api.steal(address(targets, place), room, 64)?;
            Ok(api.view_slice(room)?.iter().all(|byte| *byte == PATTERN))
        })
        .in_region(Must::EndSomehow)
        .at_the_host(),
        attack(format!("memory::jump_to_host_{place}"), FAULT, move |api, targets| {
            api.jump_to(address(targets, place)).map(|()| true)
        })
        .in_process(if place == "code" { Must::Run } else { FAULT })
        .in_region(Must::Run),
        attack(format!("memory::free_host_{place}"), FAULT, move |api, targets| {
            api.free_at(address(targets, place)).map(|()| true)
        })
        .in_region(Must::Run)
        .at_the_host(),
    ]
}

fn at_wild<R: Runtime>(name: &'static str, address: usize) -> [Attack<R>; 3] {
    [
        attack(format!("memory::read_{name}"), ACCESS, move |api, _| {
            api.peek_at(address).map(|_| true)
        }),
        attack(format!("memory::write_{name}"), ACCESS, move |api, _| {
            api.write_at(address, 1).map(|()| true)
        }),
        attack(format!("memory::jump_to_{name}"), ACCESS, move |api, _| {
            api.jump_to(address).map(|()| true)
        }),
    ]
}

/// The library may damage its own memory, but only where it may write.
fn on_its_own_memory<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("memory::read_before_the_window", ACCESS, |api, _| {
            api.peek_at(window(api) - 8).map(|_| true)
        })
        // Its region's base is there, which it may read.
        .in_region(Must::Run)
        .at_the_host(),
        attack("memory::read_after_the_window", ACCESS, |api, _| {
            api.peek_at(bounds(api).end).map(|_| true)
        })
        .at_the_host(),
        attack("memory::fill_the_whole_window", ANYHOW, |api, _| {
            let window = bounds(api);
            api.fill_at(window.start, window.len(), 0xee).map(|()| false)
        }),
        attack("memory::run_what_the_host_allocated", ACCESS, |api, _| {
            // A return instruction, in memory that is not executable.
            let code = api.alloc_slice(&[0xc3u8; 16])?;
            api.jump_to(code.as_slice().as_ptr().addr()).map(|()| true)
        }),
        attack("memory::run_its_own_heap", ACCESS, |api, _| {
            let code = api.malloc::<u8>(16)?;
            api.write_slice(code, &[0xc3; 16])?;
            api.jump_to(code.as_ptr().addr()).map(|()| true)
        }),
        attack("memory::smash_the_return_address", FAULT, |api, _| {
            api.smash_stack(64).map(|()| true)
        }),
        attack("memory::smash_all_frames", FAULT, |api, _| {
            api.smash_stack(64 << 20).map(|()| true)
        }),
        attack("memory::overflow_the_stack", Must::Fault(&[FaultKind::StackOverflow]), |api, _| {
            api.recurse().map(|()| true)
        }),
        // The contents of the dead frame are unspecified.
        attack("memory::jump_to_a_dead_frame", Must::EndSomehow, |api, _| {
            api.jump_to_dead_frame().map(|()| false)
        }),
    ]
}

fn on_the_heap<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack("memory::free_what_the_host_allocated", FAULT, |api, _| {
            let numbers = api.alloc_slice(&[1u64; 64])?;
            let outcome = api.free_at(numbers.as_slice().as_ptr().addr() + 16);
            // The host's book-keeping is elsewhere, so the box is unaffected.
            let intact = *api.view_slice(&numbers)? == [1; 64];
            outcome.map(|()| !intact)
        }),
        attack("memory::free_the_window", FAULT, |api, _| {
            api.free_at(window(api) + 64).map(|()| true)
        }),
        attack("memory::free_twice", Must::Fault(&[FaultKind::Abort]), |api, _| {
            api.free_twice().map(|()| true)
        })
        .in_region(FAULT),
        // malloc may notice, now or later, or not at all.
        attack("memory::overrun_the_heap", Must::EndSomehow, |api, _| {
            api.overrun_heap().map(|()| false)
        }),
        attack("memory::exhaust_memory", Must::Pass, |api, _| {
            let blocks = api.exhaust_memory(1 << 20, false)?;
            let again = api.malloc::<u8>(1 << 20)?;
            api.free(again)?;
            Ok(blocks == 0)
        }),
        attack("memory::exhaust_and_touch_memory", Must::Pass, |api, _| {
            Ok(api.exhaust_memory(64 << 10, true)? == 0)
        }),
        attack("memory::exhaust_what_the_host_allocates", Must::Pass, |api, _| {
            api.exhaust_memory(1 << 20, true)?;
            // The host's part is separate from the library's.
            let mine = api.alloc_zeroed::<u8>(1 << 20)?;
            Ok(api.peek_at(mine.as_slice().as_ptr().addr())? != 0)
        }),
        attack("memory::give_the_host_a_wild_block", Must::BeOutside, |api, targets| {
            let block = Ptr::<u64>::from_addr(targets.heap);
            api.upgrade_slice_mut(block, 16).map(|_| true)
        }),
    ]
}
