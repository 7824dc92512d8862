//! The performance goals, and the figures that were reached.

use omniglot_turns::Unit;

use super::{amount, factor};
use crate::results::Results;
use crate::runtimes::{RUNTIMES, UNCHECKED};

/// The paper's workloads that use a real library.
const LIBRARIES: [&str; 3] = ["libsodium", "brotli", "libpng"];

/// A goal, and the figure that was reached.
pub(crate) struct Goal {
    pub(crate) what: String,
    /// The largest acceptable figure, or `None` if it is another one that was not measured.
    pub(crate) limit: Option<f64>,
    /// The figure that was reached, or `None` if it was not measured.
    pub(crate) value: Option<f64>,
    /// The unit of both figures, or `None` for a ratio.
    unit: Option<Unit>,
    /// What the goal means for a user.
    pub(crate) meaning: &'static str,
}

impl Goal {
    fn ratio(
        what: impl Into<String>,
        limit: f64,
        value: Option<f64>,
        meaning: &'static str,
    ) -> Self {
        Self { what: what.into(), limit: Some(limit), value, unit: None, meaning }
    }

    fn amount(
        what: &str,
        (limit, unit): (f64, Unit),
        value: Option<f64>,
        meaning: &'static str,
    ) -> Self {
        let limit = Some(limit);
        Self { what: what.to_owned(), limit, value, unit: Some(unit), meaning }
    }

    /// Makes a goal of two ratios: the first is to be no larger than the second.
    fn at_most(
        what: impl Into<String>,
        [value, limit]: [Option<f64>; 2],
        meaning: &'static str,
    ) -> Self {
        Self { what: what.into(), limit, value, unit: None, meaning }
    }

    /// Formats the limit.
    pub(crate) fn limit_text(&self) -> String {
        self.text(self.limit)
    }

    /// Formats the figure.
    pub(crate) fn value_text(&self) -> String {
        self.text(self.value)
    }

    fn text(&self, value: Option<f64>) -> String {
        let Some(value) = value else { return "not measured".to_owned() };
        self.unit.map_or_else(|| factor(value), |unit| amount(value, unit))
    }

    /// Returns whether the goal was met, or `None` if it was not measured.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.value.zip(self.limit).map(|(value, limit)| value <= limit)
    }
}

/// Returns all goals.
pub(crate) fn goals(results: &Results) -> Vec<Goal> {
    let mut goals = checks(results);
    goals.extend(isolation(results));
    goals.extend(growth(results));
    goals.extend(validation(results));
    goals.extend(process(results));
    goals.extend(sfi(results));
    goals.extend(chatty(results));
    goals.extend(["wasm", "wasm2c"].into_iter().flat_map(|other| beside(results, other)));
    goals
}

/// Returns the largest of the ratios, or `None` if there are none.
fn worst(ratios: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    ratios.into_iter().flatten().reduce(f64::max)
}

/// The cost of upgrades and validation, relative to isolation alone.
fn checks(results: &Results) -> Vec<Goal> {
    let mut goals = Vec::new();
    for runtime in RUNTIMES {
        for workload in LIBRARIES {
            let base = format!("{runtime}{UNCHECKED}");
            let ratio = |size| results.ratio(workload, size, runtime, &base);
            let value = worst(results.sizes(workload).into_iter().map(ratio));
            goals.push(Goal::ratio(
                format!("checks over none, {workload}, {runtime}, the worst size"),
                1.01,
                value,
                "What type safety adds, once the library is isolated anyway.",
            ));
        }
    }
    goals
}

/// The cost of isolation, relative to plain FFI.
fn isolation(results: &Results) -> Vec<Goal> {
    let at = |workload, size, runtime| results.ratio(workload, size, runtime, "native");
    let from = |workload, least: usize, runtime| {
        let sizes = results.sizes(workload).into_iter().filter(|size| *size >= least);
        worst(sizes.map(|size| at(workload, size, runtime)))
    };
    let meaning = "What you pay when you take this instead of plain FFI.";
    let row = |what: &str, limit, value| Goal::ratio(what, limit, value, meaning);
    vec![
        row(
            "unprotected over plain FFI, libsodium 32 KiB",
            1.01,
            at("libsodium", 32_768, "unprotected"),
        ),
        row("unprotected over plain FFI, Brotli 1,024 B", 1.005, at("brotli", 1024, "unprotected")),
        row(
            "unprotected over plain FFI, libpng from 24 kB on",
            1.03,
            from("libpng", 23_000, "unprotected"),
        ),
        row(
            "process over plain FFI, libpng from 100 kB on",
            1.05,
            from("libpng", 100_000, "process"),
        ),
        row(
            "process over plain FFI, Brotli q5 from 64 KiB on",
            1.05,
            from("brotli_q5", 65_536, "process"),
        ),
        row("process over plain FFI, libsodium 32 KiB", 1.10, at("libsodium", 32_768, "process")),
    ]
}

/// Costs that must not grow with the number of other things.
fn growth(results: &Results) -> Vec<Goal> {
    let growth = |workload, most| {
        let each = |runtime: &str| {
            let median = |size| results.median(workload, size, runtime);
            Some(median(most)? / median(1)?)
        };
        worst(RUNTIMES.map(each))
    };
    vec![
        Goal::ratio(
            "upgrade, from 1 to 4,096 living allocations",
            1.1,
            growth("upgrade", 4096),
            "Checking a pointer costs the same however much you have allocated.",
        ),
        Goal::ratio(
            "callback, from 1 to 64 registered",
            1.1,
            growth("callback", 64),
            "A callback costs the same however many you have registered.",
        ),
    ]
}

/// The cost of validating values, relative to copying them.
fn validation(results: &Results) -> Vec<Goal> {
    let over = |workload, runtime| results.ratio(workload, 1 << 20, runtime, "memcpy");
    let mut goals = Vec::new();
    for runtime in RUNTIMES {
        goals.push(Goal::ratio(
            format!("text of 1 Mi characters over memcpy, {runtime}"),
            2.0,
            over("validate_str", runtime),
            "Text of the library's is UTF-8 for sure, at about the price of a copy.",
        ));
        let kinds = ["validate_bool", "validate_enum", "validate_struct"];
        goals.push(Goal::ratio(
            format!("arrays of bool, enum and struct of 1 MiB over memcpy, {runtime}"),
            1.5,
            worst(kinds.map(|workload| over(workload, runtime))),
            "Large arrays of types that not all bits are valid for can be used as they are.",
        ));
    }
    goals
}

/// One workload of each library whose machine code is rewritten.
const REWRITTEN: [&str; 5] = ["zlib", "brotli_q5", "libpng", "libsodium", "sqlite"];

/// Returns what a variant costs over plain FFI with the largest size. The smallest sizes measure
/// the call, not the code.
fn largest(results: &Results, workload: &str, variant: &str) -> Option<f64> {
    let size = results.sizes(workload).into_iter().max()?;
    results.over_plain(workload, size, variant)
}

/// Returns the geometric mean, or `None` if there is nothing.
fn mean(ratios: &[f64]) -> Option<f64> {
    let sum: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (!ratios.is_empty()).then(|| (sum / ratios.len() as f64).exp())
}

/// Workloads that call a library, or are called by it, often and for little work each time, and
/// what they may cost over plain FFI.
const CHATTY: [(&str, f64); 3] = [("lua", 1.5), ("jansson", 1.15), ("jpeg_rows", 1.2)];

/// The cost of software fault isolation where there are many calls.
fn chatty(results: &Results) -> impl Iterator<Item = Goal> {
    let meaning = "A library can be used as it was made to be, with as many calls as that takes.";
    CHATTY.into_iter().map(move |(workload, limit)| {
        let what = format!("sfi over plain FFI, {workload}");
        Goal::ratio(what, limit, largest(results, workload, "sfi"), meaning)
    })
}

/// The cost of software fault isolation.
fn sfi(results: &Results) -> Vec<Goal> {
    let ratios: Vec<f64> =
        REWRITTEN.into_iter().filter_map(|workload| largest(results, workload, "sfi")).collect();
    let mean = mean(&ratios);
    let over = |workload, size| results.ratio(workload, size, "sfi", "unprotected");
    let bytes = results.sizes("verification").into_iter().max();
    let verified = bytes.and_then(|size| {
        results.median("verification", size, "sfi").map(|median| median / size as f64)
    });
    let code = "Machine code that was rewritten is about as fast as it was.";
    let call = "A call needs no more than to change a few registers.";
    let instance = "An instance for each job, or for each user.";
    vec![
        Goal::ratio("sfi over plain FFI, five libraries, geometric mean", 1.05, mean, code),
        Goal::ratio(
            "sfi over plain FFI, the worst of these",
            1.15,
            worst(ratios.into_iter().map(Some)),
            code,
        ),
        Goal::ratio("an empty call, sfi over unprotected", 0.3, over("empty_call", 0), call),
        Goal::ratio("a callback, sfi over unprotected", 0.25, over("callback", 1), call),
        Goal::amount(
            "start with libpng, sfi",
            (1e5, Unit::Ns),
            results.median("start_libpng", 0, "sfi"),
            instance,
        ),
        Goal::amount(
            "reset of libpng after a picture, sfi",
            (1e5, Unit::Ns),
            results.median("reset", 0, "sfi-libpng"),
            instance,
        ),
        Goal::amount(
            "a further idle instance of libpng, sfi",
            (65_536.0, Unit::Bytes),
            results.median("memory", 0, "sfi-libpng"),
            instance,
        ),
        Goal::amount(
            "verification of a byte of code",
            (10.0, Unit::Ns),
            verified,
            "Loading an image for the first time in a process takes a moment.",
        ),
    ]
}

/// The workloads that a module in WebAssembly can do, too: those that measure calls, and the others.
const CALLS: [&str; 3] = ["empty_call", "six_arguments", "callback"];
const WORK: [&str; 8] = [
    "libsodium",
    "brotli",
    "brotli_q5",
    "brotli_q1",
    "brotli_decompress",
    "libpng",
    "zlib",
    "sqlite",
];

/// The cost of software fault isolation, beside that of another way, WebAssembly, each over plain
/// FFI to its own library. The limit is what the other one costs.
fn beside(results: &Results, other: &str) -> Vec<Goal> {
    let call = "A call of verified code takes no longer than one of WebAssembly.";
    let work = "A library that was rewritten is faster than one compiled to WebAssembly.";
    let both = |of: &dyn Fn(&str) -> Option<f64>| ["sfi", other].map(of);
    let mean_of = |variant: &str| {
        let ratios: Option<Vec<f64>> =
            REWRITTEN.iter().map(|workload| largest(results, workload, variant)).collect();
        mean(&ratios?)
    };
    let row = |workload, meaning| {
        let ratios = both(&|variant| largest(results, workload, variant));
        let what =
            format!("sfi beside {other}, each over its plain FFI, {workload}, the largest size");
        Goal::at_most(what, ratios, meaning)
    };
    let all =
        format!("sfi beside {other}, each over its plain FFI, five libraries, geometric mean");
    let mut goals = vec![Goal::at_most(all, both(&mean_of), work)];
    goals.extend(WORK.map(|workload| row(workload, work)));
    goals.extend(CALLS.map(|workload| row(workload, call)));
    goals
}

/// The cost of a process for each instance.
fn process(results: &Results) -> Vec<Goal> {
    let median = |workload, variant| results.median(workload, 0, variant);
    let started = "How long a user waits for a library that has just been asked for.";
    vec![
        Goal::ratio(
            "an empty call to a process over a ping-pong of two processes",
            1.5,
            results.ratio("empty_call", 0, "process", "pingpong"),
            "A call is about as fast as two processors can talk at all.",
        ),
        Goal::amount(
            "start with libpng, process",
            (4e6, Unit::Ns),
            median("start_libpng", "process"),
            started,
        ),
        Goal::amount(
            "start with a small library, process",
            (3e6, Unit::Ns),
            median("start", "process"),
            started,
        ),
        Goal::amount(
            "reset, process",
            (0.2e6, Unit::Ns),
            median("reset", "process"),
            "Cheap enough to do after every job.",
        ),
        Goal::amount(
            "a further idle instance, process",
            (2.0 * 1024.0 * 1024.0, Unit::Bytes),
            median("memory", "process"),
            "How many instances you can keep.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::{CHATTY, REWRITTEN};
    use crate::workloads::selected;

    #[test]
    fn the_name_sfi_selects_what_its_goals_need() {
        let entries = selected(&["sfi".to_owned()]).unwrap();
        let others = ["empty_call", "callback", "start_libpng", "reset", "memory", "verification"];
        let chatty = CHATTY.map(|(workload, _)| workload);
        for workload in others.into_iter().chain(REWRITTEN).chain(chatty) {
            assert!(entries.iter().any(|entry| entry.name == workload), "{workload}");
        }
    }
}
