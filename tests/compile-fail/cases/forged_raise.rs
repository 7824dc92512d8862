//! A prepared raise can only be made by preparing one.
#![forbid(unsafe_code)]
use omniglot::Result;

fn main() -> Result<()> {
    let _forged = omniglot::Raise { entry: 1, arguments: 2, instance: todo!() };
    Ok(())
}
