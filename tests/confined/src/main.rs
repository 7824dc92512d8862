//! Runs code that the verifier accepted, and checks that it stays in its region.
//!
//! Texts are made of random and mutated bytes. Whatever the verifier accepts runs in a region, with
//! registers and memory full of addresses that would interest an attacker: in the host's memory, in
//! neighbouring regions, and at the ends of the region itself. Most runs are free. They end with a
//! fault in the region or its guard pages, at the gate, or after some ticks of the clock. Then this
//! program checks where control and the stack pointer are, and which memory the last instruction
//! would have accessed according to another decoder. Nearly all that foreign code must not access
//! is not mapped, so an access there is the fault. Some texts run instruction by instruction, and
//! all of this is checked before each.
//!
//! Patterns in the few pages of the host and the neighbours that can be written are compared after
//! each *batch*. If one was changed, the same batch runs again, and they are compared after each
//! run. A batch depends only on its seed: it has its own pieces to mutate, and begins with new data
//! in the region. Only endless loops are cut off at another place each time.
//!
//! This is a separate process, since it replaces signal handlers, and since code that the verifier
//! should not have accepted may do anything. `cargo xtask fuzz confined` runs it for minutes.

mod distinct;
mod judge;
mod region;
mod run;
mod texts;
mod works;

use std::collections::BTreeMap;
use std::process::ExitCode;

use omniglot_fuzz::{Random, Session};
use omniglot_verify::{GUARD, REGION, TEXT_MAX, TEXT_MIN};

use crate::judge::Judge;
use crate::region::{Region, STACK, TEXT};
use crate::run::{RSP, Registers};
use crate::texts::{Bytes, Texts, Tried};

/// Statistics for the last lines of the output.
#[derive(Default)]
struct Count {
    tried: Tried,
    runs: u64,
    steps: u64,
    stepped: u64,
    /// How runs ended, by signal. 0 is the gate.
    signals: BTreeMap<i32, u64>,
}

/// Number of byte sequences in each batch, which is one run of a session.
const SEQUENCES: u32 = 100_000;
/// Number of texts of many pieces in each batch, and of runs of each.
const WHOLE: u32 = 5;
const WHOLE_RUNS: u32 = 64;
/// One run of so many is in single steps. A step takes as long as some ten runs, as it is a trap,
/// and a virtual machine leaves to its host at each.
const STEPPED: u64 = 1024;
/// The same for texts of many pieces.
const WHOLE_STEPPED: u64 = 256;

fn main() -> ExitCode {
    match all() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn all() -> Result<(), String> {
    let region = Region::new().map_err(|error| format!("could not make a region: {error}"))?;
    let judge = Judge::new(region.base());
    let mut bench = Bench { region, judge, count: Count::default(), is_careful: false };
    works::works(&mut bench.region)
        .map_err(|what| format!("a function that should work does not: {what}"))?;
    let mut session = Session::new("confined", 3);
    while let Some(random) = session.next_run() {
        run::note_session_run(session.last_run());
        bench.batch(&random)?;
    }
    let Count { tried: Tried { tried, accepted, whole, distinct }, runs, steps, stepped, signals } =
        bench.count;
    println!(
        "confined: {tried} sequences of bytes through the verifier, about {} of them different; \
         {accepted} accepted, and {whole} texts of many pieces; {runs} runs, {stepped} of them in \
         {steps} steps; ended by {signals:?}",
        distinct.count()
    );
    let is_enough = runs > 0 && whole > 0 && steps > 0 && signals.contains_key(&libc::SIGSEGV);
    if is_enough { Ok(()) } else { Err("that was too little".to_owned()) }
}

/// Everything that runs need.
struct Bench {
    region: Region,
    judge: Judge,
    count: Count,
    /// Compares the patterns after each run.
    is_careful: bool,
}

impl Bench {
    /// Runs a batch. If it changed a pattern, runs it again to find out which text did.
    fn batch(&mut self, random: &Random) -> Result<(), String> {
        self.texts(&mut random.clone())?;
        let Some(broken) = self.region.broken() else { return Ok(()) };
        self.is_careful = true;
        self.texts(&mut random.clone())?;
        Err(format!("memory at {broken:#x} was changed, but not when the same texts ran again"))
    }

    /// Runs some sequences by themselves, then texts made of many.
    fn texts(&mut self, random: &mut Random) -> Result<(), String> {
        let mut texts = Texts::new();
        self.region.fill(random, value);
        let mut left = SEQUENCES;
        while left > 0 {
            let (slots, made) = texts.slots(random, left, &mut self.count.tried);
            left -= made;
            self.read(&slots.text);
            for start in slots.starts() {
                self.run(random, &slots.text, start, STEPPED)?;
            }
            self.check_base(&slots.text)?;
        }
        for _ in 0..WHOLE {
            let Some(text) = texts.whole(random, &mut self.count.tried) else { continue };
            self.read(&text);
            for _ in 0..WHOLE_RUNS {
                let start = random.below(TEXT as u64 / 32) * 32;
                self.run(random, &text, start, WHOLE_STEPPED)?;
            }
            self.check_base(&text)?;
        }
        Ok(())
    }

    fn read(&mut self, text: &Bytes) {
        self.region.put(text);
        self.judge.read(text);
    }

    /// Runs a text from a place, and judges the result.
    fn run(
        &mut self,
        random: &mut Random,
        text: &Bytes,
        start: u64,
        stepped: u64,
    ) -> Result<(), String> {
        let registers = registers(random, &self.region);
        let steps = random.once_in(stepped);
        let stops = self.region.run(&registers, start, steps);
        self.count.note(stops, steps);
        let told = || {
            let lines = &text[start as usize..][..32];
            format!("from {start:#x} with {registers:x?}; the line there is {lines:02x?}")
        };
        self.judge.judge(text, stops).map_err(|what| format!("{what} {}", told()))?;
        if self.is_careful
            && let Some(broken) = self.region.broken()
        {
            return Err(format!("memory at {broken:#x} was changed {}", told()));
        }
        Ok(())
    }

    fn check_base(&self, text: &Bytes) -> Result<(), String> {
        if self.region.has_its_base() {
            return Ok(());
        }
        Err(format!("the base is another after runs of {text:02x?}"))
    }
}

impl Count {
    fn note(&mut self, stops: &[run::Stop], steps: bool) {
        self.runs += 1;
        if steps {
            self.stepped += 1;
            self.steps += stops.len() as u64;
        }
        if let Some(last) = stops.last() {
            *self.signals.entry(last.signal).or_default() += 1;
        }
    }
}

/// Returns a number that an attacker might choose.
fn value(random: &mut Random, region: &Region) -> u64 {
    const EDGES: [u64; 8] =
        [0, TEXT_MIN, GUARD, TEXT_MAX, REGION - 1, REGION - 8, 1 << 31, (1 << 31) - 4];
    let base = region.base();
    let data = Region::data();
    let number = random.number();
    let near = (number >> 8 & 63).wrapping_sub(32);
    match number & 7 {
        0 | 1 => random.pick(region.forbidden()).wrapping_add(near),
        2 | 3 => random.pick(&data).wrapping_add(near),
        4 => base + random.pick(&data).wrapping_add(near),
        5 if number & 8 == 0 => TEXT_MIN + (number >> 16) % TEXT as u64,
        5 => random.pick(&EDGES).wrapping_add(near),
        6 => base.wrapping_add(*random.pick(&EDGES)).wrapping_add(near),
        _ => random.edge(),
    }
}

/// Returns registers that an attacker might choose. RSP is as the verifier's proof requires.
fn registers(random: &mut Random, region: &Region) -> Registers {
    let base = region.base();
    let mut registers = [0; 18];
    for register in &mut registers[..16] {
        *register = value(random, region);
    }
    // Counts of repeated string instructions. Most are small enough to end.
    if random.once_in(2) {
        registers[1] = random.below(100);
    }
    let places = [STACK, STACK, STACK, TEXT_MIN, TEXT_MAX - 8, 0, REGION - 8];
    registers[RSP] = base + random.pick(&places);
    registers
}
