//! An interface must be unsized and unswappable, which only unsafe code can promise.
#![forbid(unsafe_code)]
use omniglot::{Base, Linux, Unsized};

struct Mine(Base<Linux, Mine, [Unsized; 0]>);

impl omniglot::Api for Mine {
    type Runtime = Linux;
    fn base(&self) -> &Base<Linux, Self> {
        &self.0
    }
    fn base_mut(&mut self) -> &mut Base<Linux, Self> {
        &mut self.0
    }
}

fn main() {}
