//! A checked reference can only be made by a check.
#![forbid(unsafe_code)]
use omniglot::Result;

fn main() -> Result<()> {
    let _forged = omniglot::Ref::<u8>::checked(0x1000, 1);
    let _forged = omniglot::Slice::<u8> { address: 0, len: 9, instance: 1 };
    Ok(())
}
