//! Generated code is included, but nothing generates it.
#![forbid(unsafe_code)]

mod zlib {
    omniglot::include_library!("zlib");
}

fn main() {}
