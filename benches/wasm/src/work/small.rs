//! Calls that do nothing else, and callbacks.

use std::hint::black_box;

use anyhow::{Result, ensure};
use omniglot_turns::Variant;

use super::{NATIVE, on_each_guest};
use crate::guest::Guest;
use crate::module::Modules;
use crate::native;

/// `void empty(void)`.
pub(super) fn empty(modules: &Modules) -> Result<Vec<Variant>> {
    let mut variants = vec![Variant::new(NATIVE, |count| {
        (0..count).for_each(|_| native::empty());
        Ok(())
    })];
    variants.extend(on_each_guest!(modules, "workloads", |name, guest| empty_calls(name, guest)?));
    Ok(variants)
}

fn empty_calls<G: Guest>(name: &str, mut guest: G) -> Result<Variant> {
    let empty = guest.find::<(), ()>("empty")?;
    Ok(Variant::new(name, move |count| (0..count).try_for_each(|_| guest.call(&empty, ()))))
}

/// Six 64-bit integers as arguments, one as result.
pub(super) fn six_arguments(modules: &Modules) -> Result<Vec<Variant>> {
    let mut variants = vec![Variant::new(NATIVE, |count| {
        for number in 0..count {
            black_box(native::add_six([i64::from(number), 1, 2, 3, 4, 5]));
        }
        Ok(())
    })];
    variants.extend(on_each_guest!(modules, "workloads", |name, guest| sums(name, guest)?));
    Ok(variants)
}

fn sums<G: Guest>(name: &str, mut guest: G) -> Result<Variant> {
    let add_six = guest.find::<(i64, i64, i64, i64, i64, i64), i64>("add_six")?;
    Ok(Variant::new(name, move |count| {
        for number in 0..i64::from(count) {
            let sum = guest.call(&add_six, (number, 1, 2, 3, 4, 5))?;
            ensure!(sum == number + 15, "a wrong sum: {sum}");
        }
        Ok(())
    }))
}

/// Callbacks, while `registered` functions of the host are in the module's table.
pub(super) fn callback(modules: &Modules, registered: usize) -> Result<Vec<Variant>> {
    let mut variants = vec![Variant::new(NATIVE, |count| {
        native::repeat(i32::try_from(count)?);
        Ok(())
    })];
    variants.extend(on_each_guest!(modules, "workloads", |name, guest| {
        callbacks(name, guest, registered)?
    }));
    Ok(variants)
}

fn callbacks<G: Guest>(name: &str, mut guest: G, registered: usize) -> Result<Variant> {
    let repeat = guest.find::<(u32, i32, i32), i32>("repeat")?;
    let mut step = guest.step()?;
    for _ in 1..registered {
        step = guest.step()?;
    }
    Ok(Variant::new(name, move |count| {
        let count = i32::try_from(count)?;
        let last = guest.call(&repeat, (step, 0, count))?;
        ensure!(last == count, "{last} callbacks instead of {count}");
        Ok(())
    }))
}
