//! Determines whether a library can be loaded.

use std::collections::HashSet;

use omniglot_scan::ImageKind;

use super::facts::{Facts, describe};

/// The maximum number of undefined symbols that are listed.
const MOST_NAMES: usize = 8;

/// The reasons why a library cannot be loaded. Empty if it can.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Reasons against loading in a process.
    pub(super) process: Vec<String>,
    /// Reasons against loading behind protection keys.
    pub(super) keys: Vec<String>,
}

impl Verdict {
    /// Judges a library, the first element, together with its dependencies.
    pub(super) fn new(libraries: &[Facts], missing: &[(String, String)]) -> Self {
        let mut process = Vec::new();
        process.extend(libraries.iter().filter_map(not_a_library));
        process.extend(libraries.iter().filter_map(executable_stack));
        process.extend(missing.iter().map(|(name, asking)| {
            format!(
                "{name}, which {asking} needs, cannot be found; install it, or name its \
                 directory with --library-directory"
            )
        }));
        // A missing library may define any symbol.
        if missing.is_empty() {
            process.extend(undefined(libraries));
        }
        let mut keys = process.clone();
        keys.extend(libraries.iter().flat_map(against_keys));
        Self { process, keys }
    }
}

fn not_a_library(facts: &Facts) -> Option<String> {
    let is_program = facts.kind == ImageKind::Program;
    is_program.then(|| {
        format!("{} is a program, or has no dynamic section; give a shared library", facts.name)
    })
}

/// The worker's stack lies in the window, where the dynamic linker cannot make it executable.
fn executable_stack(facts: &Facts) -> Option<String> {
    facts.has_executable_stack.then(|| {
        format!(
            "{} requests an executable stack, which domains do not have; link it with \
             `-z noexecstack`",
            facts.name
        )
    })
}

/// Symbols that some library requires and none defines.
fn undefined(libraries: &[Facts]) -> Option<String> {
    let defined: HashSet<&str> =
        libraries.iter().flat_map(|facts| &facts.exports).map(String::as_str).collect();
    let imports = libraries.iter().flat_map(|facts| &facts.imports);
    let lacking = imports.filter(|import| !import.is_weak && !defined.contains(&*import.name));
    let names: Vec<&str> = lacking.map(|import| import.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let shown = names.get(..MOST_NAMES).unwrap_or(&names).join(", ");
    let rest = names.len().saturating_sub(MOST_NAMES);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Some(format!("no needed library defines {shown}{more}"))
}

/// The reasons against protection keys in one file.
fn against_keys(facts: &Facts) -> Vec<String> {
    let name = &facts.name;
    let unknown = facts.key_changers().filter(|found| found.known.is_none());
    let mut reasons: Vec<String> = unknown
        .map(|found| format!("{name} could switch the keys off: {}", describe(found)))
        .collect();
    if facts.has_writable_code {
        reasons.push(format!("{name} has writable code"));
    }
    reasons
}
