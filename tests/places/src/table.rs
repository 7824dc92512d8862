//! docs/where-it-runs.md.

use std::fmt::Write as _;

use crate::list::Place;
use crate::outcome::{Outcome, Report};

/// What came of a place: a report, or why there is none.
pub type Looked<'a> = (&'a Place, Result<Report, String>);

/// The table, and what is missing for lines that could not be run.
#[must_use]
pub fn table(looked: &[Looked<'_>], machine: &str) -> String {
    let mut text = format!(
        "# Where it runs\n\n\
         Made by `cargo xtask places` on {machine}. In each place a small host decodes a picture with \
         the system's libpng, and sees a crash, a call that never returns, and a reset; then `omniglot \
         doctor` runs there, and must say the same. [tests/places](../tests/places) has the places \
         and the host. Not tried: gVisor, Docker's own daemon, Flatpak, Kubernetes.\n\n\
         | place | decodes | crash | timeout | reset | `omniglot doctor` |\n|---|---|---|---|---|---|\n"
    );
    for (place, outcome) in looked {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", line(place, outcome));
    }
    text
}

fn line(place: &Place, outcome: &Result<Report, String>) -> String {
    match outcome {
        Ok(report) if report.host.is_good() => {
            let doctor = if report.doctor.is_none() { "it works" } else { "it does not work" };
            format!("| {} | yes | yes | yes | yes | {doctor} |", place.name)
        }
        Ok(report) => {
            let parts =
                report.host.parts().map(|part| if part == Outcome::GOOD { "yes" } else { "no" });
            let said = report.doctor.as_deref().unwrap_or("it works");
            format!("| {} | {} | {} |", place.name, parts.join(" | "), escaped(said))
        }
        Err(why) => format!("| {} | not run: {} | | | | |", place.name, escaped(why)),
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
