//! What calls cost, in retired instructions of kernel and foreign code together.
//!
//! Exact where QEMU counts instructions: `cargo xtask emulate tests/pmp -- -icount shift=0`.
//! Otherwise the figures waver by a third.

use core::hint::black_box;
use core::time::Duration;

use omniglot::{Ptr, Result};

use crate::hostile::Callback;
use crate::{attacks, board, conformance, say};

/// How often each thing is done; the least is what it costs, the others had interrupts.
const TIMES: usize = 50;

/// The least number of instructions that something takes, without the measuring itself.
fn least(mut body: impl FnMut() -> Result<()>) -> Result<usize> {
    let mut least = usize::MAX;
    let mut nothing = usize::MAX;
    for _ in 0..TIMES {
        let start = board::instructions();
        let empty = board::instructions();
        body()?;
        let end = board::instructions();
        nothing = nothing.min(empty.wrapping_sub(start));
        least = least.min(end.wrapping_sub(empty));
    }
    Ok(least.saturating_sub(nothing))
}

/// Has the compiler make a value that nobody uses.
fn keep<T>(value: &T) {
    black_box(value);
}

/// Prints all figures.
pub(crate) fn run() {
    say!("instructions (exact with -icount shift=0):");
    if let Err(error) = calls().and_then(|()| memory()) {
        say!("  {error}");
    }
}

fn calls() -> Result<()> {
    let mut library = attacks::fresh()?;
    library.set_timeout(None);
    say!("  empty call: {}", least(|| library.nothing())?);
    say!("  call with a number and a result: {}", least(|| library.echo(black_box(5)).map(drop))?);
    library.set_timeout(Some(Duration::from_secs(60)));
    say!("  empty call with a time limit: {}", least(|| library.nothing())?);
    library.set_timeout(None);
    let [one, eleven] = [1, 11].map(|times| {
        let mut answer = |_: &mut _, (value,)| Ok(value);
        library.with_callback::<Callback, _>(&mut answer, |api, function| {
            least(|| api.call_times(function, times).map(drop))
        })
    });
    say!("  callback: {}", (eleven?? - one??) / 10);
    say!("  reset: {}", least(|| library.reset())?);
    Ok(())
}

fn memory() -> Result<()> {
    let mut library = conformance::fresh()?;
    let address: Ptr<u32> = Ptr::from_addr(library.malloc::<u32>(4)?.as_ptr().addr());
    let upgrade = least(|| library.upgrade(black_box(address)).map(|checked| keep(&checked)))?;
    say!("  upgrade of a u32: {upgrade}");
    let checked = library.upgrade(address)?;
    let read = least(|| library.read(black_box(checked)).map(|value| keep(&value)))?;
    say!("  read of a u32: {read}");
    let sheet = library.sample_sheet()?;
    let place = library.malloc::<omniglot_conformance::conformance::Sheet>(1)?;
    library.write_slice(place, &[sheet])?;
    let view = least(|| library.view_slice(black_box(place)).map(|view| keep(&view)))?;
    say!("  view of a struct with 4 enums and 7 bools: {view}");
    Ok(())
}
