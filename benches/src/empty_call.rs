//! A call that does nothing, and one with six arguments and a result.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::timing::{Variant, Workload};
use crate::workloads::Workloads;
use crate::{native, pingpong, unprotected};

/// `void empty(void)`.
pub(crate) fn empty() -> Result<Workload> {
    let mut library = Workloads::builder().build()?;
    let native = Variant::new("native", |count| {
        (0..count).for_each(|_| native::empty());
        Ok(())
    });
    let process = Variant::new("process", move |count| {
        for _ in 0..count {
            library.empty()?;
        }
        Ok(())
    });
    let mut library = unprotected::instance()?;
    let unprotected = Variant::new("unprotected", move |count| {
        for _ in 0..count {
            library.empty()?;
        }
        Ok(())
    });
    let variants =
        vec![native, unprotected, thread_local()?, limited()?, process, pingpong::variant()?];
    Ok(Workload { size: 0, variants })
}

/// A function with a thread-local variable, for which the gate must write the FS base.
fn thread_local() -> Result<Variant> {
    let mut library = unprotected::instance()?;
    Ok(Variant::new("unprotected-tls", move |count| {
        for _ in 0..count {
            library.count()?;
        }
        Ok(())
    }))
}

/// The empty one, with a time limit.
fn limited() -> Result<Variant> {
    let mut library = unprotected::instance()?;
    library.set_timeout(Some(Duration::from_secs(1)));
    Ok(Variant::new("unprotected-limited", move |count| {
        for _ in 0..count {
            library.empty()?;
        }
        Ok(())
    }))
}

/// Six 64-bit integers in, one out.
pub(crate) fn six_arguments() -> Result<Workload> {
    let mut library = Workloads::builder().build()?;
    let native = Variant::new("native", |count| {
        for number in 0..count {
            black_box(native::add_six([i64::from(number), 1, 2, 3, 4, 5]));
        }
        Ok(())
    });
    let process = Variant::new("process", move |count| {
        for number in 0..i64::from(count) {
            let sum = library.add_six(number, 1, 2, 3, 4, 5)?;
            ensure!(sum == number + 15, "a wrong sum: {sum}");
        }
        Ok(())
    });
    let mut library = unprotected::instance()?;
    let unprotected = Variant::new("unprotected", move |count| {
        for number in 0..i64::from(count) {
            let sum = library.add_six(number, 1, 2, 3, 4, 5)?;
            ensure!(sum == number + 15, "a wrong sum: {sum}");
        }
        Ok(())
    });
    Ok(Workload { size: 48, variants: vec![native, unprotected, process, pingpong::variant()?] })
}
