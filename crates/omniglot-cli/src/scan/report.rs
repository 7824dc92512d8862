//! Formats the report.

use std::fmt::{Result, Write};

use omniglot_scan::Setting;
use serde_json::{Value, json};

use super::denied::Denied;
use super::facts::{Facts, Found, describe};
use super::starting::Start;
use super::verdict::Verdict;

/// The maximum number of entries of a list in the text. `--json` prints all of them.
const MAX_ENTRIES: usize = 20;

/// A library, its dependencies, and the conclusions.
pub(super) struct Scanned {
    /// The library itself is the first element.
    pub(super) libraries: Vec<Facts>,
    /// Names for which no file was found, each with the name of a library that needs it.
    pub(super) missing: Vec<(String, String)>,
    pub(super) denied: Vec<Denied>,
    pub(super) verdict: Verdict,
    pub(super) start: Start,
}

/// The report as text.
pub(super) fn text(scanned: &Scanned) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_all(&mut text, scanned);
    text
}

fn write_all(text: &mut String, scanned: &Scanned) -> Result {
    let Some((first, others)) = scanned.libraries.split_first() else {
        return Ok(());
    };
    writeln!(text, "{}", clean(&library(first)))?;
    verdict(text, "in a process", &scanned.verdict.process)?;
    verdict(text, "behind protection keys", &scanned.verdict.keys)?;
    start(text, &scanned.start)?;
    list(text, "libraries that it needs", others.iter().map(library))?;
    let missing = scanned.missing.iter().map(|(name, asking)| format!("{name}, for {asking}"));
    list(text, "libraries that are missing", missing)?;
    let changers = scanned.libraries.iter().flat_map(|facts| {
        facts.key_changers().map(|found| format!("{}: {}", facts.name, describe(found)))
    });
    list(text, "instructions that can change protection keys", changers)?;
    list(text, "system calls in its own code", first.system_calls().map(describe))?;
    let denied = scanned.denied.iter().map(|denied| {
        format!(
            "{} in {}: {} ({})",
            denied.function,
            denied.library,
            denied.consequence(),
            denied.system_call
        )
    });
    list(text, "imported functions whose system calls do not reach the kernel", denied)?;
    let locals = first.thread_locals.iter().map(|locals| {
        let kind = if locals.is_static { ", in the static TLS block" } else { "" };
        format!("{} bytes, aligned to {}{kind}", locals.size, locals.alignment)
    });
    list(text, "thread-local data", locals)?;
    list(
        text,
        "functions whose implementation is chosen at load time (IFUNC)",
        first.indirect.iter().cloned(),
    )
}

/// Escapes control characters, since names in files are untrusted.
pub(super) fn clean(line: &str) -> String {
    let is_plain = |character: char| matches!(character, ' '..='~') || character.is_alphanumeric();
    let mut cleaned = String::new();
    for character in line.chars() {
        if is_plain(character) {
            cleaned.push(character);
        } else {
            cleaned.extend(character.escape_unicode());
        }
    }
    cleaned
}

fn library(facts: &Facts) -> String {
    format!("{}  {}", facts.name, facts.path.display())
}

fn verdict(text: &mut String, way: &str, reasons: &[String]) -> Result {
    if reasons.is_empty() {
        return writeln!(text, "can be loaded {way}: yes");
    }
    writeln!(text, "can be loaded {way}: no")?;
    reasons.iter().try_for_each(|reason| writeln!(text, "  {}", clean(reason)))
}

fn start(text: &mut String, start: &Start) -> Result {
    match start {
        Start::NotTried(why) => writeln!(text, "starts in a process: not tried: {}", clean(why)),
        Start::Fails(why) => {
            writeln!(text, "starts in a process: no")?;
            writeln!(text, "  {}", clean(why))
        }
        Start::Works(lines) => {
            writeln!(text, "starts in a process: yes")?;
            list(
                text,
                "what its constructors asked for, and how to grant it",
                lines.iter().cloned(),
            )
        }
    }
}

pub(super) fn list(
    text: &mut String,
    title: &str,
    entries: impl Iterator<Item = String>,
) -> Result {
    let entries: Vec<String> = entries.collect();
    if entries.is_empty() {
        return writeln!(text, "{title}: none");
    }
    writeln!(text, "{title}:")?;
    entries.iter().take(MAX_ENTRIES).try_for_each(|entry| writeln!(text, "  {}", clean(entry)))?;
    match entries.len().saturating_sub(MAX_ENTRIES) {
        0 => Ok(()),
        more => writeln!(text, "  and {more} more, which --json lists"),
    }
}

/// The report as JSON.
pub(super) fn json(scanned: &Scanned) -> Value {
    let missing =
        scanned.missing.iter().map(|(name, asking)| json!({ "name": name, "needed_by": asking }));
    let denied = scanned.denied.iter().map(|denied| {
        json!({
            "library": denied.library,
            "function": denied.function,
            "system_call": denied.system_call,
            "consequence": denied.consequence(),
        })
    });
    let start = match &scanned.start {
        Start::NotTried(why) => json!({ "works": null, "reason": why }),
        Start::Fails(why) => json!({ "works": false, "reason": why }),
        Start::Works(lines) => json!({ "works": true, "asked_for": lines }),
    };
    json!({
        "start": start,
        "loadable": {
            "process": scanned.verdict.process.is_empty(),
            "protection_keys": scanned.verdict.keys.is_empty(),
        },
        "reasons_against": {
            "process": scanned.verdict.process,
            "protection_keys": scanned.verdict.keys,
        },
        "libraries": scanned.libraries.iter().map(facts).collect::<Vec<_>>(),
        "missing": missing.collect::<Vec<_>>(),
        "denied": denied.collect::<Vec<_>>(),
    })
}

fn facts(facts: &Facts) -> Value {
    let locals = facts.thread_locals.map(|locals| {
        json!({
            "size": locals.size,
            "alignment": locals.alignment,
            "is_static": locals.is_static,
        })
    });
    json!({
        "name": facts.name,
        "path": facts.path.to_string_lossy(),
        "needed": facts.needed,
        "instructions": facts.found.iter().map(instruction).collect::<Vec<_>>(),
        "thread_locals": locals,
        "indirect_functions": facts.indirect,
        "has_writable_code": facts.has_writable_code,
        "has_executable_stack": facts.has_executable_stack,
    })
}

fn instruction(found: &Found) -> Value {
    let place = found.place.as_ref();
    json!({
        "kind": found.gadget.kind.name(),
        "address": found.gadget.address,
        "length": found.gadget.length,
        "changes_keys": found.gadget.kind.changes_keys(),
        "setting": match found.setting {
            Setting::Intended { .. } => "intended",
            Setting::Hidden => "hidden",
            Setting::Unknown => "unknown",
        },
        "known": found.known.map(|known| known.name()),
        "symbol": place.map(|(symbol, _)| symbol),
        "offset": place.map(|(_, offset)| offset),
    })
}
