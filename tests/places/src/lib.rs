//! The places in which Omniglot is run to see whether it works there: containers, sandboxes,
//! filters, limits, debuggers.
//!
//! [`all`] lists them, each with the way into it and what must come of it. In each [`look`] runs two
//! programs: a small host (`omniglot-place`), and `omniglot doctor`, which must say the same.
//! `cargo xtask places` makes docs/where-it-runs.md of all of them; the ones that need nothing special
//! are ordinary tests, too.
#![forbid(unsafe_code)]

mod host;
mod list;
mod musl;
mod outcome;
mod root;
mod scene;
mod table;
mod tools;

pub use host::has_standard_library;
pub use list::{Expected, Place, all};
pub use outcome::{Outcome, Report, look, look_at_host};
pub use scene::Scene;
pub use table::{Looked, table};
pub use tools::Tool;
