//! Only the macro can define the types that are owned and can be sent.
#![forbid(unsafe_code)]
use omniglot::Result;

struct Mine(std::rc::Rc<()>);

impl omniglot::OwnedApi for Mine {
    fn reset(&mut self) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _sent = omniglot::Instance::new(std::rc::Rc::new(()));
}
