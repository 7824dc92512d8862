//! Two domains, on one thread or two, that cooperate: to leave by each other's exit path, or to
//! enter by each other's entry path and so access each other's memory. They know whatever they
//! could tell each other through the host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use omniglot::{Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape};
use super::gate::{self, NEXT};
use super::library::{Escapes, HostCallback, Place, Registers};
use crate::attacks::attack::Must;
use crate::attacks::home::Home;

const DIES: Must = Must::Fault(&[omniglot::FaultKind::IllegalInstruction]);

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let all = vec![
        escape("colluding::out_by_an_idle_ones_way", DIES, move |api, targets| {
            let mut other = home.instance::<Escapes<R>>()?;
            other.sound(1, 1)?;
            leave_as(api, bounds(&other).start, targets.heap).map(|_| true)
        }),
        // The outer domain waits: its exit path is closed.
        escape("colluding::out_inside_a_callback", Must::Pass, move |api, targets| {
            let heap = targets.heap;
            inside_a_callback(home, api, |api, window| leave_as(api, window, heap).map(|_| true))
        }),
        escape("colluding::out_on_two_threads", DIES, move |api, targets| {
            let heap = targets.heap;
            beside(home, api, |api, window, _| leave_as(api, window, heap).map(|_| true))
        })
        .alone(),
        escape("colluding::in_by_an_idle_ones_way", DIES, move |api, _| {
            let mut other = home.instance::<Escapes<R>>()?;
            let trap = Trap::set(&mut other)?;
            let outcome = enter_as(api, bounds(&other).start).map(|_| true);
            if trap.is_untouched(&other)? { outcome } else { Ok(true) }
        }),
        escape("colluding::in_inside_a_callback", Must::Pass, move |api, _| {
            inside_a_callback(home, api, |api, window| enter_as(api, window).map(|_| true))
        }),
        escape("colluding::in_on_two_threads", DIES, move |api, _| {
            beside(home, api, |api, window, trap| {
                // That domain has run since, so it could have changed its own trap again.
                trap.spring_again();
                enter_as(api, window).map(|_| true)
            })
        })
        .alone(),
    ];
    all.into_iter().map(Escape::at_the_host).collect()
}

/// Registers that a domain leaves where the gate takes them from to start it. They lead to an
/// instruction that writes to the domain's own memory, which shows whether another domain has
/// entered.
#[derive(Clone, Copy)]
struct Trap {
    word: omniglot::Ref<u64>,
    /// The address of the registers in the host's mapping.
    registers: usize,
    values: [u64; 9],
}

const UNTOUCHED: u64 = 0x0005_eaf0_0d00_5eaf;

impl Trap {
    fn set<R: Runtime>(other: &mut Api<R>) -> Result<Self> {
        other.sound(1, 1)?;
        let word = other.malloc::<u64>(1)?;
        other.write_slice(word, &[UNTOUCHED])?;
        let address = word.as_ptr().addr() as u64;
        let mut values = [0; 9];
        (values[0], values[1], values[8]) = (other.place_of(Place::PUSH)? as u64, address + 8, 7);
        let registers = bounds(other).start + NEXT;
        let place = other.upgrade_slice_mut(Ptr::<u64>::from_addr(registers), values.len())?;
        other.write_slice(place, &values)?;
        let registers = registers.wrapping_add(alias_of(other, word)?);
        Ok(Self { word: other.upgrade(Ptr::from_addr(word.as_ptr().addr()))?, registers, values })
    }

    /// Sets the registers again, as the domain itself could while it runs.
    fn spring_again(&self) {
        for (index, value) in self.values.iter().enumerate() {
            gate::put_at(self.registers + 8 * index, *value);
        }
    }

    fn is_untouched<R: Runtime>(&self, other: &Api<R>) -> Result<bool> {
        Ok(*other.view(self.word)? == UNTOUCHED)
    }
}

/// Jumps to the gate's write of PKRU with this number.
fn jump<R: Runtime>(
    api: &mut Api<R>,
    to: usize,
    registers: Registers,
    target: usize,
) -> Result<i32> {
    let registers = api.alloc(registers)?;
    let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
    let (_, address) = gate::writes()[to];
    api.leap(address, registers, target)
}

/// Leaves by the exit path of the domain at `window`.
fn leave_as<R: Runtime>(api: &mut Api<R>, window: usize, target: usize) -> Result<i32> {
    let rsp = api.place_of(Place::SLIDE)? as u64;
    let shared = gate::shared(window)?;
    let (rax, r11) = (shared.host, shared.key as u64);
    jump(api, 1, Registers { rax, r11, rsp, flags: 0x202, ..Registers::default() }, target)
}

/// Enters as the domain at `window`.
fn enter_as<R: Runtime>(api: &mut Api<R>, window: usize) -> Result<i32> {
    let rsp = api.place_of(Place::SLIDE)? as u64;
    let shared = gate::shared(window)?;
    let (rax, r10) = (shared.rights, shared.key as u64);
    jump(api, 0, Registers { rax, r10, rsp, flags: 0x202, ..Registers::default() }, 0)
}

/// Another domain attacks in a callback of this one, whose memory must not change. Returns true if
/// the attacker survived.
fn inside_a_callback<R: Runtime>(
    home: Home<R>,
    api: &mut Api<R>,
    attack: impl Fn(&mut Api<R>, usize) -> Result<bool>,
) -> Result<bool> {
    let mut other = home.instance::<Escapes<R>>()?;
    let mut survived = true;
    let called = api.with_callback::<HostCallback, _>(
        &mut |api, value| {
            let trap = Trap::set(api)?;
            let outcome = attack(&mut other, bounds(api).start);
            survived = DIES.check(&outcome).is_err();
            assert!(trap.is_untouched(api)?, "a domain wrote to another that waits");
            Ok(value)
        },
        |api, function| api.call_host(function, 1),
    )?;
    called.map(|_| survived)
}

/// Another domain waits on another thread while this one attacks it. The other one must not be
/// affected.
fn beside<R: Runtime>(
    home: Home<R>,
    api: &mut Api<R>,
    attack: impl FnOnce(&mut Api<R>, usize, Trap) -> Result<bool>,
) -> Result<bool> {
    let mut other = home.instance::<Escapes<R>>()?;
    let trap = Trap::set(&mut other)?;
    let window = bounds(&other).start;
    let flag = other.malloc::<u64>(1)?;
    let flag_at_host = flag.as_ptr().addr().wrapping_add(alias_of(&other, flag)?);
    other.write_slice(flag, &[0])?;
    other.set_timeout(None);
    let is_in = AtomicBool::new(false);
    let (outcome, waited) = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            is_in.store(true, Ordering::Release);
            other.wait_for(Ptr::from_addr(flag.as_ptr().addr()), u64::MAX)
        });
        while !is_in.load(Ordering::Acquire) {
            thread::yield_now();
        }
        thread::sleep(std::time::Duration::from_millis(200));
        let was_there = !waiting.is_finished();
        let outcome = attack(api, window, trap);
        gate::put_at(flag_at_host, 1);
        (outcome, waiting.join().is_ok_and(|waited| was_there && waited.is_ok()))
    });
    if waited && trap.is_untouched(&other)? { outcome } else { Ok(true) }
}

/// Returns the distance from a foreign address to the host's mapping of it.
fn alias_of<R: Runtime>(api: &Api<R>, word: omniglot::SliceMut<u64>) -> Result<usize> {
    let view = api.view_slice(word)?;
    Ok(view.as_ptr().addr().wrapping_sub(word.as_ptr().addr()))
}
