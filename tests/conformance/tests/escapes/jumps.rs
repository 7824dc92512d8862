//! Forbidden jumps: into the gate at every byte, into the host's code, and to bytes that are not
//! code.

use omniglot::{Error, FaultKind, IsolationKind, Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape};
use super::gate;
use super::library::{Place, Registers};
use super::sample::sample;
use super::state::State;
use crate::attacks::attack::{ACCESS, ANYHOW, Must};
use crate::attacks::canaries::Targets;
use crate::attacks::home::{Home, is_emulated, options, short_limit};

/// Registers to jump with, from what an attacker may know: a page of its own from which a return
/// leads back to it, and an address in the host.
type Fill = fn(slide: u64, host: u64) -> Registers;

const FILLS: [(&str, Fill); 3] = [
    // Opens all keys if that write is reached.
    ("zeros", |slide, _| Registers { rsp: slide, flags: 0x202, ..Registers::default() }),
    ("own_memory", |slide, _| filled(slide, slide)),
    ("host_memory", |slide, host| filled(slide, host)),
];

/// Sets `rax`, `rcx` and `rdx` as the instruction that writes PKRU requires.
fn filled(slide: u64, value: u64) -> Registers {
    Registers {
        rax: 0,
        rbx: value,
        rcx: 0,
        rdx: 0,
        rsi: value,
        rdi: value,
        rbp: value,
        rsp: slide,
        r8: value,
        r9: value,
        r10: 0,
        r11: value,
        r12: value,
        r13: value,
        r14: value,
        r15: value,
        flags: 0x202,
    }
}

const DIES: Must = Must::Fault(&[FaultKind::IllegalInstruction]);

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let at_gate =
        if home.isolation == IsolationKind::Sfi { out_of_region(home) } else { at_gate(home) };
    at_gate.into_iter().map(Escape::at_the_host).chain(elsewhere()).collect()
}

fn at_gate<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let mut all = at_writes();
    for (name, fill) in FILLS {
        for (entry, address) in gate::entries() {
            all.push(escape(
                format!("gate::{entry}_with_{name}"),
                Must::EndSomehow,
                move |api, targets| jump(api, targets, address, fill).map(|_| false),
            ));
        }
        all.push(escape(format!("gate::every_byte_with_{name}"), Must::Pass, move |_, targets| {
            every_byte(home, targets, fill)
        }));
    }
    all
}

/// Verified code comes to the gate at the lines of a page in its region only. An address in the gate
/// itself is cut to 32 bits and a line, and leads elsewhere.
fn out_of_region<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let mut all = Vec::new();
    for (name, fill) in FILLS {
        for (entry, address) in gate::entries_for_regions() {
            all.push(escape(
                format!("gate::{entry}_with_{name}"),
                Must::EndSomehow,
                move |api, targets| jump(api, targets, address, fill).map(|_| false),
            ));
        }
        all.push(escape(format!("gate::every_line_with_{name}"), Must::Pass, move |_, targets| {
            let lines: Vec<_> = gate::lines().collect();
            Ok(lines.len() != 128 || at_each(home, targets, fill, lines)?)
        }));
    }
    all
}

/// Jumps. If that leads back, writes to the host's heap.
fn jump<R: Runtime>(
    api: &mut Api<R>,
    targets: &Targets,
    address: usize,
    fill: Fill,
) -> Result<i32> {
    let slide = api.place_of(Place::SLIDE)? as u64;
    api.set_timeout(Some(short_limit()));
    let outcome = leap(api, address, fill(slide, targets.stack as u64 + 2048), targets.heap);
    api.set_timeout(options().timeout);
    outcome
}

fn leap<R: Runtime>(
    api: &mut Api<R>,
    address: usize,
    registers: Registers,
    target: usize,
) -> Result<i32> {
    let registers = api.alloc(registers)?;
    let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
    api.leap(address, registers, target)
}

/// Number of the gate's bytes that are tried on an emulated processor, with each set of registers.
const BYTES: usize = 150;

fn every_byte<R: Runtime>(home: Home<R>, targets: &Targets, fill: Fill) -> Result<bool> {
    let mut places: Vec<_> = gate::ranges().into_iter().flatten().collect();
    places.retain(|place| !is_emulated() || !gate::is_fatal_to_the_emulator(*place));
    let total = places.len();
    let places = sample(places, "bytes of the gate", BYTES);
    Ok(at_each(home, targets, fill, places)? || total < 500)
}

/// Jumps to each place. Uses one instance after the other, since most of these jumps end one. Returns
/// true if one did harm.
fn at_each<R: Runtime>(
    home: Home<R>,
    targets: &Targets,
    fill: Fill,
    places: Vec<usize>,
) -> Result<bool> {
    let before = State::now();
    for address in places {
        let mut library = home.kept::<super::library::Escapes<R>>()?;
        library.set_timeout(options().timeout);
        let outcome = jump(&mut library, targets, address, fill);
        if outcome.is_ok() && library.poisoned().is_none() && library.sound(2, 3) != Ok(5) {
            eprintln!("{address:#x}: {outcome:?}, and then it does not work");
            return Ok(true);
        }
        if let Some(difference) = before.difference() {
            eprintln!("{address:#x}: {outcome:?}, and then {difference}");
            return Ok(true);
        }
    }
    Ok(false)
}

/// Jumps to the instructions that write PKRU, with everything that the gate's code reveals.
fn at_writes<R: Runtime>() -> Vec<Escape<R>> {
    // Rights that open everything; that open key 0; that signal handlers and the host have; that
    // close everything.
    const RIGHTS: [(&str, u64); 6] = [
        ("all_open", 0),
        ("key_0_open", 0xffff_fffc),
        ("handlers_rights", 0x5555_5554),
        ("the_hosts_rights", 0x5555_5550),
        ("all_but_writing", 0xaaaa_aaaa),
        ("all_closed", 0xffff_ffff),
    ];
    let mut all = Vec::new();
    for (place, address) in gate::writes() {
        for (name, rights) in RIGHTS {
            let must = Must::Fail(|error| matches!(error, Error::Fault(_)));
            all.push(escape(format!("gate::write_{place}_{name}"), must, move |api, targets| {
                jump_to_write(api, targets, address, rights, 0).map(|_| true)
            }));
        }
    }
    for (place, address) in [gate::writes()[0], gate::writes()[2]] {
        // The number of a key is looked up in a table: other bits must have no effect.
        for (name, key) in [
            ("key_16", 16),
            ("key_of_33_bits", 1 << 32 | 3),
            ("key_of_64_bits", 1 << 63 | 3),
            ("key_of_all_bits", u64::MAX << 4),
        ] {
            all.push(escape(
                format!("gate::write_{place}_with_{name}"),
                DIES,
                move |api, targets| jump_to_write(api, targets, address, 0, key).map(|_| true),
            ));
        }
        all.push(escape(
            format!("gate::write_{place}_with_a_key_that_leads_home"),
            DIES,
            move |api, targets| {
                let key = key_that_leads_home(api, address);
                jump_to_write(api, targets, address, 0, key).map(|_| true)
            },
        ));
    }
    all
}

fn jump_to_write<R: Runtime>(
    api: &mut Api<R>,
    targets: &Targets,
    address: usize,
    rights: u64,
    key: u64,
) -> Result<i32> {
    let slide = api.place_of(Place::SLIDE)? as u64;
    let registers = Registers { rax: rights, r10: key, ..filled(slide, slide) };
    leap(api, address, registers, targets.heap)
}

/// Returns the upper half of a key's number with which a table near the gate's data would end in
/// the library's own memory.
fn key_that_leads_home<R: Runtime>(api: &Api<R>, gate: usize) -> u64 {
    let distance = bounds(api).start.wrapping_sub(gate) as u64;
    (distance >> 34 << 32) | 3
}

/// Returns the child processes of this thread (proc(5)).
fn children() -> String {
    std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default()
}

/// Jumps to bytes that are not code, and to code of the host.
fn elsewhere<R: Runtime>() -> Vec<Escape<R>> {
    let to = |name: &str, place| {
        escape(format!("jumps::to_wrpkru_among_{name}"), ACCESS, move |api: &mut Api<R>, _| {
            let address = api.place_of(place)?;
            let slide = api.place_of(Place::SLIDE)? as u64;
            leap(api, address, filled(slide, slide), 0).map(|_| true)
        })
    };
    let system_call = |name: &str, number, word| {
        escape(
            format!("jumps::to_the_hosts_system_call_for_{name}"),
            Must::Deny(word),
            move |api: &mut Api<R>, targets: &Targets| {
                let slide = api.place_of(Place::SLIDE)? as u64;
                let registers = Registers { rdi: number, ..filled(slide, targets.heap as u64) };
                let before = children();
                let outcome = leap(api, gate::system_call_of_the_host(), registers, 0);
                let is_cut = api.runtime().isolation() == IsolationKind::Sfi;
                outcome.map(|_| !is_cut || children() != before)
            },
        )
        // What the address is cut to is elsewhere.
        .in_region(Must::EndSomehow)
    };
    vec![
        to("constants", Place::CONSTANT),
        to("variables", Place::VARIABLE),
        system_call("fork", 57, "fork"),
        system_call("signal_return", 15, "rt_sigreturn"),
        escape("jumps::forged_signal_frame", Must::Deny("rt_sigreturn"), |api, targets| {
            api.forge_signal_return(targets.heap).map(|_| true)
        }),
        escape("jumps::stale_signal_frame", Must::Deny("rt_sigreturn"), |api, _| {
            super::handlers::raise(libc::SIGUSR1);
            let frame = super::handlers::last_frame();
            let address = api.place_of(Place::SYSTEM_CALL)?;
            let registers = Registers { rax: 15, rsp: frame as u64, ..Registers::default() };
            leap(api, address, registers, 0).map(|_| true)
        })
        // The frame's address is cut to 32 bits: that of no memory, or of the library's own.
        .in_region(ANYHOW)
        .preceded_by(|| {
            let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            super::handlers::install(libc::SIGUSR1, super::handlers::Handler::Looks, flags);
        }),
    ]
}
