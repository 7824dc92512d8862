//! Measures calls into the kernel's foreign libraries, in retired instructions, in three variants:
//! linked to the kernel and called directly (native); behind the same protection, without checks of
//! returned values (isolation); and with Omniglot.
//!
//! Run it with `cargo xtask kernel --measure`, which makes QEMU count instructions exactly.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod count;
mod files;
mod inflate;
mod isolation;
mod native;
mod network;
mod omniglot_calls;
mod paper;
mod sizes;

use core::fmt::Write;

use omniglot_kernel::domain::Failure;
use omniglot_kernel_hardware::{Board, Outcome, Uart};

use count::Counts;

/// The exit status if a workload did not give the expected result.
const FAILED: u8 = 1;

/// The workloads.
const WORKLOADS: [&str; 9] = [
    "empty call",
    "monocypher: BLAKE2b of 64 bytes",
    "monocypher: BLAKE2b of 16 KiB",
    "monocypher: X25519",
    "micro-ecc: ECDSA P-256, verify",
    "zlib: CRC-32 of 16 KiB",
    "zlib: inflate of the sample",
    "littlefs: a file of 8 KiB",
    "lwIP: 8 echo requests of 1 KiB",
];

#[riscv_rt::entry]
fn main() -> ! {
    loop {
        if let Some(board) = Board::take() {
            run(board)
        }
    }
}

fn run(board: Board) -> ! {
    let Board { mut uart, hart, regions, finisher, .. } = board;
    let outcome = measure(&mut uart, hart, regions);
    if let Err(failure) = &outcome {
        let _ = writeln!(uart, "{failure}");
    }
    finisher.finish(if outcome.is_ok() { Outcome::Good } else { Outcome::Bad(FAILED) })
}

fn measure(
    uart: &mut Uart,
    hart: omniglot_kernel_hardware::Hart,
    regions: omniglot_kernel_hardware::memory::Regions,
) -> Result<(), Failure> {
    let native = native::measure();
    let (isolation, regions) = isolation::measure(hart, regions)?;
    let (omniglot, spare) = omniglot_calls::measure(hart, regions)?;
    let _ =
        writeln!(uart, "| workload | native | isolation | Omniglot | Omniglot over isolation |");
    let _ = writeln!(uart, "|---|---:|---:|---:|---:|");
    for (name, counts) in WORKLOADS.into_iter().zip(rows(native, isolation, omniglot)) {
        let [native, isolation, omniglot] = counts;
        let _ = write!(uart, "| {name} | {native} | {isolation} | {omniglot} | ");
        percent(uart, isolation, omniglot);
        let _ = writeln!(uart, " |");
    }
    paper::measure(uart, hart, spare)?;
    sizes::print(uart);
    Ok(())
}

fn rows(native: Counts, isolation: Counts, omniglot: Counts) -> impl Iterator<Item = [u64; 3]> {
    let pairs = native.into_iter().zip(isolation).zip(omniglot);
    pairs.map(|((native, isolation), omniglot)| [native, isolation, omniglot])
}

/// Prints by how much `value` exceeds `base`, in hundredths of a percent.
fn percent(uart: &mut Uart, base: u64, value: u64) {
    let (sign, difference) = if value < base { ("-", base - value) } else { ("+", value - base) };
    let hundredths = difference.saturating_mul(10_000) / base.max(1);
    let _ = write!(uart, "{sign}{}.{:02} %", hundredths / 100, hundredths % 100);
}
