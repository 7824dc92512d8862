//! Foreign code jumps to an instruction of the gate, with registers of its choice, and the host
//! gets a signal at that instruction or soon after it. The signal handling code must not trust what
//! the gate has not yet checked.

use omniglot::{Error, IsolationKind, Ptr, Result, Runtime};

use super::breakpoints::to_foreign_code;
use super::debugger::{Shared, Tracee, shared};
use super::escape::{Escape, bounds, escape};
use super::gate;
use super::handlers::{Handler, install, raise};
use super::library::{Escapes, Place, Registers};
use super::sample::sample;
use crate::attacks::attack::Must;
use crate::attacks::home::{Home, is_emulated, short_limit};

/// Number of ambushes that are tried on an emulated processor: on the exit path, and elsewhere.
const ON_THE_WAY_OUT: usize = 400;
const ELSEWHERE: usize = 250;
/// The largest distance of the signal from the jump, in instructions of the file or of the path.
const REACH: usize = 12;

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let all = |name: &str, flags| {
        escape(format!("ambushes::{name}"), Must::Pass, move |_, _| Ok(!all(home))).preceded_by(
            move || {
                install(libc::SIGUSR1, Handler::Calls, flags);
                // Runs only if a fault of foreign code is mistaken for one of the host's; it would
                // then use foreign code's stack pointer.
                install(libc::SIGILL, Handler::Ends, libc::SA_SIGINFO);
                install(libc::SIGSEGV, Handler::Ends, libc::SA_SIGINFO);
            },
        )
    };
    vec![
        // Starting twice takes minutes in an emulator, and this covers no other path.
        all("signal_behind_each_jump", libc::SA_SIGINFO | libc::SA_ONSTACK).needs_processor(),
        all("signal_behind_each_jump_without_a_signal_stack", libc::SA_SIGINFO),
    ]
}

/// A jump, and the place of the signal.
#[derive(Clone, Copy, Debug)]
struct Ambush {
    entry: usize,
    /// Number of instructions between the jump and the signal.
    distance: usize,
    /// The address of the signal, if none of these instructions jumps.
    place: usize,
    state: State,
}

impl Ambush {
    /// Returns true for those that are always tried: at the write of PKRU on the exit path, with
    /// the host's rights; and after it, with a record that leads to a stack of the library's own.
    fn is_decisive(&self) -> bool {
        let State { value, shape } = self.state;
        if self.entry == gate::writes()[1].1 {
            return matches!(shape, Shape::Leaving | Shape::LeavingByAnother)
                && matches!(value, Value::Null | Value::Host | Value::Record);
        }
        (value, shape) == (Value::Record, Shape::Open) && self.distance < 3
    }
}

/// The registers to jump with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    value: Value,
    shape: Shape,
}

/// The value of all registers that the shape does not set, including the stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Null,
    /// A non-canonical address (Intel SDM volume 1, section 3.3.7.1).
    Uncanonical,
    /// So near the end of the address space that offsets wrap around to its start.
    Wrapping,
    /// An address in the host's memory.
    Host,
    /// A stack of the library's own, full of return addresses.
    Slide,
    /// A forged context record, all of whose fields point to such a stack.
    Record,
}

/// Registers that the gate checks, and their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain,
    /// The host's rights and the key of this domain: the exit path.
    Leaving,
    /// The same with a key that this domain does not have.
    LeavingByAnother,
    /// This domain's own rights and key: the entry paths.
    Entering,
    /// All rights, and this domain's own key.
    Open,
    /// Without keys: as plain, except for the domain's number, which is not another domain's.
    Unkeyed,
}

/// Multiplied by eight, this number is not an address either.
const NO_DOMAIN: u64 = 1 << 59;

const VALUES: [Value; 6] =
    [Value::Null, Value::Uncanonical, Value::Wrapping, Value::Host, Value::Slide, Value::Record];
const SHAPES: [Shape; 5] =
    [Shape::Plain, Shape::Leaving, Shape::LeavingByAnother, Shape::Entering, Shape::Open];

impl State {
    /// Without keys the library can write whatever it can address, so only other values are tried.
    fn all(is_keyed: bool) -> Vec<Self> {
        let (values, shapes) = if is_keyed {
            (&VALUES[..], &SHAPES[..])
        } else {
            (&VALUES[..3], &[Shape::Unkeyed][..])
        };
        let pairs = values.iter().flat_map(|value| shapes.iter().map(move |shape| (value, shape)));
        pairs.map(|(value, shape)| Self { value: *value, shape: *shape }).collect()
    }

    /// Encodes the state as a number.
    fn number(self) -> u64 {
        (self.value as u64) << 8 | self.shape as u64
    }

    fn of(number: u64) -> Option<Self> {
        let all = [Self::all(true), Self::all(false)].concat();
        all.into_iter().find(|state| state.number() == number)
    }
}

/// Returns every jump to one of the entries with every state, and a signal at each of the next
/// `reach` instructions.
fn among(entries: &[usize], reach: usize, is_keyed: bool) -> Vec<Ambush> {
    let states = State::all(is_keyed);
    let jumps = entries
        .iter()
        .enumerate()
        .flat_map(|(index, entry)| states.iter().map(move |state| (index, *entry, *state)));
    let signals = jumps.flat_map(|(index, entry, state)| {
        let places = entries.iter().skip(index).take(reach).enumerate();
        places.map(move |(distance, place)| Ambush { entry, distance, place: *place, state })
    });
    signals.collect()
}

/// Returns the ambushes that are tried.
fn ambushes(isolation: IsolationKind) -> Vec<Ambush> {
    match isolation {
        IsolationKind::ProtectionKeys => {}
        IsolationKind::Sfi => return out_of_region(),
        _ => return among(&gate::all_instructions(false), REACH, false),
    }
    let (mut all, out): (Vec<_>, Vec<_>) =
        among(&gate::way_out(), REACH, true).into_iter().partition(Ambush::is_decisive);
    let mut other = among(&gate::all_instructions(true), 3, true);
    other.retain(|ambush| !is_emulated() || !gate::is_fatal_to_the_emulator(ambush.entry));
    all.extend(sample(out, "ambushes on the way out", ON_THE_WAY_OUT));
    all.extend(sample(other, "ambushes elsewhere", ELSEWHERE));
    all
}

/// Returns jumps to the lines of a region's page of gates that are not all faults, and to two that
/// are. Verified code comes to no other place of the gate. Steps lead on through the gate, into the
/// host.
fn out_of_region() -> Vec<Ambush> {
    const LINES: usize = 11;
    const STEPS: usize = 48;
    let ambushes = gate::lines().take(LINES).flat_map(|line| {
        VALUES.into_iter().flat_map(move |value| {
            let state = State { value, shape: Shape::Plain };
            (0..STEPS).map(move |distance| Ambush { entry: line, distance, place: line, state })
        })
    });
    ambushes.collect()
}

/// Returns true if all ended as required.
fn all<R: Runtime>(home: Home<R>) -> bool {
    let is_in_region = home.isolation == IsolationKind::Sfi;
    let shared = shared();
    let tracee = Tracee::start_with(home, move |_, library| leap(library, shared), shared);
    let jump = gate::jump(home.isolation);
    let mut is_right = tracee.wait_for(libc::SIGSTOP);
    let (mut met, all) = (0, ambushes(home.isolation));
    let total = all.len();
    // If single-stepping ended early at one distance, larger distances would end there too.
    let mut ended = None;
    for ambush in all {
        if ended == Some((ambush.entry, ambush.state)) {
            continue;
        }
        let came_by = try_out(&tracee, ambush, jump, is_in_region);
        let trouble = shared.trouble();
        if came_by.is_none() || trouble.is_some() {
            eprintln!("{ambush:x?}: {came_by:?}, {trouble:?}");
            is_right = false;
            break;
        }
        met += usize::from(came_by == Some(true));
        ended = (came_by == Some(false) && !is_emulated()).then_some((ambush.entry, ambush.state));
    }
    tracee.kill();
    eprintln!("{met} of {total} ambushes got a signal");
    is_right && met > total / 8
}

/// Tries one jump. Returns whether the signal was sent, or `None` if the process ended.
fn try_out(tracee: &Tracee, mut ambush: Ambush, jump: usize, is_in_region: bool) -> Option<bool> {
    const REGION: u64 = 1 << 32;
    tracee.shared.order([ambush.entry as u64, ambush.state.number()]);
    tracee.go_on(0);
    if !tracee.wait_for(libc::SIGSTOP) {
        return None;
    }
    to_foreign_code(tracee, jump)?;
    if is_in_region {
        let instruction = tracee.registers().rip;
        ambush.entry += (instruction - instruction % REGION) as usize;
    }
    if is_emulated() { at_breakpoint(tracee, ambush.place) } else { by_steps(tracee, ambush) }
}

/// Uses a breakpoint, since QEMU reports some single steps late.
fn at_breakpoint(tracee: &Tracee, place: usize) -> Option<bool> {
    let came_by = tracee.until_at(place)?;
    if came_by {
        tracee.interrupt();
        return tracee.wait_for(libc::SIGSTOP).then_some(true);
    }
    Some(false)
}

/// Steps along the path that the gate takes.
fn by_steps(tracee: &Tracee, ambush: Ambush) -> Option<bool> {
    if !tracee.until_at(ambush.entry)? {
        return Some(false);
    }
    for _ in 0..ambush.distance {
        match tracee.step()? {
            libc::SIGTRAP => {}
            // The jump has ended with a fault, or the call has reached the next stop.
            other => {
                if other != libc::SIGSTOP {
                    tracee.go_on(other);
                    return tracee.wait_for(libc::SIGSTOP).then_some(false);
                }
                return Some(false);
            }
        }
    }
    tracee.interrupt();
    tracee.wait_for(libc::SIGSTOP).then_some(true)
}

const WORDS: usize = 512;
const CANARY: u64 = 0x5ec2_e75e_c2e7_5ec2;

/// In the process that is debugged: jumps as it is ordered. Returns true if no harm was done.
fn leap<R: Runtime>(library: &mut Escapes<R>, shared: &Shared) -> Result<bool> {
    let [entry, number] = shared.orders();
    let Some(state) = State::of(number) else {
        return Ok(false);
    };
    let host = vec![CANARY; 2 * WORDS];
    let registers = registers(library, state, host.as_ptr().addr() + 8 * WORDS)?;
    let registers = library.alloc(registers)?;
    let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
    let forbidden = library.place_of(Place::INTERRUPT_80)? + SYSTEM_CALL_LENGTH;
    library.set_timeout(Some(short_limit()));
    raise(libc::SIGSTOP);
    let outcome = library.leap(entry as usize, registers, 0);
    let has_called = matches!(&outcome, Err(Error::Fault(fault)) if fault.address == forbidden);
    if library.poisoned().is_some() {
        library.reset()?;
    }
    let is_whole = host.iter().all(|word| *word == CANARY);
    if has_called || !is_whole {
        eprintln!("{outcome:?}, made a system call: {has_called}; the host's memory: {is_whole}");
    }
    Ok(!has_called && is_whole && library.sound(20, 22)? == 42)
}

/// Length of the system call instruction, which an undefined instruction follows.
const SYSTEM_CALL_LENGTH: usize = 2;

fn registers<R: Runtime>(library: &mut Escapes<R>, state: State, host: usize) -> Result<Registers> {
    let value = match state.value {
        Value::Null => 0,
        Value::Uncanonical => 1 << 63,
        Value::Wrapping => u64::MAX - 7,
        Value::Host => host as u64,
        Value::Slide => library.place_of(Place::SLIDE)? as u64,
        Value::Record => record(library)?,
    };
    let mut filled = filled(value);
    if state.value == Value::Record {
        filled.rsp -= STACK_TO_RECORD;
    }
    match state.shape {
        Shape::Plain => return Ok(filled),
        Shape::Unkeyed => return Ok(Registers { r11: NO_DOMAIN, ..filled }),
        _ => {}
    }
    let of_domain = gate::shared(bounds(library).start)?;
    let (own, rights) = (of_domain.key as u64, of_domain.rights);
    let (rax, key) = match state.shape {
        Shape::Plain | Shape::Unkeyed | Shape::Leaving => (of_domain.host, own),
        Shape::LeavingByAnother => (of_domain.host, 0),
        Shape::Entering => (rights, own),
        Shape::Open => (0, own),
    };
    Ok(Registers { rax, rcx: 0, rdx: 0, r10: key, r11: r11(state, key, value), ..filled })
}

/// Returns the key, or the record for the last part of the exit path.
fn r11(state: State, key: u64, value: u64) -> u64 {
    if state.value == Value::Record && state.shape == Shape::Open { value } else { key }
}

fn filled(value: u64) -> Registers {
    Registers {
        rax: value,
        rbx: value,
        rcx: value,
        rdx: value,
        rsi: value,
        rdi: value,
        rbp: value,
        rsp: value,
        r8: value,
        r9: value,
        r10: value,
        r11: value,
        r12: value,
        r13: value,
        r14: value,
        r15: value,
        flags: 0x202,
    }
}

/// Distance from the middle of the stack to the record after it.
const STACK_TO_RECORD: u64 = 4 * WORDS as u64;

/// Allocates a record in the library's memory, and a stack in front of it. The stack has the host's
/// control words in the middle, as the gate expects them, and return addresses of a system call.
fn record<R: Runtime>(library: &mut Escapes<R>) -> Result<u64> {
    const CONTROL: u64 = 0x037f_0000_1f80;
    let target = library.place_of(Place::INTERRUPT_80)? as u64;
    let memory = library.malloc::<u64>(2 * WORDS)?;
    let stack = memory.as_ptr().addr() + 4 * WORDS;
    let mut words = vec![target; WORDS];
    if let Some(word) = words.get_mut(WORDS / 2) {
        *word = CONTROL;
    }
    words.resize(2 * WORDS, stack as u64);
    library.write_slice(memory, &words)?;
    Ok((memory.as_ptr().addr() + 8 * WORDS) as u64)
}
