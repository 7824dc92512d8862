//! State that an instance keeps from call to call.

use omniglot::{Error, Runtime};

use crate::case::cases;
use crate::conformance::{CONFORMANCE_ANSWER, CONFORMANCE_NAME};
use crate::failure::{equal, holds};
use crate::{Api, Case, Outcome, Suite};

impl<R: Runtime> Suite<R> {
    pub(crate) const STATE: &'static [Case<R>] = cases![
        Types, Usable:
            globals_keep_their_values,
            the_error_number_is_the_last_calls,
            inline_functions_and_macros_are_bound,
            instances_work_after_thousands_of_calls;
    ];
}

/// Checks that an instance that a case left usable still works.
pub(crate) fn still_works<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(api.echo_i32(12345), Ok(12345))?;
    let sum = api.scope(|scope| {
        let numbers = scope.copy_in(&[1, 2, 3])?;
        scope.sum(numbers, 3)
    });
    equal!(sum, Ok(6))
}

/// Checks that an instance that a case left poisoned runs no more foreign code.
pub(crate) fn refuses_calls<R: Runtime>(api: &mut Api<R>) -> Outcome {
    let refused =
        matches!(api.echo_i32(12345), Err(Error::Poisoned { by }) if Some(by) == api.poisoned());
    holds(refused, "a poisoned instance refuses calls, and says why")
}

fn globals_keep_their_values<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for expected in 5..8 {
        equal!(api.count_once(), Ok(expected))?;
    }
    let address = api.address_of_counter()?;
    equal!(api.read(api.upgrade(address)?), Ok(8))
}

fn the_error_number_is_the_last_calls<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for number in [33, 34, 2] {
        equal!(api.fail_with(number), Ok(-1))?;
        equal!(api.errno(), number)?;
    }
    Ok(())
}

fn inline_functions_and_macros_are_bound<R: Runtime>(api: &mut Api<R>) -> Outcome {
    equal!(api.twice(21), Ok(42))?;
    equal!(CONFORMANCE_ANSWER, 42)?;
    equal!(CONFORMANCE_NAME, c"conformance")
}

fn instances_work_after_thousands_of_calls<R: Runtime>(api: &mut Api<R>) -> Outcome {
    for expected in 5..5005 {
        equal!(api.count_once(), Ok(expected))?;
    }
    Ok(())
}
