//! Runs hosts of many instances for a long time while workers are killed and stopped, hosts are
//! killed, and the system runs out of resources. `tests/README.md`, "The long runs", explains.
#![forbid(unsafe_code)]

mod census;
mod hosts;
mod judge;
mod limits;
mod lives;
mod sabotage;
mod work;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Runs one scenario in this process.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the random choices start; printed, so that a run can be made again
    #[arg(long, global = true, default_value_t = fastrand::u64(..))]
    seed: u64,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Workers of 24 instances are killed, stopped and continued at random
    Sabotage {
        /// For how many seconds
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Instances are made, used and dropped one after the other
    Lives {
        /// How many
        #[arg(long, default_value_t = 300)]
        lives: u64,
    },
    /// Hosts are killed at every stage of a start
    Hosts {
        /// How many
        #[arg(long, default_value_t = 60)]
        rounds: u32,
    },
    /// Descriptors, processes, address space, memory and file sizes run out
    Limits {
        /// Only this limit
        #[arg(long)]
        only: Option<limits::Limit>,
        /// How much of it there is, beyond what the process has already
        #[arg(long, requires = "only")]
        room: Option<u64>,
    },
    /// A host that makes instances until it is killed
    #[command(hide = true)]
    Victim,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("FAILED with --seed {}: {error:#}", arguments.seed);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed;
    match arguments.scenario {
        Scenario::Sabotage { seconds } => sabotage::run(seed, Duration::from_secs(seconds)),
        Scenario::Lives { lives } => lives::run(seed, lives),
        Scenario::Hosts { rounds } => hosts::run(seed, rounds),
        Scenario::Limits { only, room } => limits::run(only, room),
        Scenario::Victim => hosts::be_killed(),
    }
}
