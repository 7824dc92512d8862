//! Ordinary code that the rules allow compiles.
#![forbid(unsafe_code)]
use std::cell::Cell;

use omniglot::{Ptr, Result};
use omniglot_compile_fail::{Callback, Demo};

fn use_it(mut demo: Demo) -> Result<()> {
    let numbers = demo.alloc_slice(&[1u8, 2])?;
    let first = demo.view_slice(&numbers)?[0];
    demo.run(&numbers)?;
    let (seen, last) = (Cell::new(u32::from(first)), Cell::new(0));
    demo.scope(|scope| {
        let one = scope.callback::<Callback>(|_, value| {
            seen.set(seen.get() + value);
            Ok(())
        })?;
        let other = scope.callback::<Callback>(|api, value| {
            last.set(seen.get());
            api.write_slice(&numbers, &[0, 1])?;
            api.run(Ptr::from_addr(value as usize))?;
            Ok(())
        })?;
        scope.call_pointer(one, 1)?;
        scope.call_pointer(other, 2)
    })
}

fn main() {
    let _ = use_it;
}
