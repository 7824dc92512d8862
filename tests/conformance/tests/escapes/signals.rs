//! The host's signals, handlers and masks while foreign code runs.

use std::cell::{Cell, RefCell};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use omniglot::{Error, FaultKind, FnPtr, Ptr, Result, Runtime};

use super::escape::{Api, Escape, escape, limit, real_bounds};
use super::handlers::{
    Handler, Timer, block_all, broken, install, is_handled, preemptions, raise, runs, runs_inside,
    send, this_thread, trap, unblock_all, watch,
};
use super::library::{Escapes, HostCallback, Place, Registers, Then, Upset};
use super::registers::is_refused;
use crate::attacks::attack::Must;
use crate::attacks::home::{Home, is_emulated};

const TRAP: Must = Must::Fault(&[FaultKind::Trap]);
const UNDEFINED: Must = Must::Fault(&[FaultKind::IllegalInstruction]);
/// The gate's return from a signal uses memory below the red zone of the library's stack.
const ENDED: Must = Must::Fail(|error| matches!(error, Error::Timeout { .. } | Error::Fault(_)));
/// Frequent, but with time for something else in between.
const OFTEN: Duration = Duration::from_micros(50);

/// Returns the time between two signals, which is longer on an emulated processor.
///
/// There a handler takes longer than `interval`: foreign code would hardly run, and handlers that can
/// be interrupted would pile up on the signal stack.
fn slowly(interval: Duration) -> Duration {
    if is_emulated() { 20 * interval } else { interval }
}

/// Handlers, by what is unusual about them.
const HANDLERS: [(&str, Handler, i32); 5] = [
    ("handler", Handler::Looks, libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART),
    ("handler_without_a_stack_of_its_own", Handler::Looks, libc::SA_SIGINFO),
    ("handler_that_makes_system_calls", Handler::Calls, libc::SA_SIGINFO | libc::SA_ONSTACK),
    ("handler_on_the_ordinary_stack_with_calls", Handler::Calls, 0),
    ("handler_that_can_be_interrupted", Handler::Calls, libc::SA_NODEFER | libc::SA_ONSTACK),
];

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let mut all = Vec::new();
    for (name, handler, flags) in HANDLERS {
        let install = move || install(libc::SIGUSR1, handler, flags);
        let before = escape(format!("signals::earlier_{name}"), Must::Pass, |api, _| busy(api));
        all.push(before.preceded_by(install));
        let after = escape(format!("signals::later_{name}"), Must::Pass, move |api, _| {
            install();
            busy(api)
        });
        all.push(after.alone());
    }
    all.extend(several_signals());
    all.extend(odd_moments());
    all.extend(masks());
    all.extend(the_hosts_own());
    all.push(preempted());
    all.extend(destructors(home));
    all
}

/// Makes calls of every kind while a timer ticks. Returns true if anything went wrong.
fn busy<R: Runtime>(api: &mut Api<R>) -> Result<bool> {
    let mut often = slowly(OFTEN);
    watch(real_bounds(api)?);
    let (first, timer) = (runs_inside(), Timer::of(libc::SIGUSR1));
    let mut wrong = 0;
    // On a slow machine the next signal may come before foreign code continues.
    while runs_inside() < first + 3 && wrong == 0 {
        timer.repeat(often);
        wrong += wrong_calls(api)?;
        often *= 2;
    }
    drop(timer);
    Ok(report(wrong))
}

/// Returns how many calls went wrong during a number of handler runs.
fn wrong_calls<R: Runtime>(api: &mut Api<R>) -> Result<u32> {
    let rounds = if is_emulated() { 20_000 } else { 100_000 };
    let enough = if is_emulated() { 40 } else { 200 };
    let wide = std::arch::is_x86_feature_detected!("avx");
    let (first, mut wrong) = (runs(), 0);
    while runs() < first + enough {
        wrong += u32::from(api.hold(rounds, wide)? != 0);
        wrong += u32::from(api.sound(2, 3)? != 5);
        wrong += u32::from(nested(api, 3)? != 3);
    }
    Ok(wrong)
}

/// Returns true if anything went wrong, and prints it.
fn report(wrong: u32) -> bool {
    let found = broken();
    if !found.is_empty() {
        eprintln!("a handler of the host's found {}", found.join(", "));
    }
    if wrong > 0 {
        eprintln!("{wrong} calls went wrong");
    }
    wrong > 0 || !found.is_empty()
}

/// Makes a callback and, in it, a call that fills all registers.
fn nested<R: Runtime>(api: &mut Api<R>, value: i32) -> Result<i32> {
    api.with_callback::<HostCallback, _>(
        &mut |api, value| Ok(value + api.hold(1000, false)?),
        |api, function| api.call_host(function, value),
    )?
}

fn several_signals<R: Runtime>() -> Vec<Escape<R>> {
    const SIGNALS: [i32; 4] = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM, libc::SIGPROF];
    let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    let all_at_once = |api: &mut Api<R>| {
        let timers = [47, 53, 61].map(Duration::from_micros);
        let _timers: Vec<_> = SIGNALS[1..]
            .iter()
            .zip(timers)
            .map(|(signal, interval)| Timer::start(*signal, slowly(interval)))
            .collect();
        busy(api)
    };
    vec![
        escape("signals::several_at_once", Must::Pass, move |api, _| all_at_once(api)).preceded_by(
            move || {
                SIGNALS.into_iter().for_each(|signal| install(signal, Handler::Calls, flags));
            },
        ),
        escape("signals::several_at_once_without_stacks", Must::Pass, move |api, _| {
            all_at_once(api)
        })
        .preceded_by(move || {
            SIGNALS.into_iter().for_each(|signal| install(signal, Handler::Calls, 0));
        }),
        escape("signals::handler_that_raises_another", Must::Pass, |api, _| busy(api)).preceded_by(
            move || {
                install(libc::SIGUSR1, Handler::Raises, flags);
                install(libc::SIGUSR2, Handler::Calls, flags);
            },
        ),
        // Foreign code continues after a handler, and still cannot make system calls.
        escape("signals::a_system_call_after_handlers", Must::Deny("fork"), |api, _| {
            let (first, timer) = (runs(), Timer::start(libc::SIGUSR1, slowly(OFTEN)));
            let outcome = api.wait_and_fork(5_000_000);
            drop(timer);
            if runs() == first { Ok(true) } else { outcome.map(|_| true) }
        })
        .preceded_by(move || install(libc::SIGUSR1, Handler::Looks, flags)),
        // Calls are also stopped by a signal, which must not get lost among others.
        escape("signals::timeout_among_others", Must::TimeOut, |api, _| {
            let _timer = Timer::start(libc::SIGUSR1, slowly(OFTEN));
            limit(api);
            api.upset(Upset::NOTHING, 0, Then::WAIT, FnPtr::null()).map(|_| true)
        })
        .preceded_by(move || install(libc::SIGUSR1, Handler::Calls, flags)),
    ]
}

/// Signals while foreign code has unusual register contents.
fn odd_moments<R: Runtime>() -> Vec<Escape<R>> {
    const STATES: [(&str, Upset, u64); 9] = [
        ("direction_flag", Upset::FLAGS, 0x400),
        ("alignment_flag", Upset::FLAGS, 0x4_0000),
        ("nested_task_flag", Upset::FLAGS, 0x4000),
        ("rounding", Upset::VECTOR_CONTROL, 0x6000),
        ("float_pending", Upset::FLOAT_PENDING, 0),
        ("fs_base_null", Upset::FS_BASE, 0),
        ("fs_selector", Upset::FS_SELECTOR, 0x2b),
        ("gs_base", Upset::GS_BASE, 0x1000),
        ("data_selectors", Upset::DATA_SELECTORS, 0x2b),
    ];
    const STACKS: [(&str, u64); 4] = [
        ("null", 0),
        ("low", 0x1010),
        ("not_canonical", 0x8000_0000_0000_0000),
        ("kernel", 0xffff_8880_0000_1000),
    ];
    let states = STATES.into_iter().map(|(name, what, value)| {
        let odd = escape(format!("signals::while_{name}"), Must::TimeOut, move |api, _| {
            odd(api, |api| api.upset(what, value, Then::WAIT, FnPtr::null()))
        });
        if is_refused(what) { odd.not_in_region("no instruction does that") } else { odd }
    });
    let stacks = STACKS.into_iter().map(|(name, rsp)| {
        escape(format!("signals::while_stack_is_{name}"), ENDED, move |api, _| {
            let address = api.place_of(Place::SPIN)?;
            let registers = api.alloc(Registers { rsp, flags: 0x202, ..Registers::default() })?;
            let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
            odd(api, |api| api.leap(address, registers, 0))
        })
    });
    let flags = libc::SA_SIGINFO;
    let all: Vec<_> = states.chain(stacks).collect();
    let install = move || install(libc::SIGUSR1, Handler::Calls, flags);
    all.into_iter().map(|escape| escape.preceded_by(install)).collect()
}

/// An endless call during which a timer ticks.
fn odd<R: Runtime>(
    api: &mut Api<R>,
    call: impl FnOnce(&mut Api<R>) -> Result<i32>,
) -> Result<bool> {
    let first = runs();
    let timer = Timer::start(libc::SIGUSR1, slowly(OFTEN));
    limit(api);
    let outcome = call(api);
    drop(timer);
    let ticked = runs() > first;
    outcome
        .map(|_| true)
        .or_else(|error| if report(u32::from(!ticked)) { Ok(true) } else { Err(error) })
}

/// The host blocks and unblocks signals.
fn masks<R: Runtime>() -> Vec<Escape<R>> {
    let fault = |api: &mut Api<R>| api.upset(Upset::NOTHING, 0, Then::FAULT, FnPtr::null());
    let blocked = |name: &str, must, then| {
        escape(format!("signals::all_blocked_then_{name}"), must, move |api: &mut Api<R>, _| {
            limit(api);
            block_all();
            let outcome = api.upset(Upset::NOTHING, 0, then, FnPtr::null());
            unblock_all();
            outcome.map(|result| result != 7)
        })
    };
    vec![
        escape(
            "signals::all_blocked_before_the_first_call_then_fault",
            UNDEFINED,
            move |api, _| fault(api).map(|_| true),
        )
        .preceded_by(block_all),
        blocked("return", Must::Pass, Then::RETURN),
        blocked("fault", UNDEFINED, Then::FAULT),
        blocked("system_call", Must::EndSomehow, Then::DENIED_CALL),
        blocked("timeout", Must::TimeOut, Then::WAIT),
        escape("signals::all_blocked_in_a_callback_then_fault", UNDEFINED, move |api, _| {
            let inner = Cell::new(Ok(0));
            let called = api.with_callback::<HostCallback, _>(
                &mut |api, value| {
                    block_all();
                    inner.set(fault(api));
                    Ok(value)
                },
                |api, function| api.call_host(function, 1),
            )?;
            unblock_all();
            inner.into_inner().and(called).map(|_| true)
        }),
    ]
}

/// Signals for the host rather than the library.
fn the_hosts_own<R: Runtime>() -> Vec<Escape<R>> {
    let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    vec![
        escape("signals::a_trap_of_the_host_is_its_own", Must::Pass, |api, _| {
            let first = runs();
            trap();
            let called = api.with_callback::<HostCallback, _>(
                &mut |_, value| {
                    trap();
                    Ok(value)
                },
                |api, function| api.call_host(function, 1),
            )?;
            called.map(|_| report(u32::from(runs() != first + 2)))
        })
        .preceded_by(move || install(libc::SIGTRAP, Handler::Calls, flags)),
        escape("signals::a_trap_of_the_library_is_not_the_hosts", TRAP, |api, _| {
            let first = runs();
            let address = api.place_of(Place::BREAKPOINT)?;
            let rsp = api.place_of(Place::SLIDE)? as u64;
            let registers = api.alloc(Registers { rsp, flags: 0x202, ..Registers::default() })?;
            let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
            let outcome = api.leap(address, registers, 0);
            if runs() == first { outcome.map(|_| true) } else { Ok(true) }
        })
        // The rewriter has an undefined instruction for each breakpoint.
        .in_region(UNDEFINED)
        .preceded_by(move || install(libc::SIGTRAP, Handler::Looks, flags)),
        escape("signals::sent_ones_are_the_hosts", Must::Pass, |api, _| {
            // Sent as another process would: a signal that was sent is not a fault of the library.
            let thread = this_thread();
            let first = runs();
            let flag = api.alloc(0u32)?;
            let flag = Ptr::from_addr(flag.as_ref().as_ptr().addr());
            watch(real_bounds(api)?);
            let sender = thread::spawn(move || {
                // Until enough of them have interrupted foreign code.
                for _ in 0..1000 {
                    for signal in [libc::SIGTRAP, libc::SIGURG, libc::SIGSEGV] {
                        thread::sleep(Duration::from_micros(500));
                        send(thread, signal);
                    }
                    if runs_inside() > 20 {
                        break;
                    }
                }
            });
            while !sender.is_finished() {
                api.wait_for(flag, 100_000)?;
            }
            Ok(report(u32::from(runs() < first + 3 || runs_inside() <= 20)))
        })
        .preceded_by(move || {
            for signal in [libc::SIGTRAP, libc::SIGURG, libc::SIGSEGV] {
                install(signal, Handler::Calls, flags);
            }
        }),
        escape("signals::raised_in_a_callback", Must::Pass, |api, _| {
            let first = runs();
            let called = api.with_callback::<HostCallback, _>(
                &mut |_, value| {
                    raise(libc::SIGUSR1);
                    Ok(value)
                },
                |api, function| api.call_host(function, 1),
            )?;
            called.map(|_| report(u32::from(runs() != first + 1)))
        })
        .preceded_by(move || install(libc::SIGUSR1, Handler::Calls, flags)),
        escape("signals::earlier_handler_for_once", Must::Pass, |api, _| interrupted_once(api))
            .preceded_by(install_for_once),
        escape("signals::later_handler_for_once", Must::Pass, |api, _| {
            install_for_once();
            interrupted_once(api)
        })
        .alone(),
    ]
}

fn install_for_once() {
    let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
    install(libc::SIGUSR1, Handler::Calls, flags);
}

/// A one-shot handler is called once, and is then no longer installed.
fn interrupted_once<R: Runtime>(api: &mut Api<R>) -> Result<bool> {
    let (first, thread) = (runs(), this_thread());
    let flag = api.alloc(0u32)?;
    let flag = Ptr::from_addr(flag.as_ref().as_ptr().addr());
    let sender = thread::spawn(move || {
        thread::sleep(Duration::from_millis(10));
        send(thread, libc::SIGUSR1);
    });
    while !sender.is_finished() || runs() == first {
        api.wait_for(flag, 100_000)?;
    }
    Ok(report(u32::from(runs() != first + 1 || is_handled(libc::SIGUSR1))))
}

/// Other threads preempt foreign code. If the kernel then writes to the thread's memory, it has
/// foreign code's rights.
fn preempted<R: Runtime>() -> Escape<R> {
    escape("signals::preempted", Must::Pass, |api, _| {
        const ENOUGH: i64 = 20;
        let is_over = Arc::new(AtomicBool::new(false));
        let others = thread::available_parallelism().map_or(2, NonZero::get) + 1;
        for _ in 0..others {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let first = preemptions();
        let mut wrong = 0;
        while preemptions() < first + ENOUGH {
            wrong += u32::from(api.hold(1_000_000, false)? != 0);
        }
        is_over.store(true, Ordering::Relaxed);
        Ok(report(wrong))
    })
}

thread_local! {
    /// Dropped when its thread exits.
    static LAST: RefCell<Option<Box<dyn FnOnceOnDrop>>> = const { RefCell::new(None) };
}

trait FnOnceOnDrop {}

/// An instance that faults when it is dropped.
struct FaultsInTheEnd<R: Runtime> {
    library: Escapes<R>,
    tell: std::sync::mpsc::Sender<Result<i32>>,
}

impl<R: Runtime> FnOnceOnDrop for FaultsInTheEnd<R> {}

impl<R: Runtime> Drop for FaultsInTheEnd<R> {
    fn drop(&mut self) {
        let outcome = self.library.upset(Upset::NOTHING, 0, Then::FAULT, FnPtr::null());
        // The call may also be refused there; what matters is how it ends.
        let _ = self.tell.send(outcome);
    }
}

/// A thread that exits runs foreign code in a destructor: before or after the runtime's own data of
/// the thread is dropped. Destructors run in reverse order of initialisation.
fn destructors<R: Runtime>(home: Home<R>) -> [Escape<R>; 2] {
    [("first", true), ("last", false)].map(|(name, made_late)| {
        let name = format!("signals::fault_in_a_thread_local_that_is_dropped_{name}");
        escape(name, Must::Pass, move |_, _| {
            let (tell, told) = std::sync::mpsc::channel();
            let thread = thread::spawn(move || {
                if !made_late {
                    LAST.set(None);
                }
                if let Ok(mut library) = home.instance::<Escapes<R>>() {
                    let _ = library.sound(1, 1);
                    LAST.set(Some(Box::new(FaultsInTheEnd { library, tell })));
                }
            });
            let outcome = told.recv().unwrap_or(Ok(0));
            let _ = thread.join();
            Ok(outcome.is_ok())
        })
    })
}
