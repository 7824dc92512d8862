//! The table of attacks by runtime, read from the output of test programs.

use std::collections::BTreeMap;
use std::fmt;

/// A runtime under attack, which is a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Runtime {
    Process,
    Unprotected,
    Keys,
    Sfi,
    Pmp,
}

/// All columns, in order.
const RUNTIMES: [Runtime; 5] =
    [Runtime::Process, Runtime::Unprotected, Runtime::Keys, Runtime::Sfi, Runtime::Pmp];

/// The prefixes of test names, by runtime. Those of the process runtime have no prefix, so the
/// program that prints them decides.
const PREFIXES: [(&str, Runtime); 4] = [
    ("unprotected::", Runtime::Unprotected),
    ("keys::", Runtime::Keys),
    ("sfi::", Runtime::Sfi),
    ("attacks::", Runtime::Pmp),
];

/// The program whose tests attack the process runtime.
const PROCESS_PROGRAM: &str = "tests/attacks.rs";

/// The result of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The runtime stopped the attack, or it did no harm.
    Held,
    /// The attack did harm, or had another result than it must.
    Failed,
    /// The runtime does not claim to stop it, or this machine cannot run it.
    Skipped,
}

/// Attacks, with the result on each runtime.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    rows: BTreeMap<String, BTreeMap<Runtime, Verdict>>,
    /// True if the output being read is from [`PROCESS_PROGRAM`].
    in_process_program: bool,
}

impl Matrix {
    /// Parses the output of cargo and test programs.
    pub(super) fn read(output: &str) -> Self {
        let mut matrix = Self::default();
        output.lines().for_each(|line| matrix.line(line));
        matrix
    }

    fn line(&mut self, line: &str) {
        if line.trim_start().starts_with("Running ") {
            self.in_process_program = line.contains(PROCESS_PROGRAM);
        } else if let Some((name, verdict)) = result(line)
            && let Some((runtime, attack)) = self.place(name)
        {
            self.rows.entry(attack.to_owned()).or_default().insert(runtime, verdict);
        }
    }

    /// The runtime and the name of the attack for the test called `name`.
    fn place<'name>(&self, name: &'name str) -> Option<(Runtime, &'name str)> {
        let prefixed =
            |(prefix, runtime): (&str, Runtime)| Some((runtime, name.strip_prefix(prefix)?));
        let process = self.in_process_program.then_some((Runtime::Process, name));
        PREFIXES.into_iter().find_map(prefixed).or(process)
    }

    fn count(&self, runtime: Runtime, verdict: Verdict) -> usize {
        self.rows.values().filter(|row| row.get(&runtime) == Some(&verdict)).count()
    }
}

/// The name and verdict in a line such as `test memory::wild_write ... ok`. A kind in brackets may
/// be between name and dots.
fn result(line: &str) -> Option<(&str, Verdict)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.split_once("] ").map_or(name, |(_, name)| name).trim();
    let verdict = match verdict.trim() {
        "ok" => Verdict::Held,
        "FAILED" => Verdict::Failed,
        "ignored" => Verdict::Skipped,
        _ => return None,
    };
    Some((name, verdict))
}

impl fmt::Display for Matrix {
    /// Prints a line for each attack, then a line with totals for each verdict.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.keys().map(String::len).max().unwrap_or(0).max("attack".len());
        line(out, width, "attack", RUNTIMES.map(|runtime| runtime.to_string()))?;
        for (attack, row) in &self.rows {
            let cell = |runtime| row.get(&runtime).map_or(String::new(), Verdict::to_string);
            line(out, width, attack, RUNTIMES.map(cell))?;
        }
        writeln!(out)?;
        for verdict in [Verdict::Held, Verdict::Failed, Verdict::Skipped] {
            let counts = RUNTIMES.map(|runtime| self.count(runtime, verdict).to_string());
            line(out, width, &format!("total {verdict}"), counts)?;
        }
        Ok(())
    }
}

fn line(
    out: &mut fmt::Formatter<'_>,
    width: usize,
    first: &str,
    cells: [String; RUNTIMES.len()],
) -> fmt::Result {
    write!(out, "{first:<width$}")?;
    for cell in cells {
        write!(out, "  {cell:>11}")?;
    }
    writeln!(out)
}

impl fmt::Display for Runtime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Process => "process",
            Self::Unprotected => "unprotected",
            Self::Keys => "keys",
            Self::Sfi => "sfi",
            Self::Pmp => "pmp",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Held => "held",
            Self::Failed => "FAILED",
            Self::Skipped => "not claimed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Matrix;

    const OUTPUT: &str = "     Running tests/attacks.rs (target/debug/deps/attacks-1)\n\
        test memory::wild_write ... ok\n\
        test channel::twice     ... FAILED\n\
        \x20    Running tests/escapes.rs (target/debug/deps/escapes-1)\n\
        test unprotected::memory::wild_write ... ignored\n\
        test keys::memory::wild_write ... ok\n\
        test sfi::memory::wild_write ... ok\n\
        test attacks::requests::unknown_0x1 ... ok\n\
        test conformance::other ... ok\n";

    #[test]
    fn each_attack_has_a_line_and_each_runtime_a_column() {
        let table = Matrix::read(OUTPUT).to_string();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let lines: Vec<Vec<String>> = table.lines().map(words).collect();
        assert_eq!(lines[0], ["attack", "process", "unprotected", "keys", "sfi", "pmp"]);
        assert_eq!(lines[1], ["channel::twice", "FAILED"]);
        assert_eq!(lines[2], ["memory::wild_write", "held", "not", "claimed", "held", "held"]);
        assert_eq!(lines[3], ["requests::unknown_0x1", "held"]);
        assert_eq!(lines.len(), 8, "{table}");
    }

    #[test]
    fn totals_are_by_runtime() {
        let table = Matrix::read(OUTPUT).to_string();
        let total = |verdict: &str| {
            let line = table.lines().find(|line| line.starts_with(verdict)).unwrap_or_default();
            line[verdict.len()..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(total("total held"), ["1", "0", "1", "1", "1"]);
        assert_eq!(total("total FAILED"), ["1", "0", "0", "0", "0"]);
        assert_eq!(total("total not claimed"), ["0", "1", "0", "0", "0"]);
    }

    #[test]
    fn tests_that_are_no_attacks_are_left_out() {
        let table =
            Matrix::read("     Running tests/unit.rs (x)\ntest conformance::other ... ok\n");
        assert!(table.rows.is_empty());
    }
}
