//! What is owned and may be sent is what the macro defines.
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
