//! A signature's types cannot borrow, since closures of it are kept.
#![forbid(unsafe_code)]
use omniglot::{FnPtr, Frame, Result, Signature};

struct Borrowing<'a>(&'a u8);

impl<'a> Signature for Borrowing<'a> {
    const NAME: &'static str = "borrowing";
    const FIRST_SLOT: u32 = 0;
    const SLOTS: u32 = 1;
    const CALLER: u32 = 0;
    type Arguments = ();
    type Return = ();
    type Frame = Frame<8>;
    const RETURN_OFFSET: usize = 0;
    const RETURN_SIZE: usize = 0;
    fn arguments(_: &Self::Frame) -> Result<()> {
        Ok(())
    }
    fn put_return(_: &mut Self::Frame, (): &()) {}
    fn put_call(_: &mut Self::Frame, _: FnPtr<Self>, (): &()) {}
    fn get_return(_: &Self::Frame) -> Result<()> {
        Ok(())
    }
}

fn main() {}
