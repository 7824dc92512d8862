//! The cost of calls, in retired instructions of kernel and foreign code together.
//!
//! The figures are exact if QEMU counts instructions: `cargo xtask emulate tests/pmp -- -icount
//! shift=0`. Otherwise they vary by a third.

use core::hint::black_box;
use core::time::Duration;

use core::ffi::c_char;

use omniglot::{Error, Foreign, Ptr, Result, Runtime as _};
use omniglot_conformance::conformance::async_res_t;

use crate::attacks::Neighbour;
use crate::hostile::Callback;
use crate::{attacks, board, conformance, say};

/// Number of repetitions. The minimum is the cost; the other runs included interrupts.
const TIMES: usize = 50;

/// Returns the least number of instructions that `body` takes, without the cost of measuring.
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

/// Prevents the compiler from removing the computation of an unused value.
fn keep<T>(value: &T) {
    black_box(value);
}

/// Prints all figures.
pub(crate) fn run() {
    say!("instructions (exact with -icount shift=0):");
    if let Err(error) = calls().and_then(|()| memory()).and_then(|()| validation()) {
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
        let mut answer = |_: &mut _, value| Ok(value);
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
    Ok(())
}

/// Compares reading values of each kind: natively, in the kernel's own memory; behind the
/// protection, copied without checks; and with Omniglot, validated.
fn validation() -> Result<()> {
    let mut library = conformance::fresh()?;
    let sheet = library.sample_sheet()?;
    say!("  | validated | native | isolation | Omniglot |");
    say!("  |---|---:|---:|---:|");
    validate(&mut library, "bool", [true])?;
    validate(&mut library, "64 bools", [true; 64])?;
    validate(&mut library, "enum of 3", [async_res_t::PENDING])?;
    validate(&mut library, "64 enums", [async_res_t::PENDING; 64])?;
    validate(&mut library, "struct with 4 enums and 7 bools", [sheet])?;
    validate(&mut library, "16 structs with 4 enums and 7 bools each", [sheet; 16])?;
    strings(&mut library)
}

/// The largest number of bytes that are read.
const MOST: usize = 2048;

fn validate<T: Foreign, const N: usize>(
    library: &mut Neighbour,
    name: &str,
    values: [T; N],
) -> Result<()> {
    let place = library.malloc::<T>(N)?;
    library.write_slice(place, &values)?;
    let mut bytes = [0; MOST];
    let bytes = bytes.get_mut(..size_of_val(&values)).unwrap_or_default();
    let native = least(|| {
        keep(&black_box(&values));
        Ok(())
    })?;
    let isolation = least(|| unvalidated(library, place.as_ptr().addr(), bytes))?;
    let omniglot = least(|| library.view_slice(black_box(place)).map(|view| keep(&view)))?;
    say!("  | {name} | {native} | {isolation} | {omniglot} |");
    library.free(place)
}

/// Copies bytes without checking them.
fn unvalidated(library: &Neighbour, address: usize, bytes: &mut [u8]) -> Result<()> {
    library.runtime().window().read(black_box(address), bytes)?;
    keep(&bytes);
    Ok(())
}

/// Reads a string of 64 bytes, 6 of which are not ASCII: this finds its end and checks that it is
/// UTF-8.
fn strings(library: &mut Neighbour) -> Result<()> {
    const TEXT: &str = "Omniglot: Z\u{fc}rich, K\u{f8}benhavn, \u{141}\u{f3}d\u{17a} \u{2014} seven words of two or three b";
    let place = library.malloc::<u8>(TEXT.len() + 1)?;
    library.write_slice(place.range(0, TEXT.len()).unwrap_or(place), TEXT.as_bytes())?;
    let end = place.get(TEXT.len()).ok_or(Error::Misuse("there is room for the end"))?;
    library.write(end, 0)?;
    let start: Ptr<c_char> = place.as_ptr().cast();
    let mut bytes = [0; TEXT.len() + 1];
    let native = least(|| {
        keep(&black_box(TEXT));
        Ok(())
    })?;
    let isolation = least(|| unvalidated(library, start.addr(), &mut bytes))?;
    let omniglot = least(|| library.read_str(black_box(start), MOST).map(|text| keep(&text)))?;
    say!("  | string of {} bytes, UTF-8 | {native} | {isolation} | {omniglot} |", TEXT.len());
    library.free(place)
}
