//! Foreign code whose machine code was proved to stay in its own 4 GiB (`omniglot-verify`).
//!
//! What that proof asks of the host, H1 to H6 of the verifier's crate, is done here:
//!
//! | | |
//! |---|---|
//! | H1 what was verified is what runs | `image`: verified as it is in a sealed file, of which alone pages become executable, private and read-only; `memory` maps nothing else so, and nobody but the host can map |
//! | H2 guards | `region`: regions lie in reservations that are for nothing else, with guards around, for ever |
//! | H3 entering and leaving | `gate.S` |
//! | H4 each line of a gate | `page` |
//! | H5 one thread | entering takes `&mut`; the host keeps off the stack meanwhile |
//! | H6 alternate stacks | `threads` and `signals`, which define `sigaction` for the program |

mod engine;
mod image;
mod memory;
mod page;
mod processor;
pub(super) mod region;
mod request;

pub use engine::Sfi;
