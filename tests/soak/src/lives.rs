//! Makes very many instances, one after another.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;

use crate::census::{Census, resident_kib};
use crate::judge::Tally;
use crate::work::{Job, builder};

/// Number of lives before the first count, so that one-time threads and files exist already.
const WARM_UP: u64 = 30;
/// How much resident memory may grow, in KiB: allocators keep some of what was freed.
const MOST_GROWTH: u64 = 8 << 10;

/// Makes, uses and drops `lives` instances.
pub(crate) fn run(seed: u64, lives: u64) -> Result<()> {
    let mut random = Rng::with_seed(seed);
    let mut tally = Tally::default();
    (0..WARM_UP).try_for_each(|_| live(&mut random, &mut tally))?;
    let before = Census::settled()?;
    let resident = resident_kib()?;
    let begin = Instant::now();
    for life in 0..lives {
        let begin = Instant::now();
        live(&mut random, &mut tally).with_context(|| format!("in life {life}"))?;
        tally.time(begin.elapsed());
    }
    let taken = begin.elapsed();
    before.wait_for_return()?;
    let grown = resident_kib()?.saturating_sub(resident);
    ensure!(grown < MOST_GROWTH, "{grown} KiB more are resident");
    println!("lives: {lives} in {taken:.1?}, {grown} KiB grown; {tally}; {before:?}; seed {seed}");
    Ok(())
}

/// One life, with some work and some resets.
fn live(random: &mut Rng, tally: &mut Tally) -> Result<()> {
    let spares = [0, 0, 1, 2][random.usize(..4)];
    let mut library = builder().spares(spares).build()?;
    tally.count("built");
    for _ in 0..random.u8(1..4) {
        let job = Job::any(random);
        job.on(&mut library).with_context(|| format!("{job:?}"))?;
        tally.count(format!("{job:?}"));
        if library.poisoned().is_some() || random.u8(..4) == 0 {
            library.reset()?;
            tally.count("reset");
        }
    }
    Ok(())
}
