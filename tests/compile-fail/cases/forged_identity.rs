//! An address cannot be claimed to belong to an instance: the identity's type has no public name.
#![forbid(unsafe_code)]
use omniglot::{AsPtr, Ptr};

struct Liar(usize);

impl AsPtr<u8> for Liar {
    fn as_ptr_of(&self) -> (Ptr<u8>, Option<omniglot::InstanceId>) {
        (Ptr::from_addr(self.0), None)
    }
}

fn main() {}
