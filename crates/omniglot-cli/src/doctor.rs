//! `omniglot doctor`: reports what this machine supports, which runtime is chosen, and what is
//! missing.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use omniglot_core::IsolationKind;
use omniglot_linux::{KeyTrial, Machine, MemfdExec, Requirement};
use serde_json::{Value, json};

use crate::arguments::Doctor;
use crate::failure::Failure;

/// The runtimes for Linux, with their names in JSON and in text.
const RUNTIMES: [(IsolationKind, &str, &str); 3] = [
    (IsolationKind::Process, "process", "isolation by process"),
    (IsolationKind::Sfi, "sfi", "software fault isolation, for libraries that were built for it"),
    (
        IsolationKind::ProtectionKeys,
        "protection_keys",
        "isolation by protection keys (experimental)",
    ),
];

/// What came of running a library in a process.
type Trial = omniglot_core::Result<()>;

/// Inspects this machine and prints the result.
pub(crate) fn run(arguments: &Doctor) -> Result<ExitCode, Failure> {
    let machine = Machine::this();
    let trial = Machine::try_process();
    let text = if arguments.json {
        format!("{:#}\n", report(machine, &trial))
    } else {
        describe(machine, &trial)
    };
    io::stdout().write_all(text.as_bytes()).map_err(Failure::Output)?;
    let works = trial.is_ok() && machine.choice().isolation.is_some();
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn name_of(isolation: Option<IsolationKind>) -> Option<&'static str> {
    RUNTIMES.iter().find(|runtime| Some(runtime.0) == isolation).map(|runtime| runtime.1)
}

fn report(machine: &Machine, trial: &Trial) -> Value {
    let (processor, mechanisms) = (&machine.processor, &machine.mechanisms);
    let choice = machine.choice();
    let runtimes: serde_json::Map<String, Value> = RUNTIMES
        .iter()
        .map(|(runtime, name, _)| {
            let requirements = machine.requirements(*runtime);
            let requirements: Vec<Value> = requirements.iter().map(requirement).collect();
            let is_possible = machine.missing(*runtime).is_empty();
            let value = json!({ "is_possible": is_possible, "requirements": requirements });
            ((*name).to_owned(), value)
        })
        .collect();
    json!({
        "supported_target": machine.supported_target,
        "processor": {
            "name": processor.name,
            "pku": processor.pku,
            "ospke": processor.ospke,
            "fsgsbase": processor.fsgsbase,
            "fsgsbase_enabled": processor.fsgsbase_enabled,
            "shadow_stack": processor.shadow_stack,
            "shadow_stack_active": processor.shadow_stack_active,
            "unknown_registers": processor.unknown_registers,
            "branch_tracking": processor.branch_tracking,
        },
        "kernel": { "release": machine.kernel.release },
        "mechanisms": {
            "memfd_exec": match mechanisms.memfd_exec {
                MemfdExec::Allowed => "allowed",
                MemfdExec::OnRequest => "on_request",
                MemfdExec::Forbidden => "forbidden",
            },
            "seccomp": mechanisms.seccomp,
            "user_notification": mechanisms.user_notification,
            "pidfd": mechanisms.pidfd,
            "landlock": mechanisms.landlock,
            "user_dispatch": mechanisms.user_dispatch,
            "pkey_alloc": match mechanisms.keys {
                KeyTrial::Allocated => "allocated",
                KeyTrial::AllInUse => "all_in_use",
                KeyTrial::None => "none",
            },
            "rseq": mechanisms.rseq,
            "proc": mechanisms.proc,
            "low_program": mechanisms.low_program,
            "interposed": mechanisms.interposed,
            "in_process": mechanisms.in_process,
            "libc": format!("{}.{}", mechanisms.libc.0, mechanisms.libc.1),
            "sealed_clock": mechanisms.sealed_clock,
        },
        "trial": {
            "works": trial.is_ok(),
            "error": trial.as_ref().err().map(ToString::to_string),
        },
        "auto": { "isolation": name_of(choice.isolation), "reason": choice.reason,
            "sandboxed": name_of(choice.sandboxed) },
        "runtimes": runtimes,
    })
}

fn requirement(requirement: &Requirement) -> Value {
    json!({
        "name": requirement.name,
        "is_met": requirement.is_met,
        "found": requirement.found,
        "remedy": requirement.remedy,
    })
}

fn describe(machine: &Machine, trial: &Trial) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_facts(&mut text, machine);
    let tried = match trial {
        Ok(()) => "a library was started in a process, called and reset".to_owned(),
        Err(error) => format!("a library in a process does not work here:\n  {error}"),
    };
    let _ = writeln!(text, "\ntried: {tried}");
    let choice = machine.choice();
    let chosen = match choice.isolation {
        Some(IsolationKind::Process) => "a process",
        _ => "nothing, since no runtime works here",
    };
    let _ = writeln!(text, "\nIsolation::Auto chooses {chosen}:\n  {}", choice.reason);
    if choice.sandboxed == Some(IsolationKind::Sfi) {
        let _ = writeln!(text, "  but for a library that was built for Isolation::Sfi, that");
    }
    for (runtime, _, title) in RUNTIMES {
        let _ = write_missing(&mut text, title, &machine.missing(runtime));
    }
    text
}

fn write_facts(text: &mut String, machine: &Machine) -> std::fmt::Result {
    let (processor, mechanisms) = (&machine.processor, &machine.mechanisms);
    writeln!(text, "processor  {}", processor.name)?;
    fact(text, "protection keys (PKU)", yes_or_no(processor.pku))?;
    fact(text, "switched on by the kernel (OSPKE)", yes_or_no(processor.ospke))?;
    fact(text, "FSGSBASE", yes_or_no(processor.fsgsbase))?;
    fact(text, "enabled for programs", yes_or_no(processor.fsgsbase_enabled))?;
    fact(text, "shadow stacks (CET)", yes_or_no(processor.shadow_stack))?;
    fact(text, "active in this process", yes_or_no(processor.shadow_stack_active))?;
    fact(text, "branch tracking (CET)", yes_or_no(processor.branch_tracking))?;
    writeln!(text, "kernel     {}", machine.kernel.release)?;
    let memfd = match mechanisms.memfd_exec {
        MemfdExec::Allowed => "yes",
        MemfdExec::OnRequest => "on request",
        MemfdExec::Forbidden => "no",
    };
    let keys = match mechanisms.keys {
        KeyTrial::Allocated => "yes, tried",
        KeyTrial::AllInUse => "all in use",
        KeyTrial::None => "no, tried",
    };
    let landlock = mechanisms.landlock.map_or("no".to_owned(), |it| format!("version {it}"));
    fact(text, "programs that start from memory", memfd)?;
    fact(text, "seccomp filters", yes_or_no(mechanisms.seccomp))?;
    fact(text, "seccomp user notification", yes_or_no(mechanisms.user_notification))?;
    fact(text, "Landlock", &landlock)?;
    fact(text, "descriptors of processes (pidfd)", yes_or_no(mechanisms.pidfd))?;
    fact(text, "Syscall User Dispatch", yes_or_no(mechanisms.user_dispatch))?;
    fact(text, "pkey_alloc", keys)?;
    fact(text, "rseq", yes_or_no(mechanisms.rseq))?;
    let clock = match mechanisms.sealed_clock {
        false => "yes",
        true => "no (CONFIG_MSEAL_SYSTEM_MAPPINGS): libraries can tell the time in calls",
    };
    fact(text, "workers can be denied the clock", clock)?;
    fact(text, "/proc", yes_or_no(mechanisms.proc))
}

fn fact(text: &mut String, name: &str, value: &str) -> std::fmt::Result {
    writeln!(text, "  {name:<34} {value}")
}

const fn yes_or_no(is_there: bool) -> &'static str {
    if is_there { "yes" } else { "no" }
}

fn write_missing(text: &mut String, title: &str, missing: &[Requirement]) -> std::fmt::Result {
    if missing.is_empty() {
        return writeln!(text, "\n{title}: nothing is missing");
    }
    writeln!(text, "\n{title}: missing")?;
    for Requirement { name, found, remedy, .. } in missing {
        writeln!(text, "  {name}\n    found: {found}\n    to get it: {remedy}")?;
    }
    Ok(())
}
