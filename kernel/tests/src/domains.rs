//! Tests crashes of each library, alone and all together.

use omniglot::{Error, FaultKind};
use omniglot_kernel::domain::Failure;
use omniglot_kernel::{Kernel, sample};
use omniglot_kernel_hardware::{TICKS_PER_SECOND, ticks};

use crate::report::{Outcome, Report, Test, because, check, unexpected};

/// The libraries' names.
const LIBRARIES: [&str; 5] = ["monocypher", "micro-ecc", "littlefs", "lwip", "zlib"];

/// The forbidden address: the serial line's registers.
const UART: core::ops::Range<usize> = 0x1000_0000..0x1000_0010;

const TESTS: &[Test] = &[
    ("domains::each_crash_is_a_fault_of_that_library", each),
    ("domains::all_crash_and_all_come_back", all),
    ("domains::a_library_restarts_many_times", many),
    ("domains::the_timer_ticks_while_foreign_code_runs", timer),
];

pub(crate) fn run(kernel: &mut Kernel, report: &mut Report) {
    report.run(kernel, TESTS);
}

/// Crashes a library, and checks that the fault names the forbidden address.
fn crash(kernel: &mut Kernel, library: &str) -> Outcome {
    match kernel.services.crash(library) {
        Some(Err(Failure::Foreign(Error::Fault(fault)))) => {
            let good = fault.kind == FaultKind::Access && UART.contains(&fault.address);
            check(good, format_args!("{library}: {fault:?}"))
        }
        other => Err(because(format_args!("{library}: {other:?}"))),
    }
}

fn restart(kernel: &mut Kernel, library: &str) -> Outcome {
    let outcome = kernel.services.restart(library).unwrap_or(Err(Failure::NoDevice));
    outcome.map_err(unexpected)
}

/// Counts the libraries that are down.
fn down(kernel: &Kernel) -> usize {
    let mut count = 0;
    kernel.services.each(|_, _, trouble| count += usize::from(trouble.is_some()));
    count
}

fn each(kernel: &mut Kernel) -> Outcome {
    for library in LIBRARIES {
        crash(kernel, library)?;
        check(down(kernel) == 1, format_args!("{library}: {} are down", down(kernel)))?;
        restart(kernel, library)?;
        check(down(kernel) == 0, format_args!("{library} is still down"))?;
    }
    Ok(())
}

fn all(kernel: &mut Kernel) -> Outcome {
    for library in LIBRARIES {
        crash(kernel, library)?;
    }
    check(down(kernel) == LIBRARIES.len(), "some go on")?;
    for library in LIBRARIES {
        restart(kernel, library)?;
    }
    check(down(kernel) == 0, "some are still down")?;
    works(kernel)
}

/// Checks the results of two libraries.
fn works(kernel: &mut Kernel) -> Outcome {
    let len = kernel.services.compression.inflate(sample::PACKED, |_| {}).map_err(unexpected)?;
    check(len == sample::LENGTH, "it decompresses to something else")?;
    let mut hash = [0; 64];
    kernel.services.cryptography.hash(b"abc", &mut hash).map_err(unexpected)?;
    check(hash.starts_with(&[0xba, 0x80, 0xa5, 0x3f]), "it hashes to something else")
}

fn many(kernel: &mut Kernel) -> Outcome {
    for _ in 0..100 {
        crash(kernel, "zlib")?;
        restart(kernel, "zlib")?;
    }
    works(kernel)
}

/// Signs until a good number of timer ticks must have occurred. Foreign code runs nearly all the
/// time.
fn timer(kernel: &mut Kernel) -> Outcome {
    let (ticks_before, before) = (ticks(), kernel.clock.now());
    while kernel.clock.now() - before < TICKS_PER_SECOND {
        kernel.services.cryptography.sign(&[7; 32], b"message").map_err(unexpected)?;
    }
    let ticked = ticks().wrapping_sub(ticks_before);
    check(ticked > 10, format_args!("{ticked} ticks in a second"))
}
