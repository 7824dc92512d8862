//! Crashes and hangs end only the call.

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use omniglot::{Cause, Error, FaultKind, FnPtr, IsolationKind, Ptr, Runtime};

use crate::case::cases;
use crate::conformance::IntCallback;
use crate::failure::{equal, fault, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const CONTAINMENT: &'static [Case<R>] = cases![
        Containment, Usable:
            time_limits_can_be_lifted;
        Containment, Poisoned:
            reading_null_is_a_fault,
            writing_null_is_a_fault,
            a_trap_is_a_fault,
            stack_overflow_is_a_fault,
            a_call_of_a_wild_address_is_a_fault,
            an_endless_loop_runs_out_of_time,
            a_poisoned_instance_refuses_everything_but_reading;
        Memory, Either:
            the_library_cannot_read_the_hosts_memory,
            the_library_cannot_write_the_hosts_memory,
            the_library_cannot_run_the_hosts_code;
    ];
}

fn reading_null_is_a_fault<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let fault = fault(api.read_int(Ptr::null()))?;
    equal!((fault.kind, fault.address), (FaultKind::Access, 0))
}

fn writing_null_is_a_fault<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let fault = fault(api.write_int(Ptr::from_addr(4), 1))?;
    equal!((fault.kind, fault.address), (FaultKind::Access, 4))
}

fn a_trap_is_a_fault<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let kind = fault(api.trap())?.kind;
    let stopped =
        matches!(kind, FaultKind::IllegalInstruction | FaultKind::Trap | FaultKind::Abort);
    holds(stopped, "a trap is a trap")
}

fn stack_overflow_is_a_fault<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let kind = fault(api.overflow_stack())?.kind;
    holds(
        matches!(kind, FaultKind::StackOverflow | FaultKind::Access),
        "there is something below the stack",
    )
}

fn a_call_of_a_wild_address_is_a_fault<R: Runtime>(api: &mut Api<R>) -> Outcome {
    fault(api.call_pointer(FnPtr::<IntCallback>::from_addr(8), 1)).map(drop)
}

fn an_endless_loop_runs_out_of_time<R: Runtime>(api: &mut Api<R>) -> Outcome {
    api.set_timeout(Some(Duration::from_secs(30)));
    equal!(api.echo_i32(1), Ok(1))?;
    let limit = Duration::from_millis(20);
    api.set_timeout(Some(limit));
    equal!(api.loop_forever(), Err(Error::Timeout { limit }))?;
    equal!(api.poisoned(), Some(Cause::Timeout))
}

fn time_limits_can_be_lifted<R: Runtime>(api: &mut Api<R>) -> Outcome {
    api.set_timeout(Some(Duration::from_nanos(1)));
    api.set_timeout(None);
    // This takes long enough to exceed a limit of a nanosecond, if that were still in force.
    let numbers = api.malloc::<i32>(1 << 20)?;
    api.count_up(numbers, numbers.len(), 0)?;
    equal!(api.sum(numbers, 3), Ok(3))
}

fn a_poisoned_instance_refuses_everything_but_reading<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let numbers = api.malloc::<i32>(3)?;
    api.count_up(numbers, 3, 1)?;
    fault(api.trap())?;
    let poisoned = Error::Poisoned { by: Cause::Fault };
    equal!(api.poisoned(), Some(Cause::Fault))?;
    equal!(api.echo_i32(1), Err(poisoned))?;
    equal!(api.malloc::<u8>(1).map(drop), Err(poisoned))?;
    equal!(api.free(numbers), Err(poisoned))?;
    equal!(api.scope(|_| Ok(())), Err(poisoned))?;
    equal!(api.write_slice(numbers, &[0; 3]), Err(poisoned))?;
    equal!(api.copy_within(numbers, numbers), Err(poisoned))?;
    let bytes = api.upgrade_slice_mut(numbers.as_ptr().cast::<u8>(), 12);
    let filled = bytes.and_then(|bytes| api.write_slice_with(bytes, |bytes| bytes.fill(0)));
    equal!(filled, Err(poisoned))?;
    let registered = api.with_callback::<IntCallback, _>(&mut |_, value| Ok(value), |_, _| ());
    equal!(registered, Err(poisoned))?;
    // The memory of a poisoned instance can still be read.
    let sum = |sum: i32, number: &i32| sum.wrapping_add(*number);
    equal!(api.view_slice(numbers).map(|view| view.iter().fold(0, sum)), Ok(6))
}

/// If foreign addresses have 32 bits, a host address denotes the library's own memory, or nothing.
/// Then no fault is required.
fn is_harmless<R: Runtime, T: core::fmt::Debug>(
    api: &Api<R>,
    outcome: omniglot::Result<T>,
    address: usize,
) -> Outcome {
    if api.isolation() == IsolationKind::Sfi {
        return outcome.map_or_else(|error| fault::<T>(Err(error)).map(drop), |_| Ok(()));
    }
    let fault = fault(outcome)?;
    equal!((fault.kind, fault.address), (FaultKind::Access, address))
}

fn the_library_cannot_read_the_hosts_memory<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let secret = black_box(0x5ec2_e700);
    let address = core::ptr::from_ref(&secret).addr();
    let outcome = api.read_int(Ptr::from_addr(address));
    holds(outcome != Ok(secret), "the library reads the host's memory")?;
    is_harmless(api, outcome, address)
}

fn the_library_cannot_write_the_hosts_memory<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let value = black_box(7);
    let address = core::ptr::from_ref(&value).addr();
    let outcome = api.write_int(Ptr::from_addr(address), 8);
    equal!(*black_box(&value), 7)?;
    is_harmless(api, outcome, address)
}

/// Runs code of the host that accesses the host's memory. Protection keys do not restrict which
/// code runs, only what it can access.
fn the_library_cannot_run_the_hosts_code<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let before = RUNS.load(Ordering::Relaxed);
    let own: fn(u32) -> u32 = count_runs;
    let function = FnPtr::<IntCallback>::from_addr(own as usize);
    let outcome = api.call_pointer(function, 1);
    equal!(RUNS.load(Ordering::Relaxed), before)?;
    // With 32-bit foreign addresses, this runs another function of the library.
    if api.isolation() == IsolationKind::Sfi { Ok(()) } else { fault(outcome).map(drop) }
}

static RUNS: AtomicU32 = AtomicU32::new(0);

fn count_runs(step: u32) -> u32 {
    RUNS.fetch_add(step, Ordering::Relaxed)
}
