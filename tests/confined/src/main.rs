//! Runs code that the verifier accepted, and checks that it stays in its region.
//!
//! Texts are made of random and mutated bytes. Whatever the verifier accepts runs in a region, with
//! registers full of addresses that would interest an attacker: in the host's memory, in
//! neighbouring regions, and at the ends of the region itself. Some texts run instruction by
//! instruction. Before each, this program checks where control and the stack pointer are, and which
//! memory the instruction would access according to another decoder. Others run freely. Each run
//! must stop with a fault in the region or its guard pages, and patterns in the host's memory, in
//! the neighbours and in the base page must be unchanged.
//!
//! This is a separate process, since it replaces signal handlers, and since code that the verifier
//! should not have accepted may do anything. `cargo xtask fuzz confined` runs it for minutes.

mod judge;
mod region;
mod texts;
mod works;

use std::collections::BTreeMap;
use std::process::ExitCode;

use omniglot_fuzz::{Random, Session};
use omniglot_verify::{GUARD, REGION, TEXT_MAX, TEXT_MIN};

use crate::judge::Judge;
use crate::region::{RSP, Region, Registers, STACK, TEXT};
use crate::texts::Texts;

/// Statistics for the last lines of the output.
#[derive(Default)]
struct Count {
    runs: u64,
    steps: u64,
    stepped: u64,
    /// How runs ended, by signal.
    signals: BTreeMap<i32, u64>,
}

/// Number of byte sequences in each run of a session.
const SEQUENCES: u32 = 10_000;

fn main() -> ExitCode {
    let mut region = match Region::new() {
        Ok(region) => region,
        Err(error) => {
            eprintln!("could not make a region: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(what) = works::works(&mut region) {
        eprintln!("a function that should work does not: {what}");
        return ExitCode::FAILURE;
    }
    let (mut judge, mut texts, mut count) =
        (Judge::new(region.base()), Texts::new(), Count::default());
    let mut session = Session::new("confined", 5);
    while let Some(mut random) = session.next_run() {
        if let Err(what) = round(&mut random, &mut region, &mut judge, &mut texts, &mut count) {
            eprintln!("{what}");
            return ExitCode::FAILURE;
        }
    }
    let Count { runs, steps, stepped, signals } = count;
    println!(
        "confined: {} sequences of bytes through the verifier, {} accepted, {} of them of many \
         pieces; {runs} runs, {stepped} of them in {steps} steps; ended by {signals:?}",
        texts.tried, texts.accepted, texts.whole
    );
    let is_enough =
        runs > 0 && texts.whole > 0 && steps > 0 && signals.contains_key(&libc::SIGSEGV);
    if is_enough { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs some sequences by themselves, then texts made of many.
fn round(
    random: &mut Random,
    region: &mut Region,
    judge: &mut Judge,
    texts: &mut Texts,
    count: &mut Count,
) -> Result<(), String> {
    for _ in 0..SEQUENCES {
        let Some(text) = texts.single(random) else { continue };
        let text = *text;
        region.put(&text);
        judge.read(&text);
        try_text(random, region, judge, &text, 0, count)?;
    }
    for _ in 0..SEQUENCES / 1000 {
        let Some(text) = texts.whole(random) else { continue };
        region.put(&text);
        judge.read(&text);
        for _ in 0..4 {
            let start = random.below(TEXT as u64 / 32) * 32;
            try_text(random, region, judge, &text, start, count)?;
        }
    }
    Ok(())
}

/// Runs a text from a place, and judges the result.
fn try_text(
    random: &mut Random,
    region: &mut Region,
    judge: &mut Judge,
    text: &[u8; TEXT],
    start: u64,
    count: &mut Count,
) -> Result<(), String> {
    let registers = registers(random, region);
    let steps = random.once_in(8);
    let stops = region.run(&registers, start, steps);
    count.runs += 1;
    if steps {
        count.stepped += 1;
        count.steps += stops.len() as u64;
    }
    if let Some(last) = stops.last() {
        *count.signals.entry(last.signal).or_default() += 1;
    }
    let told = || {
        let line = &text[start as usize..][..32];
        format!("from {start:#x} with {registers:x?}; the line there is {line:02x?}")
    };
    judge.judge(text, stops).map_err(|what| format!("{what} {}", told()))?;
    if let Some(broken) = region.broken() {
        return Err(format!("memory at {broken:#x} was changed {}", told()));
    }
    if count.runs.is_multiple_of(16) && !region.has_its_base() {
        return Err(format!("the base is another {}", told()));
    }
    Ok(())
}

/// Returns registers that an attacker might choose. RSP is as the verifier's proof requires.
fn registers(random: &mut Random, region: &Region) -> Registers {
    let base = region.base();
    let forbidden: Vec<u64> = region.forbidden().collect();
    let data = Region::data();
    let edges = [0, TEXT_MIN, GUARD, TEXT_MAX, REGION - 1, REGION - 8, 1 << 31, (1 << 31) - 4];
    let mut registers = [0; 18];
    for register in &mut registers {
        let near = random.below(64).wrapping_sub(32);
        *register = match random.below(8) {
            0 | 1 => random.pick(&forbidden).wrapping_add(near),
            2 | 3 => random.pick(&data).wrapping_add(near),
            4 => base + random.pick(&data).wrapping_add(near),
            5 if random.once_in(2) => TEXT_MIN + random.below(TEXT as u64),
            5 => random.pick(&edges).wrapping_add(near),
            6 => base.wrapping_add(*random.pick(&edges)).wrapping_add(near),
            _ => random.edge(),
        };
    }
    // Counts of repeated string instructions. Most are small enough to end.
    if random.once_in(2) {
        registers[1] = random.below(100);
    }
    let places = [STACK, STACK, STACK, TEXT_MIN, TEXT_MAX - 8, 0, REGION - 8];
    registers[RSP] = base + random.pick(&places);
    registers
}
