//! Writes `docs/headers.md`.

#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use omniglot_headers::{Report, table};

fn main() -> Result<()> {
    let reports = Report::all()?;
    let text = table::render(&reports);
    std::fs::write(table::PATH, &text).with_context(|| format!("cannot write {}", table::PATH))?;
    for report in &reports {
        for (reason, names) in report.missing() {
            eprintln!("{}: {reason}: {}", report.name, names.join(", "));
        }
    }
    Ok(())
}
