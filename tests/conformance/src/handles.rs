//! Handles, by which the host owns objects: when their destructors run, and under which time limit.

use core::cell::Cell;
use core::time::Duration;
use std::time::Instant;

use omniglot::{Cause, Error, FnPtr, Handle, Ptr, Result, Runtime};

use crate::case::cases;
use crate::conformance::{Thing, VoidCallback};
use crate::failure::equal;
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const HANDLES: &'static [Case<R>] = cases![
        Containment, Usable:
            what_a_destructor_drops_waits_for_the_next_call;
        Containment, Poisoned:
            waiting_destructors_and_the_call_have_one_time_limit;
    ];
}

fn drop_a_thing<R: Runtime>(api: &Api<R>) -> Result<()> {
    Handle::<Thing>::adopt(api, Ptr::from_addr(8)).map(drop)
}

fn what_a_destructor_drops_waits_for_the_next_call<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let ended = Cell::new(0);
    let outcome = api.with_callback::<VoidCallback, _>(
        &mut |api, ()| {
            ended.set(ended.get() + 1);
            Ok(drop_a_thing(api)?)
        },
        |api, function| {
            api.things_end_with(function, 0)?;
            drop_a_thing(api)?;
            equal!(ended.get(), 0)?;
            for calls in 1..4 {
                equal!(api.echo_i32(calls), Ok(calls))?;
                equal!(ended.get(), calls)?;
            }
            api.things_end_with(FnPtr::null(), 0)?;
            equal!(ended.get(), 4)
        },
    )?;
    outcome?;
    equal!(api.echo_i32(1), Ok(1))?;
    equal!(ended.get(), 4)
}

/// Each destructor stays far below the limit; all of them together exceed it by far.
fn waiting_destructors_and_the_call_have_one_time_limit<R: Runtime>(api: &mut Api<R>) -> Outcome {
    const LIMIT: Duration = Duration::from_millis(200);
    let rounds = rounds_in(api, LIMIT / 32)?;
    api.things_end_with(FnPtr::null(), rounds)?;
    for _ in 0..20_000 {
        drop_a_thing(api)?;
    }
    api.set_timeout(Some(LIMIT));
    equal!(api.echo_i32(1), Err(Error::Poisoned { by: Cause::Timeout }))
}

/// Returns how many rounds of work take at least this long, even if nothing preempts them.
fn rounds_in<R: Runtime>(api: &mut Api<R>, time: Duration) -> Result<u32> {
    let mut rounds = 1 << 10;
    while rounds < 1 << 30 && shortest(api, rounds)? < time {
        rounds *= 2;
    }
    Ok(rounds)
}

/// Returns the shortest time of a few tries for this many rounds.
fn shortest<R: Runtime>(api: &mut Api<R>, rounds: u32) -> Result<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        api.work(rounds)?;
        shortest = shortest.min(start.elapsed());
    }
    Ok(shortest)
}
