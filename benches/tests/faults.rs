//! A small job that is done again and again has the system do nothing: what a library frees, its next
//! job uses, and the pages stay. The test counts page faults, which do not depend on the machine's
//! load.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../src/user/brotli.rs"]
#[allow(dead_code)]
mod brotli;
#[path = "../src/runtimes.rs"]
#[allow(dead_code, unused_imports, unused_macros)]
mod runtimes;
#[path = "../src/small.rs"]
#[allow(dead_code)]
mod small;
#[path = "../src/user/zlib.rs"]
mod zlib;

use std::fs;

use anyhow::{Context, Result};
use omniglot::Runtime;

use brotli::Brotli;
use runtimes::on_each_runtime;
use zlib::Zlib;

/// How often each job is done before its faults are counted, and then.
const BEFORE: u32 = 20;
const COUNTED: u32 = 100;

/// Field 10 of proc_pid_stat(5), counted from the state, which is field 3.
const MINOR_FAULTS: usize = 7;
/// Field 4.
const PARENT: usize = 1;

/// The fields of a process or thread behind its name.
fn status(of: &str) -> Result<Vec<u64>> {
    let status = fs::read_to_string(format!("/proc/{of}/stat"))?;
    let (_, fields) = status.rsplit_once(')').context("a status without a name")?;
    Ok(fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

/// The page faults so far of this thread and of the workers.
fn faults() -> Result<u64> {
    let own = u64::from(std::process::id());
    let mut faults = status("thread-self")?[MINOR_FAULTS];
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        // It may have ended meanwhile.
        let Ok(status) = status(process) else { continue };
        if status[PARENT] == own {
            faults += status[MINOR_FAULTS];
        }
    }
    Ok(faults)
}

/// Checks that a job takes less than one page fault.
fn check(what: &str, mut job: impl FnMut() -> Result<()>) -> Result<()> {
    (0..BEFORE).try_for_each(|_| job())?;
    let before = faults()?;
    (0..COUNTED).try_for_each(|_| job())?;
    let count = faults()? - before;
    println!("{what}: {count} page faults in {COUNTED} jobs");
    assert!(count < u64::from(COUNTED), "{what}: {count} page faults in {COUNTED} jobs");
    Ok(())
}

fn compress(name: &str, mut library: Zlib<impl Runtime>, text: &str) -> Result<()> {
    check(&format!("zlib, {name}"), || Ok(zlib::round_trip(&mut library, text, 6).map(drop)?))
}

fn compress_with(
    quality: i32,
    name: &str,
    mut library: Brotli<impl Runtime>,
    text: &str,
) -> Result<()> {
    let what = format!("brotli {quality}, {name}");
    check(&what, || Ok(brotli::round_trip(&mut library, text, quality).map(drop)?))
}

/// Not in several tests, whose workers would be counted together.
#[test]
fn small_jobs_use_the_memory_that_others_freed() -> Result<()> {
    let text = "It is what it was, and was what it is.\n".repeat(25);
    on_each_runtime!(Zlib, |name, library| compress(name, library, &text)?);
    for quality in [1, 5] {
        on_each_runtime!(Brotli, |name, library| compress_with(quality, name, library, &text)?);
    }
    Ok(())
}
