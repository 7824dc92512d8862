//! A view's lifetime cannot be extended.
#![forbid(unsafe_code)]
use omniglot::View;

fn lengthen<'a>(view: View<'a, u32>) -> View<'static, u32> {
    view
}

fn keep<'a>(view: &View<'a, u32>) -> &'a u32 {
    view
}

fn main() {
    let _ = (lengthen, keep);
}
