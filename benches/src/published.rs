//! Published figures, for what cannot be measured on machines without protection keys.

use std::fmt;

use serde::Serialize;

/// A figure as its source gives it, in cycles.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Published {
    workload: &'static str,
    variant: &'static str,
    lowest_cycles: f64,
    highest_cycles: f64,
    source: &'static str,
    /// Always false: these were not measured here.
    measured: bool,
}

/// `WRPKRU`, of which a call behind a key executes two more than one on `Unprotected`.
pub(crate) const KEY_WRITES: [Published; 2] = [
    wrpkru(23.3, 23.3, "Park et al., libmpk, USENIX ATC 2019, table 1"),
    wrpkru(11.0, 260.0, "Vahldiek-Oberwagner et al., ERIM, USENIX Security 2019"),
];

const fn wrpkru(lowest_cycles: f64, highest_cycles: f64, source: &'static str) -> Published {
    let (workload, variant) = ("key_writes", "wrpkru");
    Published { workload, variant, lowest_cycles, highest_cycles, source, measured: false }
}

impl fmt::Display for Published {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lowest, highest) = (self.lowest_cycles, self.highest_cycles);
        write!(out, "{:<12} {lowest} to {highest} cycles each, two a call: ", self.variant)?;
        write!(out, "published, not measured here ({})", self.source)
    }
}
