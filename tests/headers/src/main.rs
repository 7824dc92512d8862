//! Updates `docs/headers.md` for the headers that are named, for all (`all`), or for those that
//! every run of the tests includes.

#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use omniglot_headers::{Report, chosen, table};

fn main() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let mut file = std::fs::read_to_string(table::PATH).unwrap_or_default();
    for entry in chosen(&names.join(",")) {
        // A header that fails does not affect the others.
        match Report::of(entry) {
            Ok(report) => {
                eprintln!("{}: {:.1} s", report.name, report.seconds);
                for (reason, names) in report.missing() {
                    eprintln!("{}: {reason}: {}", report.name, names.join(", "));
                }
                file = table::updated(&file, &[report], true);
            }
            Err(error) => eprintln!("{}: {error:#}", entry.name),
        }
    }
    std::fs::write(table::PATH, file).with_context(|| format!("cannot write {}", table::PATH))
}
