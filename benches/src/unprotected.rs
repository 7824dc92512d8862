//! The workloads in the host's process without protection: the call gate alone.
#![allow(unsafe_code)]

use anyhow::Result;
use omniglot::{Library, Options, Unprotected};

use crate::workloads::Workloads;

/// A fresh instance.
pub(crate) fn instance() -> Result<Workloads<Unprotected>> {
    let description = &Workloads::<Unprotected>::DESCRIPTION;
    // SAFETY: c/workloads.c touches no memory but its own.
    let runtime = unsafe { Unprotected::start(description, &Options::default()) }?;
    Ok(Workloads::from_runtime(runtime))
}
