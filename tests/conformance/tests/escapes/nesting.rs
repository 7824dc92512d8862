//! Nested calls and callbacks, of one domain and of two, with a fault at each level.

use std::cell::Cell;
use std::thread;

use omniglot::{Cause, Error, FnPtr, MAX_DEPTH, Result, Runtime};

use super::escape::{Api, Escape, escape, limit};
use super::library::{Escapes, HostCallback, Then, Upset};
use super::state::State;
use crate::attacks::attack::Must;
use crate::attacks::home::Home;

/// Returns true if the error is the expected one.
type Accepts = fn(&Error) -> bool;

/// How the innermost level ends.
const ENDINGS: [(&str, Then, Accepts); 3] = [
    ("fault", Then::FAULT, |error| matches!(error, Error::Fault(_))),
    ("timeout", Then::WAIT, |error| matches!(error, Error::Timeout { .. })),
    ("return", Then::RETURN, |_| false),
];
/// Number of levels in A→B→A→B→A.
const LEVELS: u32 = 5;

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let mut all = Vec::new();
    for (name, then, accepts) in ENDINGS {
        for level in 1..=LEVELS {
            all.push(escape(
                format!("nesting::{name}_at_level_{level}"),
                Must::Pass,
                move |a, _| {
                    let mut b = home.instance::<Escapes<R>>()?;
                    limit(a);
                    limit(&mut b);
                    let mut end = End { level, then, accepts, states: State::now(), wrong: None };
                    let outcome = descend(a, &mut b, 1, &mut end);
                    Ok(end.is_wrong(&outcome, a, &b))
                },
            ));
        }
    }
    all.extend(depths(home));
    all
}

/// Which level ends the descent, and what went wrong on the way.
struct End {
    level: u32,
    then: Then,
    accepts: fn(&Error) -> bool,
    states: State,
    wrong: Option<String>,
}

/// Calls `own`, whose callback calls `other`, and so on.
fn descend<R: Runtime>(
    own: &mut Api<R>,
    other: &mut Api<R>,
    level: u32,
    end: &mut End,
) -> Result<i32> {
    if level == end.level {
        return own.upset(Upset::NOTHING, 0, end.then, FnPtr::null());
    }
    let called = own.with_callback::<HostCallback, _>(
        &mut |own, value| {
            let inner = descend(other, own, level + 1, end);
            if let Some(difference) = end.states.difference() {
                end.wrong = Some(difference);
            }
            // This domain's call can continue, whatever the state of the other domain.
            match inner {
                Ok(inner) => Ok(inner + value),
                Err(_) => Ok(-1000),
            }
        },
        |own, function| own.call_host(function, 1),
    );
    called.and_then(|result| result)
}

impl End {
    /// The domain whose call failed must be poisoned, with all its calls; the other one must not
    /// be.
    fn is_wrong<R: Runtime>(&self, outcome: &Result<i32>, a: &Api<R>, b: &Api<R>) -> bool {
        if let Some(wrong) = &self.wrong {
            eprintln!("{wrong}");
            return true;
        }
        let innermost_is_a = self.level % 2 == 1;
        let (failed, intact) = if innermost_is_a { (a, b) } else { (b, a) };
        let right = match self.then {
            Then::RETURN => {
                *outcome == Ok(7 + self.level.cast_signed() - 1)
                    && failed.poisoned().is_none()
                    && intact.poisoned().is_none()
            }
            _ => failed.poisoned().is_some() && self.intact_is_right(outcome, intact),
        };
        if !right {
            eprintln!("{outcome:?}; A: {:?}, B: {:?}", a.poisoned(), b.poisoned());
        }
        !right
    }

    /// The other domain must be usable unless its own call was abandoned.
    fn intact_is_right<R: Runtime>(&self, outcome: &Result<i32>, intact: &Api<R>) -> bool {
        let outermost = match outcome {
            Err(error) if self.level == 1 => (self.accepts)(error),
            Err(Error::Poisoned { by }) => {
                self.level % 2 == 1 && matches!(by, Cause::Fault | Cause::Timeout)
            }
            // Only B failed: A's callback got the error and answered.
            Ok(_) => self.level.is_multiple_of(2),
            Err(_) => false,
        };
        outermost && intact.poisoned().is_none()
    }
}

/// Tests the depth that is reached, and the error there.
fn depths<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    const STACKS: [(&str, usize); 5] = [
        ("192_kib", 192 << 10),
        ("256_kib", 256 << 10),
        ("512_kib", 512 << 10),
        ("1_mib", 1 << 20),
        ("16_mib", 16 << 20),
    ];
    let on_stacks = STACKS.into_iter().flat_map(move |(name, size)| {
        let one = escape(format!("nesting::to_the_limit_on_{name}"), Must::Pass, move |_, _| {
            on_thread(size, move || {
                let mut library = home.instance::<Escapes<R>>()?;
                let reached = dive(&mut library, 1);
                Ok(!ends_well(&reached, &mut library, size))
            })
        });
        let two = escape(format!("nesting::two_domains_on_{name}"), Must::Pass, move |_, _| {
            on_thread(size, move || {
                let mut a = home.instance::<Escapes<R>>()?;
                let mut b = home.instance::<Escapes<R>>()?;
                let deepest = Cell::new(0);
                let reached = dive_two(&mut a, &mut b, 1, &deepest);
                let right = matches!(reached, Err(Error::TooDeep { .. }) | Ok(_))
                    && a.sound(2, 3) == Ok(5)
                    && b.sound(2, 3) == Ok(5);
                Ok(!right)
            })
        });
        [one, two]
    });
    on_stacks.collect()
}

/// Runs a closure on a thread with a stack of this size.
fn on_thread(size: usize, run: impl FnOnce() -> Result<bool> + Send) -> Result<bool> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(size).spawn_scoped(scope, run);
        let joined = thread.map(thread::ScopedJoinHandle::join);
        joined.map_or(Ok(true), |joined| joined.unwrap_or(Ok(true)))
    })
}

/// Nests calls until an error. Returns the depth.
fn dive<R: Runtime>(api: &mut Api<R>, depth: u32) -> Result<u32> {
    let deepest = Cell::new(Ok(depth));
    let called = api.with_callback::<HostCallback, _>(
        &mut |api, value| {
            deepest.set(dive(api, depth + 1));
            Ok(value)
        },
        |api, function| api.call_host(function, 1),
    );
    match called {
        Ok(Ok(_)) => deepest.into_inner(),
        Ok(Err(Error::TooDeep { .. })) | Err(Error::NoCallbackSlot { .. }) => Ok(depth),
        Ok(Err(error)) | Err(error) => Err(error),
    }
}

/// A large stack must reach the depth limit, and a small one must end earlier. The instance works
/// afterwards.
fn ends_well<R: Runtime>(reached: &Result<u32>, api: &mut Api<R>, size: usize) -> bool {
    let deep_enough = match reached {
        Ok(depth) if size >= 16 << 20 => *depth == MAX_DEPTH + 1,
        Ok(depth) => *depth >= 1,
        Err(_) => false,
    };
    let works = api.sound(2, 3) == Ok(5);
    if !deep_enough || !works {
        eprintln!("{reached:?} and then {:?}", api.poisoned());
    }
    deep_enough && works
}

/// The same with two domains that call each other.
fn dive_two<R: Runtime>(
    own: &mut Api<R>,
    other: &mut Api<R>,
    depth: u32,
    deepest: &Cell<u32>,
) -> Result<i32> {
    deepest.set(deepest.get().max(depth));
    let called = own.with_callback::<HostCallback, _>(
        &mut |own, value| match dive_two(other, own, depth + 1, deepest) {
            Err(Error::TooDeep { .. } | Error::NoCallbackSlot { .. }) | Ok(_) => Ok(value),
            Err(error) => Err(error.into()),
        },
        |own, function| own.call_host(function, 1),
    );
    called.and_then(|result| result)
}
