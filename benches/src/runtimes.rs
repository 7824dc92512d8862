//! Instances of a library on each runtime that the machine supports.
#![allow(unsafe_code)]

use anyhow::Result;
use omniglot::{Builder, Error, Isolation, Library, Linux, Options, Unprotected};

/// The names of the variants that use a runtime.
pub(crate) const RUNTIMES: [&str; 4] = ["unprotected", "keys", "sfi", "process"];

/// The suffix of a variant's name if it is from the program without checks.
pub(crate) const UNCHECKED: &str = "-unchecked";

/// Starts an instance in this process without protection, which measures the call gate alone.
/// Returns `None` if the machine does not support that.
pub(crate) fn unprotected<L: Library<Runtime = Unprotected>>() -> Result<Option<L>> {
    // SAFETY: the libraries measured here are no attacks: they access no memory but their own, and
    // change only those registers that compiled C code changes.
    let started = unsafe { Unprotected::start(&L::DESCRIPTION, &Options::default()) };
    Ok(available(started)?.map(L::assemble))
}

/// Starts an instance in this process behind a protection key, if the machine supports that.
pub(crate) fn keys<L: Library<Runtime = Linux>>() -> Result<Option<L>> {
    available(Builder::new().isolation(Isolation::ProtectionKeys).build())
}

/// Starts an instance in this process as verified code, if the machine supports that.
pub(crate) fn sfi<L: Library<Runtime = Linux>>() -> Result<Option<L>> {
    available(Builder::new().isolation(Isolation::Sfi).build())
}

/// Starts an instance in a worker process.
pub(crate) fn process<L: Library<Runtime = Linux>>() -> Result<L> {
    Ok(Builder::new().isolation(Isolation::Process).build()?)
}

fn available<T>(started: omniglot::Result<T>) -> Result<Option<T>> {
    match started {
        Err(Error::Unsupported { .. }) => Ok(None),
        started => Ok(Some(started?)),
    }
}

/// Makes a list of the same variant on each runtime that the machine supports.
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
        if let Some($instance) = $crate::runtimes::sfi::<$library>()? {
            let $name = "sfi";
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
    use omniglot::{CHECKED, Isolation, IsolationKind, Permission, Ptr};

    use super::unprotected;
    use crate::small::Workloads;

    /// These bindings have both images.
    #[test]
    fn who_chooses_nothing_gets_verified_code_unless_only_a_process_will_do() {
        let started = super::sfi::<Workloads>().unwrap().is_some();
        let expected = if started { IsolationKind::Sfi } else { IsolationKind::Process };
        assert_eq!(Workloads::builder().build().unwrap().isolation(), expected);
        for builder in [
            Workloads::builder().allow([Permission::Threads(1)]),
            Workloads::builder().memory_limit(8 << 30),
            Workloads::builder().isolation(Isolation::Process),
        ] {
            assert_eq!(builder.build().unwrap().isolation(), IsolationKind::Process);
        }
    }

    #[test]
    fn a_usual_build_has_checks() {
        let library = unprotected::<Workloads<_>>().unwrap();
        let nowhere = library.map(|library| library.upgrade(Ptr::<u8>::from_addr(1)).is_err());
        assert!(CHECKED && nowhere != Some(false));
    }
}
