//! Measures several ways to do the same work, which take turns.
//!
//! A machine's speed drifts: with its load, its heat, its neighbours. So a *workload* has several
//! *variants*, each of which does a batch of operations when it is its turn, and their ratios can be
//! trusted more than any figure alone. A variant may also be in another process, one that was built
//! otherwise or that needs other crates: [`serve()`] is its side, [`Remote`] ours.

#![forbid(unsafe_code)]

mod measure;
mod record;
mod remote;
mod serve;
mod variant;

pub use measure::{Settings, measure};
pub use record::{Record, Unit, summarise};
pub use remote::Remote;
pub use serve::serve;
pub use variant::{Variant, Workload};
