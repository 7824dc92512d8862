//! Only unsafe code can make a window.
#![forbid(unsafe_code)]
use omniglot::Result;

fn main() -> Result<()> {
    let mut bytes = [0_u8; 64];
    let start = std::ptr::NonNull::from(&mut bytes).cast();
    let _window = omniglot::Window::new(start, 0x1000, usize::MAX);
    Ok(())
}
