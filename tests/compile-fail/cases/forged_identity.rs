//! Nobody can say that an address belongs to an instance: the identity has no name.
#![forbid(unsafe_code)]
use omniglot::{AsPtr, Ptr};

struct Liar(usize);

impl AsPtr<u8> for Liar {
    fn as_ptr_of(&self) -> (Ptr<u8>, Option<omniglot::InstanceId>) {
        (Ptr::from_addr(self.0), None)
    }
}

fn main() {}
