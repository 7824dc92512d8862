//! A worker's report of its end, as errors.

use std::mem::offset_of;

use omniglot_core::{Description, Error, Fault, FaultKind, Result, Text, Window};
use zerocopy::FromBytes;

use super::channel::Ending;
use super::code_places::{self, Names};
use super::filters::policy::name_of;
use super::images::SHIMS;
use super::layout::{Layout, REPORT};
use super::requests;
use super::worker::End;

const TEXT: usize = 512;
/// The exit status of a dynamic linker that cannot go on.
const LINKER_FAILED: i32 = 127;

/// `struct report` of `worker/control.h`.
#[repr(C)]
#[derive(FromBytes)]
struct Report {
    address: u64,
    instruction: u64,
    stack: u64,
    number: u64,
    /// 1 + the number of the last system call that no filter knows; else 0.
    refused: u64,
    signal: u32,
    error: i32,
    text: [u8; TEXT],
}

const _: () = assert!(size_of::<Report>() == 560, "the layout that the worker writes");

/// Signal numbers of Linux on the architectures that have workers, signal(7).
mod signals {
    pub(super) const ILL: i32 = 4;
    pub(super) const TRAP: i32 = 5;
    pub(super) const ABRT: i32 = 6;
    pub(super) const BUS: i32 = 7;
    pub(super) const FPE: i32 = 8;
    pub(super) const SEGV: i32 = 11;
    pub(super) const SYS: i32 = 31;
}

/// The last step without a report.
const MAP_CONTROL: usize = 3;
/// Steps that follow the library's constructors.
const SHARE: usize = 13;
const HEAP: usize = 15;
/// `ENOMEM` and `ENOSPC`.
const NO_MEMORY: i32 = 12;
const NO_SPACE: i32 = 28;

/// The steps of a start, in the order of `enum step`.
const STEPS: &[&str] = &[
    "an unknown step of the worker's start",
    "sending files to the worker",
    "closing files in the worker (close_range, Linux 5.9)",
    "mapping the control area in the worker",
    "opening /proc/self in the worker",
    "dropping capabilities in the worker",
    "PR_SET_NO_NEW_PRIVS in the worker",
    "landlock_restrict_self in the worker",
    "reserving the window in the worker",
    "mapping the window in the worker",
    "mapping the dynamic linker in the worker",
    "PR_SET_PDEATHSIG in the worker",
    "the worker's first system call filter",
    "sharing the loaded library's memory",
    "the worker's second system call filter",
    "the worker's heap",
    "the worker's filter for files (seccomp user notification, not needed with Landlock)",
    "handlers for signals in the worker",
    "showing the worker to the host (Seccomp_filters, Linux 5.9)",
    "keeping the worker's second system call filter",
    "starting the worker's threads",
];

/// The error for a worker that ended, from what it said and how it ended.
///
/// The report is attacker-controlled, so it is used only if it does not contradict the kernel.
pub(super) fn explain(
    said: Option<Ending>,
    end: End,
    window: &Window,
    layout: &Layout,
    names: &Names<'_>,
    heard: u64,
) -> Error {
    let description = names.description;
    let report = match read(window) {
        Ok(report) => report,
        Err(error) => return error,
    };
    match (said, end) {
        (Some(Ending::LoadFailed), _) => load_error(&report, description),
        (Some(Ending::StartFailed), _) => start_error(&report, description),
        (Some(Ending::Denied), _) => {
            let asked = names.here(window).unwrap_or_default();
            denied(report.number, with_path(asked, text_of(&report)))
        }
        (Some(Ending::Fault), _) => {
            let place = match text_of(&report) {
                [] => names.of_fault(window).unwrap_or_default(),
                reason => Text::from_untrusted(reason),
            };
            Error::Fault(with_last_words(fault(&report, layout, place), window, heard))
        }
        (Some(Ending::Exited), End::Unknown | End::Killed(_)) => {
            Error::Exited { status: Some((report.number & 0xff) as i32) }
        }
        (_, End::Exited(status)) => Error::Exited { status: Some(status) },
        (_, End::Killed(signals::SYS)) => Error::SyscallDenied {
            name: "unknown",
            number: Error::HIDDEN_NUMBER,
            place: Text::default(),
        },
        (_, End::Killed(signal)) => {
            Error::Fault(Fault { kind: kind_of(signal), address: 0, place: Text::default() })
        }
        (_, End::Unknown) => Error::Exited { status: None },
    }
}

/// The error for a worker that ended while it loaded.
///
/// If the dynamic linker gave up because a system call failed, that call is the reason: the
/// linker's own message goes to standard error, which workers rarely have.
pub(super) fn explain_loading(
    said: Option<Ending>,
    end: End,
    window: &Window,
    layout: &Layout,
    names: &Names<'_>,
) -> Error {
    let refused = read(window).ok().and_then(|report| report.refused.checked_sub(1));
    match (said, end, refused) {
        (None, End::Exited(LINKER_FAILED), Some(number)) => denied(number, Text::default()),
        _ => explain(said, end, window, layout, names, 0),
    }
}

fn read(window: &Window) -> Result<Report> {
    let mut bytes = [0; size_of::<Report>()];
    window.read(window.start() + REPORT, &mut bytes)?;
    Report::read_from_bytes(&bytes).map_err(|_| Error::Protocol("a report of another size"))
}

/// Stores an instruction whose place is to be found, for the loader's `describe`: or the place of
/// who called the system's code that it is in, if a stack is given.
pub(super) fn ask(window: &mut Window, instruction: usize, stack: Option<u64>) -> Result<()> {
    let address = window.start() + REPORT;
    window.write(address + offset_of!(Report, instruction), &instruction.to_ne_bytes())?;
    window.write(address + offset_of!(Report, stack), &stack.unwrap_or(0).to_ne_bytes())?;
    code_places::clear(window)
}

/// Adds the path that a denied system call named to who made it.
pub(super) fn for_what(asked: Text, window: &Window) -> Text {
    read(window).map_or(asked, |report| with_path(asked, text_of(&report)))
}

fn denied(number: u64, place: Text) -> Error {
    Error::SyscallDenied { name: name_of(number), number, place }
}

/// Who asked, and for which file.
fn with_path(mut asked: Text, path: &[u8]) -> Text {
    if path.is_empty() {
        return asked;
    }
    asked.push(if asked.as_str().is_empty() { "for \"" } else { " for \"" });
    asked.push(Text::from_untrusted(path).as_str());
    asked.push("\"");
    asked
}

fn fault(report: &Report, layout: &Layout, place: Text) -> Fault {
    let kind = kind_of(report.signal as i32);
    let overflow = kind == FaultKind::Access
        && layout.is_stack_overflow(report.address as usize, report.stack as usize);
    let has_address = matches!(kind, FaultKind::Access | FaultKind::Bus);
    let address = if has_address { report.address } else { report.instruction };
    Fault {
        kind: if overflow { FaultKind::StackOverflow } else { kind },
        address: address as usize,
        place,
    }
}

/// Who goes down has often written why, in the same call: an assertion, `malloc`, a sanitizer.
pub(super) fn with_last_words(mut fault: Fault, window: &Window, heard: u64) -> Fault {
    if let Some(line) = requests::last_line(window, heard) {
        fault.place.push(" after it wrote: ");
        fault.place.push(&line);
    }
    fault
}

pub(super) const fn kind_of(signal: i32) -> FaultKind {
    match signal {
        signals::SEGV => FaultKind::Access,
        signals::BUS => FaultKind::Bus,
        signals::ILL => FaultKind::IllegalInstruction,
        signals::FPE => FaultKind::Arithmetic,
        signals::TRAP => FaultKind::Trap,
        signals::ABRT => FaultKind::Abort,
        other => FaultKind::Signal(other),
    }
}

/// The error for a stub that ended with this status before it had a place for a report: the number of
/// the step that failed.
pub(super) fn early_error(status: i32) -> Option<Error> {
    let step = usize::try_from(status).ok().filter(|step| (1..=MAP_CONTROL).contains(step))?;
    let operation = STEPS.get(step)?;
    Some(Error::System { operation, errno: 0 })
}

/// Steps before the library's code runs fail because the system lacks something; later ones because
/// of that code, unless the system has no memory left.
fn start_error(report: &Report, description: &Description) -> Error {
    let step = usize::try_from(report.number).unwrap_or(0);
    let operation = STEPS.get(step).or(STEPS.first()).copied().unwrap_or_default();
    let name = description.name;
    match (step, report.error) {
        (HEAP, _) => load_failed(&format!(
            "{name}: its files and constructors leave no room for a heap; raise memory_limit"
        )),
        (SHARE, errno) if ![NO_MEMORY, NO_SPACE].contains(&errno) => load_failed(&format!(
            "{name}: {operation} failed (error {errno}); did a constructor close files?"
        )),
        (_, errno) => Error::System { operation, errno },
    }
}

fn load_failed(why: &str) -> Error {
    Error::Load(Text::from_untrusted(why.as_bytes()))
}

/// The dynamic linker's message, with the library's name in place of a descriptor's.
fn load_error(report: &Report, description: &Description) -> Error {
    let said = String::from_utf8_lossy(text_of(report)).replace(SHIMS, description.name);
    if let Some(symbol) = missing_symbol(&said)
        && description.functions.contains(&symbol)
    {
        return Error::MissingFunction(Text::from_untrusted(symbol.as_bytes()));
    }
    load_failed(&with_refused(said, report))
}

/// The symbol that the dynamic linker did not find: glibc's says "FILE: undefined symbol: NAME", musl's
/// "Error relocating FILE: NAME: symbol not found".
fn missing_symbol(said: &str) -> Option<&str> {
    if let Some((_, symbol)) = said.split_once("undefined symbol: ") {
        return symbol.split([',', ' ']).next();
    }
    let (before, _) = said.split_once(": symbol not found")?;
    before.rsplit([':', ' ']).next()
}

/// Adds the last system call that no filter knows, since it may be why loading failed; the dynamic
/// linker's message is shortened to make room.
fn with_refused(mut said: String, report: &Report) -> String {
    let Some(number) = report.refused.checked_sub(1) else {
        return said;
    };
    let note = match name_of(number) {
        "unknown" => format!(" (system call {number} failed: not known here)"),
        name => format!(" ({name} failed: not known here)"),
    };
    let end = said.floor_char_boundary(Text::CAPACITY.saturating_sub(note.len()));
    said.truncate(end);
    said + &note
}

fn text_of(report: &Report) -> &[u8] {
    report.text.split(|byte| *byte == 0).next().unwrap_or(&[])
}

#[cfg(test)]
mod tests;
