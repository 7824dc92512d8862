//! A call that does nothing, and one with six arguments and a result, alone and in batches.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use omniglot::{Runtime, Unprotected};
use omniglot_turns::{Variant, Workload};

use super::pingpong;
use crate::inputs::Inputs;
use crate::native;
use crate::runtimes::{self, on_each_runtime};
use crate::small::Workloads;

/// `void empty(void)`.
pub(crate) fn empty(_: &Inputs, size: usize) -> Result<Workload> {
    let mut variants = vec![Variant::new("native", |count| {
        (0..count).for_each(|_| native::empty());
        Ok(())
    })];
    variants.extend(on_each_runtime!(Workloads, |name, library| empty_calls(name, library)));
    if let Some(library) = runtimes::unprotected()? {
        variants.push(thread_local(library));
    }
    if let Some(mut library) = runtimes::unprotected::<Workloads<Unprotected>>()? {
        library.set_timeout(Some(Duration::from_secs(1)));
        variants.push(empty_calls("unprotected-limited", library));
    }
    variants.push(pingpong::variant()?);
    Ok(Workload { size, variants })
}

fn empty_calls<R: Runtime>(name: &str, mut library: Workloads<R>) -> Variant {
    Variant::new(name, move |count| {
        for _ in 0..count {
            library.empty()?;
        }
        Ok(())
    })
}

/// Calls a function with a thread-local variable, for which the gate must write the FS base.
fn thread_local(mut library: Workloads<Unprotected>) -> Variant {
    Variant::new("unprotected-tls", move |count| {
        for _ in 0..count {
            library.count()?;
        }
        Ok(())
    })
}

/// Six 64-bit integers as arguments, one as result.
pub(crate) fn six_arguments(_: &Inputs, size: usize) -> Result<Workload> {
    let mut variants = vec![Variant::new("native", |count| {
        for number in 0..count {
            black_box(native::add_six([i64::from(number), 1, 2, 3, 4, 5]));
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Workloads, |name, library| sums(name, library)));
    variants.push(pingpong::variant()?);
    Ok(Workload { size, variants })
}

/// As [`six_arguments`], so many calls in one crossing.
pub(crate) fn batches(_: &Inputs, size: usize) -> Result<Workload> {
    let mut variants = vec![Variant::new("native", |count| {
        for number in 0..count {
            black_box(native::add_six([i64::from(number), 1, 2, 3, 4, 5]));
        }
        Ok(())
    })];
    let most = size as i64;
    variants
        .extend(on_each_runtime!(Workloads, |name, library| sums_in_batches(name, library, most)));
    variants.push(pingpong::variant()?);
    Ok(Workload { size, variants })
}

fn sums_in_batches<R: Runtime>(name: &str, mut library: Workloads<R>, most: i64) -> Variant {
    Variant::new(name, move |count| {
        let count = i64::from(count);
        for first in (0..count).step_by(most as usize) {
            let numbers = first..count.min(first + most);
            let sums =
                library.add_six_batch(numbers.clone().map(|number| (number, 1, 2, 3, 4, 5)))?;
            let expected = numbers.map(|number| number + 15);
            ensure!(sums.into_iter().eq(expected), "a wrong sum");
        }
        Ok(())
    })
}

fn sums<R: Runtime>(name: &str, mut library: Workloads<R>) -> Variant {
    Variant::new(name, move |count| {
        for number in 0..i64::from(count) {
            let sum = library.add_six(number, 1, 2, 3, 4, 5)?;
            ensure!(sum == number + 15, "a wrong sum: {sum}");
        }
        Ok(())
    })
}
