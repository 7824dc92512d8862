//! Published figures: the paper's, and those for what cannot be measured here.

use std::fmt;

use serde::Serialize;

/// A figure in cycles, as in its source.
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

/// `WRPKRU`: a call behind a key executes two more of them than one on `Unprotected`.
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

/// The paper's figures for one workload and size, in nanoseconds, on its machines. They are from
/// the outputs that were published with its artifact; the printed paper may round them differently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paper {
    /// The name of the workload here.
    pub(crate) workload: &'static str,
    /// The size as here; for pictures, the bytes of their pixels.
    pub(crate) size: usize,
    /// Plain FFI.
    pub(crate) plain: Option<f64>,
    /// Behind protection keys, with the checks compiled out.
    pub(crate) isolation: Option<f64>,
    /// Behind protection keys.
    pub(crate) omniglot: f64,
    /// A process, with serialisation (Sandcrust).
    pub(crate) ipc: Option<f64>,
}

/// All of the paper's figures for the workloads that are measured here.
pub(crate) const PAPER: &[Paper] = &[
    paper("process_start", 0, [1.580e6, NONE, 4.150e6, 1.872e6]),
    paper("empty_call", 0, [13.74, NONE, 104.5, 10_722.0]),
    paper("upgrade", 1, [NONE, NONE, 32.3, NONE]),
    paper("upgrade", 8, [NONE, NONE, 163.4, NONE]),
    paper("upgrade", 64, [NONE, NONE, 1093.0, NONE]),
    paper("callback", 1, [NONE, NONE, 238.8, NONE]),
    paper("callback", 8, [NONE, NONE, 373.6, NONE]),
    paper("callback", 64, [NONE, NONE, 1333.0, NONE]),
    paper("validate_u8", 64, [NONE, NONE, 1.67, NONE]),
    paper("validate_u8", 8192, [NONE, NONE, 1.70, NONE]),
    paper("validate_str", 64, [NONE, NONE, 360.0, NONE]),
    paper("validate_str", 8224, [NONE, NONE, 70_600.0, NONE]),
    paper("validate_str", 1 << 20, [NONE, NONE, 9.86e6, NONE]),
    paper("libsodium", 64, [421.0, NONE, 510.0, 11_590.0]),
    paper("libsodium", 512, [1021.0, NONE, 1122.0, 15_342.0]),
    paper("libsodium", 4096, [6663.0, NONE, 6886.0, 51_280.0]),
    paper("libsodium", 32_768, [51_744.0, 53_590.0, 53_626.0, 356_007.0]),
    paper("brotli", 8, [440e3, NONE, 444e3, NONE]),
    paper("brotli", 64, [795e3, NONE, 802e3, NONE]),
    paper("brotli", 128, [891e3, NONE, 891e3, NONE]),
    paper("brotli", 256, [1.204e6, NONE, 1.204e6, NONE]),
    paper("brotli", 512, [1.948e6, NONE, 1.950e6, NONE]),
    paper("brotli", 1024, [3.2903e6, 3.2982e6, 3.3173e6, NONE]),
    paper("libpng", 210, [8000.0, 14_900.0, 15_700.0, 42_200.0]),
    paper("libpng", 23_328, [357_000.0, 404_300.0, 405_200.0, NONE]),
    paper("libpng", 2_343_612, [29.69e6, 29.81e6, 29.81e6, 70.1e6]),
];

/// Stands for a missing figure.
const NONE: f64 = f64::NAN;

const fn paper(workload: &'static str, size: usize, figures: [f64; 4]) -> Paper {
    let [plain, isolation, omniglot, ipc] = figures;
    Paper {
        workload,
        size,
        plain: some(plain),
        isolation: some(isolation),
        omniglot,
        ipc: some(ipc),
    }
}

const fn some(figure: f64) -> Option<f64> {
    if figure.is_nan() { None } else { Some(figure) }
}
