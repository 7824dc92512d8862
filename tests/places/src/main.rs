//! `omniglot-places table [NAME..]`: runs the places whose names contain one of these words, or all,
//! and prints the table. What it sees goes to standard error meanwhile.
#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};
use omniglot_places::{Looked, Place, Report, Scene, all, look, table};

const USAGE: &str = "omniglot-places table [NAME..]";

fn main() -> Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [first, names @ ..] = &words[..] else { bail!(USAGE) };
    if first != "table" {
        bail!(USAGE);
    }
    let scene = Scene::new()?;
    let wanted = all().filter(|place| {
        names.is_empty() || names.iter().any(|name| place.name.contains(name.as_str()))
    });
    let mut failed = false;
    let looked: Vec<Looked<'_>> = wanted
        .map(|place| {
            let (outcome, is_good) = see(place, &scene);
            failed |= !is_good;
            (place, outcome)
        })
        .collect();
    print!("{}", table(&looked, &machine()));
    Ok(ExitCode::from(u8::from(failed)))
}

/// What came of a place, and whether that is as expected. A place that this machine cannot make is
/// no failure; one that cannot be entered is.
fn see(place: &'static Place, scene: &Scene) -> (Result<Report, String>, bool) {
    if let Some(lack) = place.obstacle(scene) {
        eprintln!("not run {}: {lack}", place.name);
        return (Err(lack), true);
    }
    match look(place, scene) {
        Ok(report) => {
            let checked = report.check(&place.expected);
            match &checked {
                Ok(()) => eprintln!("ok      {}", place.name),
                Err(error) => eprintln!("FAILED  {}: {error:#}", place.name),
            }
            (Ok(report), checked.is_ok())
        }
        Err(error) => {
            eprintln!("FAILED  {}: {error:#}", place.name);
            (Err(format!("{error:#}")), false)
        }
    }
}

/// The system and the kernel's version.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let release = read("/etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.unwrap_or("Linux").trim_matches('"').to_owned();
    // What follows the version is the kernel's builder's.
    let release = read("/proc/sys/kernel/osrelease");
    let version = release.trim().split('-').next().unwrap_or_default();
    format!("{name} with Linux {version}")
}
