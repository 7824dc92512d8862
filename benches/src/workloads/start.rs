//! Making an instance, which loads the library, and dropping it.

use anyhow::Result;
use omniglot::{Library, Linux, Unprotected};
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::runtimes;
use crate::small::Workloads;
use crate::user::png::Png;

/// A small library.
pub(crate) fn small(_: &Inputs, size: usize) -> Result<Workload> {
    starts::<Workloads<Unprotected>, Workloads>(size)
}

/// The system's libpng with its dependencies.
pub(crate) fn libpng(_: &Inputs, size: usize) -> Result<Workload> {
    starts::<Png<Unprotected>, Png>(size)
}

fn starts<U, L>(size: usize) -> Result<Workload>
where
    U: Library<Runtime = Unprotected> + 'static,
    L: Library<Runtime = Linux> + 'static,
{
    let mut variants = Vec::new();
    if runtimes::unprotected::<U>()?.is_some() {
        variants.push(again("unprotected", || runtimes::unprotected::<U>().map(drop)));
    }
    if runtimes::keys::<L>()?.is_some() {
        variants.push(again("keys", || runtimes::keys::<L>().map(drop)));
    }
    if runtimes::sfi::<L>()?.is_some() {
        variants.push(again("sfi", || runtimes::sfi::<L>().map(drop)));
    }
    variants.push(again("process", || runtimes::process::<L>().map(drop)));
    Ok(Workload { size, variants })
}

fn again(name: &str, start: impl Fn() -> Result<()> + 'static) -> Variant {
    Variant::new(name, move |count| (0..count).try_for_each(|_| start()))
}
