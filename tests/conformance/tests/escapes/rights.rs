//! Tests each of the gate's checks of what was written to PKRU, and of whatever else it relies on,
//! with an attack in which everything except one thing is valid. Also tests the host's other
//! instructions that write PKRU.

use omniglot::{Error, FaultKind, Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape};
use super::gate::{self, NEXT, SCRATCH, Shared};
use super::library::{Escapes, Place, Registers};
use crate::attacks::attack::{FAULT, Must};
use crate::attacks::canaries::Targets;
use crate::attacks::home::Home;

const DIES: Must = Must::Fault(&[FaultKind::IllegalInstruction]);

/// An entry path: its write of PKRU, where the gate takes registers from, and their values for
/// arriving at a place with a stack.
#[derive(Clone, Copy)]
struct WayIn {
    write: usize,
    area: usize,
    words: fn(place: u64, stack: u64) -> Vec<u64>,
}

const ENTRY: WayIn = WayIn {
    write: 0,
    area: NEXT,
    words: |place, stack| [place, stack, 0, 0, 0, 0, 0, 0, 0, 0].to_vec(),
};

const RESUME: WayIn = WayIn {
    write: 2,
    area: SCRATCH,
    words: |place, stack| {
        let mut words = vec![0; 21];
        words.splice(17.., [0x202, stack, 0, place]);
        words
    },
};

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let all = vec![
        escape("rights::enter_oneself_with_all_open", DIES, |api, targets| {
            into_oneself(api, targets, ENTRY)
        }),
        escape("rights::go_on_with_all_open", DIES, |api, targets| {
            into_oneself(api, targets, RESUME)
        }),
        escape("rights::enter_another", DIES, move |api, _| into_another(home, api, ENTRY)),
        escape("rights::go_on_as_another", DIES, move |api, _| into_another(home, api, RESUME)),
        escape("rights::leave_with_all_open", DIES, |api, targets| {
            let own = bounds(api).start;
            let rsp = api.place_of(Place::SLIDE)? as u64;
            let r11 = gate::shared(own)?.key as u64;
            let registers = Registers { r11, rsp, flags: 0x202, ..Registers::default() };
            let registers = placed(api, registers)?;
            api.leap(gate::writes()[1].1, registers, targets.heap).map(|_| true)
        }),
        escape("rights::leave_by_a_record_of_ones_own", DIES, forged_context),
        escape("rights::come_back_from_the_signal_code", DIES, from_the_signal_code),
        escape("rights::by_the_dynamic_linker", DIES, by_the_dynamic_linker),
        escape("rights::by_the_c_library", FAULT, |api, targets| {
            let address = gate::write_of_the_c_library().ok_or(NOT_THERE)?;
            let rsp = api.place_of(Place::SLIDE)? as u64;
            let registers = Registers { rsp, flags: 0x202, ..Registers::default() };
            let registers = placed(api, registers)?;
            api.leap(address, registers, targets.heap).map(|_| true)
        }),
        escape("rights::as_the_library_reads_them", Must::Pass, |api, _| {
            let rights = u64::from(api.own_rights()?);
            Ok(!are_a_domains(rights, gate::shared(bounds(api).start)?.key))
        }),
    ];
    all.into_iter().map(Escape::at_the_host).collect()
}

/// This test's own error.
const NOT_THERE: Error = Error::Misuse("what is to be attacked is not there");

fn placed<R: Runtime>(api: &mut Api<R>, registers: Registers) -> Result<Ptr<Registers>> {
    Ok(Ptr::from_addr(api.alloc(registers)?.as_ref().as_ptr().addr()))
}

/// Allocates library memory with these words.
fn array<R: Runtime>(api: &mut Api<R>, words: &[u64]) -> Result<Ptr<u64>> {
    let memory = api.malloc::<u64>(words.len())?;
    api.write_slice(memory, words)?;
    Ok(Ptr::from_addr(memory.as_ptr().addr()))
}

/// Returns true if the rights open only this domain's key, and reading the page that all may read.
fn are_a_domains(rights: u64, key: usize) -> bool {
    let others = !rights & 0xffff_ffff & !(3 << (2 * key));
    let (bits, first) = (others.count_ones(), others.trailing_zeros());
    bits == 1 && first % 2 == 0 && first != 0 && rights & 3 << (2 * key) == 0
}

/// Goes to a place in the library through the gate's entry path.
fn through<R: Runtime>(
    api: &mut Api<R>,
    way: WayIn,
    place: Place,
    jump: (usize, Registers),
    target: usize,
) -> Result<i32> {
    let own = bounds(api).start;
    let stack = api.place_of(Place::SLIDE)? as u64;
    let words = (way.words)(api.place_of(place)? as u64, stack);
    let count = words.len();
    let words = array(api, &words)?;
    let (address, registers) = jump;
    let registers = placed(api, Registers { rsp: stack, flags: 0x202, ..registers })?;
    api.leap_with_words(address, registers, own + way.area, words, count, target)
}

/// Returns the registers that an entry path checks.
fn for_way_in(shared: Shared, rights: u64) -> Registers {
    Registers { rax: rights, r10: shared.key as u64, ..Registers::default() }
}

fn into_oneself<R: Runtime>(api: &mut Api<R>, targets: &Targets, way: WayIn) -> Result<bool> {
    let shared = gate::shared(bounds(api).start)?;
    let registers = for_way_in(shared, 0);
    let jump = (gate::writes()[way.write].1, registers);
    through(api, way, Place::LANDING, jump, targets.heap).map(|_| true)
}

/// The other domain would arrive at a breakpoint, since it cooperates.
fn into_another<R: Runtime>(home: Home<R>, api: &mut Api<R>, way: WayIn) -> Result<bool> {
    let mut other = home.instance::<Escapes<R>>()?;
    let landing = other.place_of(Place::LANDING)?;
    through(&mut other, way, Place::BREAKPOINT, (landing, Registers::default()), 0)?;
    let shared = gate::shared(bounds(&other).start)?;
    let registers = for_way_in(shared, shared.rights);
    let rsp = api.place_of(Place::SLIDE)? as u64;
    let registers = placed(api, Registers { rsp, flags: 0x202, ..registers })?;
    api.leap(gate::writes()[way.write].1, registers, 0).map(|_| true)
}

/// The exit path takes its record of the domain from a table. Here the index leads out of the
/// table, to a record in the library's own memory. All of its fields are the address of a stack.
/// Taken as rights, that opens key 0, as any even number does.
fn forged_context<R: Runtime>(api: &mut Api<R>, targets: &Targets) -> Result<bool> {
    const PAGE: usize = 4096;
    const CONTROL: u64 = 0x037f_0000_1f80;
    let table = gate::table_of_contexts().ok_or(NOT_THERE)?;
    let landing = api.place_of(Place::LANDING)? as u64;
    let mut stack = [landing; PAGE / 8];
    stack[PAGE / 16] = CONTROL;
    let memory = api.malloc::<u64>(4 * PAGE / 8)?;
    let start = memory.as_ptr().addr().next_multiple_of(PAGE) + PAGE / 2;
    let from = (start - PAGE / 2 - memory.as_ptr().addr()) / 8;
    let mut words = vec![0; 4 * PAGE / 8];
    words.splice(from..from + stack.len(), stack);
    let record = vec![(start) as u64; PAGE / 8];
    words.splice(from + stack.len()..from + 2 * stack.len(), record);
    // After the record there is a pointer to it, which the index has to lead to.
    let pointer = start + PAGE / 2 + PAGE;
    words[from + 2 * stack.len()] = (start + PAGE / 2) as u64;
    api.write_slice(memory, &words)?;
    let key = gate::shared(bounds(api).start)?.key;
    assert_eq!(start as u64 & (3 << (2 * key) | 3), 0, "rights that open these keys");
    let registers = Registers {
        rax: start as u64 & 0xffff_ffff,
        r10: start as u64,
        r11: (pointer.wrapping_sub(table) / 8) as u64,
        rsp: api.place_of(Place::SLIDE)? as u64,
        flags: 0x202,
        ..Registers::default()
    };
    let registers = placed(api, registers)?;
    api.leap(gate::writes()[1].1, registers, targets.heap).map(|_| true)
}

/// The signal handling code, called for a signal that the host ignores, returns to its caller with
/// a handler's rights.
fn from_the_signal_code<R: Runtime>(api: &mut Api<R>, targets: &Targets) -> Result<bool> {
    const STACK: usize = 256 << 10;
    let rights = gate::shared(bounds(api).start)?.host;
    let nothing = api.alloc_zeroed::<u8>(8192)?;
    let nothing = nothing.as_slice().as_ptr().addr() as u64;
    let stack = api.malloc::<u8>(STACK)?.as_ptr().addr();
    let registers = Registers {
        rax: rights,
        rdi: libc::SIGURG as u64,
        rsi: nothing,
        r11: nothing,
        rbp: api.place_of(Place::SLIDE)? as u64,
        rsp: ((stack + STACK / 2) & !15) as u64,
        flags: 0x202,
        ..Registers::default()
    };
    let registers = placed(api, registers)?;
    api.leap(gate::writes()[3].1, registers, targets.heap).map(|_| true)
}

/// The instruction loads PKRU, and nothing else, from zeros, which opens all keys.
fn by_the_dynamic_linker<R: Runtime>(api: &mut Api<R>, targets: &Targets) -> Result<bool> {
    const RIGHTS: u64 = 1 << 9;
    let places = gate::loads_of_registers();
    let zeros = api.alloc_zeroed::<u8>(8192)?;
    let zeros = zeros.as_slice().as_ptr().addr().next_multiple_of(64) as u64;
    let registers = Registers {
        rax: RIGHTS,
        rbx: api.place_of(Place::SLIDE)? as u64,
        r11: api.place_of(Place::LANDING)? as u64,
        rsp: zeros,
        flags: 0x202,
        ..Registers::default()
    };
    let registers = placed(api, registers)?;
    let address = *places.first().ok_or(NOT_THERE)?;
    api.leap(address, registers, targets.heap).map(|_| true)
}
