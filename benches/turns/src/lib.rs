//! Measures several ways to do the same work, which take turns.
//!
//! A machine's speed drifts: with its load, its heat, its neighbours. So a *workload* has several
//! *variants*, which take turns to do a batch of operations each. Their ratios are more reliable
//! than any single figure. A variant may also be in another process, which was built differently or
//! needs other crates: [`serve()`] is that process's side, [`Remote`] ours.

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
