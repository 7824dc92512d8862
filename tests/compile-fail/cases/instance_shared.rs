//! An instance can be sent to another thread, but not shared with it.
#![forbid(unsafe_code)]
use omniglot_compile_fail::{Api, Demo};

fn shared<T: Sync>() {}
fn sent<T: Send>() {}

fn main() {
    sent::<Demo>();
    shared::<Demo>();
    sent::<&Demo>();
    sent::<&mut Api>();
    sent::<std::sync::Arc<Demo>>();
}
