//! Native and sandboxed decoding, timed side by side.

use std::time::{Duration, Instant};

use omniglot_demo::{DecodeError, Decoder};

/// Number of runs of each, interleaved, so that both see the same machine. It is odd, so there is a
/// median.
pub(crate) const RUNS: usize = 21;

/// Number of worker starts that are timed.
const STARTS: usize = 5;

/// Medians.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) native: Duration,
    pub(crate) sandboxed: Duration,
}

impl Times {
    /// Returns the ratio of sandboxed to native time.
    pub(crate) fn ratio(self) -> f64 {
        self.sandboxed.as_secs_f64() / self.native.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Times the decoding of a valid file. The sandboxed time includes every copy into and out of the
/// worker's memory.
pub(crate) fn decode(decoder: &mut Decoder, file: &[u8]) -> Result<Times, DecodeError> {
    let (mut native, mut sandboxed) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        native.push(time(|| drop(omniglot_demo_native::decode(file))));
        let mut outcome = Ok(());
        sandboxed.push(time(|| outcome = decoder.decode(file).map(drop)));
        outcome?;
    }
    Ok(Times { native: median(native), sandboxed: median(sandboxed) })
}

/// Returns how long a worker with libpng takes to start.
pub(crate) fn start() -> omniglot::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let mut decoder = None;
        times.push(time(|| decoder = Some(Decoder::new())));
        decoder.transpose()?;
    }
    Ok(median(times))
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
