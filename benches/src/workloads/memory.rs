//! The memory that idle instances use.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use omniglot::Unprotected;
use omniglot_turns::{Record, Settings, Unit, summarise};

use crate::runtimes;
use crate::small::Workloads;
use crate::user::png::Png;

/// Number of instances that are added to the first.
const FURTHER: usize = 8;

/// Returns the bytes of each further instance, of a small library and of libpng.
pub(crate) fn memory(_: Settings) -> Result<Vec<Record>> {
    let mut records = vec![
        further("process", runtimes::process::<Workloads>)?,
        further("process-libpng", runtimes::process::<Png>)?,
    ];
    records.extend(where_there_is("unprotected", runtimes::unprotected::<Workloads<Unprotected>>)?);
    records.extend(where_there_is("keys", runtimes::keys::<Workloads>)?);
    records.extend(where_there_is("sfi", runtimes::sfi::<Workloads>)?);
    records.extend(where_there_is("sfi-libpng", runtimes::sfi::<Png>)?);
    Ok(records)
}

fn where_there_is<L>(name: &str, start: fn() -> Result<Option<L>>) -> Result<Option<Record>> {
    if start()?.is_none() {
        return Ok(None);
    }
    further(name, || start()?.context("a runtime that is gone again")).map(Some)
}

fn further<L>(name: &str, start: impl Fn() -> Result<L>) -> Result<Record> {
    let _first = start()?;
    let before = held()?;
    let _others: Vec<L> = (0..FURTHER).map(|_| start()).collect::<Result<_>>()?;
    let each = (held()? - before) / FURTHER as f64;
    Ok(summarise("memory", 0, name, Unit::Bytes, vec![each]))
}

/// Returns the memory of this process and of its descendants. Shared memory counts once.
fn held() -> Result<f64> {
    let mut held = share(Path::new("/proc/self"))?;
    for child in below(std::process::id())? {
        // A process that has exited meanwhile uses none.
        held += share(&Path::new("/proc").join(child.to_string())).unwrap_or(0.0);
    }
    Ok(held)
}

/// Returns a process's proportional set size in bytes (proc(5), `smaps_rollup`).
fn share(process: &Path) -> Result<f64> {
    let rollup = fs::read_to_string(process.join("smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.context("no share in smaps_rollup")?.trim().trim_end_matches(" kB");
    Ok(kilobytes.parse::<f64>()? * 1024.0)
}

/// Lists all descendants of a process.
fn below(process: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        parents.extend(parent(id).map(|parent| (id, parent)));
    }
    let mut found = vec![process];
    let mut next = 0;
    while let Some(ancestor) = found.get(next).copied() {
        let children = parents.iter().filter(|(_, parent)| *parent == ancestor);
        found.extend(children.map(|(id, _)| *id));
        next += 1;
    }
    found.remove(0);
    Ok(found)
}

/// Returns the parent of a process, unless it has exited.
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in brackets, may contain anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}
