//! The check that turns a foreign address into a readable reference.

use std::hint::black_box;

use anyhow::Result;
use omniglot::{ForeignBox, Ptr, Runtime};
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::runtimes::on_each_runtime;
use crate::small::Workloads;

/// Size of an allocation in bytes, the same as the paper's.
const ALLOCATION: usize = 64;

/// One operation upgrades the pointer to the last of `living` allocations. Plain FFI has no such
/// operation.
pub(crate) fn upgrade(_: &Inputs, living: usize) -> Result<Workload> {
    let variants = on_each_runtime!(Workloads, |name, library| variant(name, library, living)?);
    Ok(Workload { size: living, variants })
}

fn variant<R: Runtime>(name: &str, mut library: Workloads<R>, living: usize) -> Result<Variant> {
    let allocate = |_| library.alloc_zeroed::<u8>(ALLOCATION);
    let boxes: Vec<ForeignBox<[u8]>> = (0..living).map(allocate).collect::<Result<_, _>>()?;
    let last = boxes.last().map_or(Ptr::null(), |last| last.as_slice().as_ptr());
    Ok(Variant::new(name, move |count| {
        let _living = &boxes;
        for _ in 0..count {
            black_box(library.upgrade_slice(black_box(last), ALLOCATION)?);
        }
        Ok(())
    }))
}
