//! Code under `forbid(unsafe_code)` cannot promise that an interface is sound.
#![forbid(unsafe_code)]
use omniglot::{Base, Linux};

struct Mine(Base<Linux, Mine>);

unsafe impl omniglot::Api for Mine {
    type Runtime = Linux;
    fn base(&self) -> &Base<Linux, Self> {
        &self.0
    }
    fn base_mut(&mut self) -> &mut Base<Linux, Self> {
        &mut self.0
    }
}

fn main() {}
