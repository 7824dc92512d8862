//! Instances of a library on each runtime that the machine has.
#![allow(unsafe_code)]

use anyhow::Result;
use omniglot::{Builder, Error, Isolation, Library, Linux, Options, Unprotected};

/// The names of the variants that run on a runtime.
pub(crate) const RUNTIMES: [&str; 3] = ["unprotected", "keys", "process"];

/// What a figure's name ends with if the program that it is of has no checks.
pub(crate) const UNCHECKED: &str = "-unchecked";

/// In this process without protection: the call gate alone. `None` where the machine lacks
/// something.
pub(crate) fn unprotected<L: Library<Runtime = Unprotected>>() -> Result<Option<L>> {
    // SAFETY: the libraries measured here, and how they are called, are no attacks: they touch no
    // memory but their own, and do to the processor what compiled C code does.
    let started = unsafe { Unprotected::start(&L::DESCRIPTION, &Options::default()) };
    Ok(available(started)?.map(L::assemble))
}

/// In this process behind a protection key, where there are such.
pub(crate) fn keys<L: Library<Runtime = Linux>>() -> Result<Option<L>> {
    available(Builder::new().isolation(Isolation::ProtectionKeys).build())
}

/// In a process of its own.
pub(crate) fn process<L: Library<Runtime = Linux>>() -> Result<L> {
    Ok(Builder::new().isolation(Isolation::Process).build()?)
}

fn available<T>(started: omniglot::Result<T>) -> Result<Option<T>> {
    match started {
        Err(Error::Unsupported { .. }) => Ok(None),
        started => Ok(Some(started?)),
    }
}

/// A list of the same variant on each runtime that the machine has.
macro_rules! on_each_runtime {
    ($library:ident, |$name:ident, $instance:ident| $variant:expr) => {{
        let mut variants = Vec::new();
        if let Some($instance) = $crate::runtimes::unprotected::<$library<omniglot::Unprotected>>()?
        {
            let $name = "unprotected";
            variants.push($variant);
        }
        if let Some($instance) = $crate::runtimes::keys::<$library>()? {
            let $name = "keys";
            variants.push($variant);
        }
        let ($name, $instance) = ("process", $crate::runtimes::process::<$library>()?);
        variants.push($variant);
        variants
    }};
}
pub(crate) use on_each_runtime;

#[cfg(test)]
mod tests {
    use omniglot::{CHECKED, Ptr};

    use super::unprotected;
    use crate::small::Workloads;

    #[test]
    fn a_usual_build_has_checks() {
        let library = unprotected::<Workloads<_>>().unwrap();
        let nowhere = library.map(|library| library.upgrade(Ptr::<u8>::from_addr(1)).is_err());
        assert!(CHECKED && nowhere != Some(false));
    }
}
