//! Test cases, and how they are run.

use core::marker::PhantomData;

use omniglot::Runtime;

use crate::conformance::Conformance;
use crate::failure::{Failure, Outcome, equal, holds};
use crate::{Api, state};

/// The guarantee that a case checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Foreign code can neither write nor read host memory.
    Memory,
    /// No invalid value becomes a Rust value, and valid ones arrive unchanged.
    Types,
    /// No reference into foreign memory exists while foreign code can run.
    Aliasing,
    /// Faults, hangs and protocol violations end the call, not the host.
    Containment,
}

/// The state in which a case leaves its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// It still works.
    Usable,
    /// It is poisoned, and reports that.
    Poisoned,
    /// Either of the two: its memory may be damaged.
    Either,
}

/// A test of one guarantee.
#[derive(Debug)]
pub struct Case<R: Runtime> {
    /// A sentence that states the expected property.
    pub name: &'static str,
    /// The guarantee that it checks.
    pub guarantee: Guarantee,
    /// The state in which it leaves its instance.
    pub leaves: Leaves,
    body: fn(&mut Api<R>) -> Outcome,
}

/// The result of running a case.
#[derive(Debug)]
pub enum Verdict {
    /// Everything was as expected.
    Passed,
    /// The runtime does not claim the guarantee.
    Skipped,
    /// Something was wrong.
    Failed(Failure),
}

/// All cases for a runtime: [`Suite::topics`].
#[derive(Debug)]
pub struct Suite<R>(PhantomData<fn() -> R>);

impl<R: Runtime> Case<R> {
    pub(crate) const fn new(
        name: &'static str,
        guarantee: Guarantee,
        leaves: Leaves,
        body: fn(&mut Api<R>) -> Outcome,
    ) -> Self {
        Self { name, guarantee, leaves, body }
    }

    /// Returns true if the runtime claims the guarantee that this case checks.
    #[must_use]
    pub const fn is_claimed(&self) -> bool {
        match self.guarantee {
            Guarantee::Memory => R::GUARANTEES.memory,
            Guarantee::Types => R::GUARANTEES.types,
            Guarantee::Aliasing => R::GUARANTEES.aliasing,
            Guarantee::Containment => R::GUARANTEES.containment,
        }
    }

    /// Runs the case on a fresh instance.
    pub fn run(&self, library: &mut Conformance<R>) -> Verdict {
        if !self.is_claimed() {
            return Verdict::Skipped;
        }
        match (self.body)(library).and_then(|()| self.check_what_is_left(library)) {
            Ok(()) => Verdict::Passed,
            Err(failure) => Verdict::Failed(failure),
        }
    }

    fn check_what_is_left(&self, library: &mut Conformance<R>) -> Outcome {
        match (self.leaves, library.poisoned()) {
            (Leaves::Usable, None) => state::still_works(library),
            (Leaves::Usable, cause) => equal!(cause, None),
            (Leaves::Poisoned, None) => holds(false, "the instance is poisoned"),
            (Leaves::Either, None) => Ok(()),
            (Leaves::Poisoned | Leaves::Either, Some(_)) => state::refuses_calls(library),
        }
    }
}

/// Lists cases by their functions' names, with the guarantee that they check and the state that
/// they leave: `cases![Types, Usable: one, two; Memory, Poisoned: three]`.
macro_rules! cases {
    ($($guarantee:ident, $leaves:ident: $($name:ident),+ $(,)?);+ $(;)?) => {
        &[$($($crate::Case::new(
            stringify!($name),
            $crate::Guarantee::$guarantee,
            $crate::Leaves::$leaves,
            $name::<R>,
        )),+),+]
    };
}

pub(crate) use cases;
