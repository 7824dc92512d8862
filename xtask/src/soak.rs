//! `cargo xtask soak`: long runs during which workers and hosts are killed, and system resources
//! are exhausted.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::cargo;
use crate::workspace::Workspace;

/// The options of `cargo xtask soak`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The number of minutes in which workers are killed, stopped and continued at random
    #[arg(long, value_name = "N", default_value_t = 10)]
    minutes: u64,

    /// The number of instances that are created, used and dropped one after another
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    lives: u64,

    /// The number of hosts that are killed while they start workers
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    hosts: u32,

    /// The seed of random choices, to repeat a run; by default each run differs
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Options {
    /// The scenarios, each as the arguments of a separate process.
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

/// Runs the scenarios one after another, even after one has failed. Returns the last failure's exit
/// status. Each scenario prints its figures and its seed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let mut code = ExitCode::SUCCESS;
    for scenario in options.scenarios() {
        let mut command = cargo::command();
        command.args(["run", "--quiet", "--package", "omniglot-soak", "--"]).args(&scenario);
        // A panic caused by lack of memory has no memory for a backtrace either.
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
