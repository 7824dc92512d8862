//! `cargo xtask soak`: long runs while workers and hosts are killed and the system runs out of
//! things.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::cargo;
use crate::workspace::Workspace;

/// How long, and from which seed.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many minutes workers are killed, stopped and continued at random
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u64,

    /// How many instances are made, used and dropped one after the other
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    lives: u64,

    /// How many hosts are killed while they start workers
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    hosts: u32,

    /// Where random choices start, to make a run again; without it each run is another
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Options {
    /// The scenarios, each as the arguments of a process of its own.
    fn scenarios(&self) -> Vec<Vec<String>> {
        let (seconds, lives, hosts) =
            ((60 * self.minutes).to_string(), self.lives.to_string(), self.hosts.to_string());
        let scenarios = [
            &["sabotage", "--seconds", &seconds][..],
            &["lives", "--lives", &lives],
            &["hosts", "--rounds", &hosts],
            &["limits"],
        ];
        let seed = self.seed.map(|seed| format!("--seed={seed}"));
        let words = |scenario: &[&str]| scenario.iter().map(ToString::to_string).collect();
        let with_seed = |words: Vec<String>| words.into_iter().chain(seed.clone()).collect();
        scenarios.into_iter().map(words).map(with_seed).collect()
    }
}

/// Runs the scenarios one after the other, also after one has failed, and passes the last
/// failure's exit status on. Each prints its figures and its seed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut code = ExitCode::SUCCESS;
    for scenario in options.scenarios() {
        let mut command = cargo::command();
        command.args(["run", "--quiet", "--package", "omniglot-soak", "--"]).args(&scenario);
        // A panic for want of memory has none for a trace either.
        command.env("RUST_BACKTRACE", "0").current_dir(workspace.root());
        let status = command.status().context("could not start cargo")?;
        if !status.success() {
            code = cargo::exit_code(status);
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn a_seed_is_every_scenarios() {
        let options = Options { minutes: 2, lives: 3, hosts: 4, seed: Some(5) };
        let scenarios = options.scenarios();
        assert_eq!(scenarios[0], ["sabotage", "--seconds", "120", "--seed=5"]);
        assert!(scenarios.iter().all(|words| words.ends_with(&["--seed=5".to_owned()])));
    }
}
