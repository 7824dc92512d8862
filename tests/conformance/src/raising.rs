//! `longjmp`: the library's own errors, and jumps across too many frames.

use core::cell::Cell;

use omniglot::{Cause, Error, FnPtr, Ptr, Result, Runtime};

use crate::case::cases;
use crate::conformance::ReadCallback;
use crate::failure::{equal, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const RAISING: &'static [Case<R>] = cases![
        Containment, Usable:
            a_longjmp_ends_the_guarded_call_only,
            a_callback_raises_the_librarys_own_error,
            a_raise_ends_only_the_innermost_call,
            nested_guards_leave_outer_ones_in_place,
            a_raise_needs_a_callback;
        Containment, Poisoned:
            a_longjmp_out_of_a_nested_call_ends_all;
    ];
}

fn a_longjmp_ends_the_guarded_call_only<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let reader = api.reader_open(FnPtr::null())?;
    for step in [3, 8] {
        equal!(api.reader_fail_at(reader, step), Err(Error::NonLocalExit))?;
        equal!(api.reader_failure(reader), Ok(step))?;
    }
    equal!(api.poisoned(), None)
}

fn a_callback_raises_the_librarys_own_error<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let reader = Cell::new(Ptr::null());
    let failing = Cell::new(true);
    let result = api.with_callback::<ReadCallback, _>(
        &mut |api, step| {
            if failing.get() && step == 2 {
                return Err(api.raise_reader_fail(reader.get(), 77)?);
            }
            Ok(step)
        },
        |api, read| {
            reader.set(api.reader_open(read)?);
            equal!(api.reader_sum(reader.get(), 5), Err(Error::NonLocalExit))?;
            equal!(api.reader_failure(reader.get()), Ok(77))?;
            failing.set(false);
            equal!(api.reader_sum(reader.get(), 5), Ok(10))
        },
    )?;
    result?;
    equal!(api.poisoned(), None)
}

fn a_raise_ends_only_the_innermost_call<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let reader = Cell::new(Ptr::null());
    let inner = Cell::new(Ok(0));
    let depth = Cell::new(0);
    let mut raise = |api: &mut Api<R>, _| Err(api.raise_reader_fail(reader.get(), 5)?);
    let result = api.with_callback::<ReadCallback, _>(&mut raise, |api, raising| {
        let mut nest = |api: &mut Api<R>, step| {
            depth.set(depth.get() + 1);
            // There is only one reader: the nested call reopens it and restores it.
            reader.set(api.reader_open(raising)?);
            inner.set(api.reader_sum(reader.get(), 1));
            Ok(step)
        };
        api.with_callback::<ReadCallback, _>(&mut nest, |api, nesting| {
            let outer = api.reader_open(nesting)?;
            api.reader_sum(outer, 1)
        })
    })?;
    equal!(inner.get(), Err(Error::NonLocalExit))?;
    equal!((result, depth.get()), (Ok(Ok(0)), 1))
}

fn nested_guards_leave_outer_ones_in_place<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let reader = Cell::new(Ptr::null());
    let inner = Cell::new(Ok(0));
    let result = api.with_callback::<ReadCallback, Result<_>>(
        &mut |api, step| {
            if step == 1 {
                return Err(api.raise_reader_fail(reader.get(), 9)?);
            }
            inner.set(api.reader_fail_at(reader.get(), 4));
            Ok(step)
        },
        |api, read| {
            reader.set(api.reader_open(read)?);
            let outer = api.reader_sum(reader.get(), 3);
            Ok((outer, api.reader_failure(reader.get())?))
        },
    )?;
    equal!(inner.get(), Err(Error::NonLocalExit))?;
    equal!(result, Ok((Err(Error::NonLocalExit), 9)))
}

fn a_raise_needs_a_callback<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let reader = api.reader_open(FnPtr::null())?;
    let refused = matches!(api.raise_reader_fail(reader, 1), Err(Error::Misuse(_)));
    holds(refused, "there is nothing to leave outside a call")
}

fn a_longjmp_out_of_a_nested_call_ends_all<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let reader = Cell::new(Ptr::null());
    let inner = Cell::new(Ok(()));
    let runs = Cell::new(0);
    let outer = api.with_callback::<ReadCallback, _>(
        &mut |api, step| {
            runs.set(runs.get() + 1);
            inner.set(api.leap(reader.get()));
            Ok(step)
        },
        |api, read| {
            reader.set(api.reader_open(read)?);
            api.reader_sum(reader.get(), 3)
        },
    )?;
    equal!(inner.get(), Err(Error::NonLocalExit))?;
    equal!(outer, Err(Error::Poisoned { by: Cause::NonLocalExit }))?;
    holds(runs.get() == 1, "nothing ran on")
}
