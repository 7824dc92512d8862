//! The attacks, and the error that each must end with.

use std::time::Duration;

use omniglot::{Error, FaultKind, InvalidValue};

use crate::canaries::Canaries;
pub(super) use bindings::Api;
use bindings::Hostile;

mod bindings {
    omniglot::include_library!("hostile");
}

/// The time limit of a call, which is ample even for busy machines.
const AMPLE: Duration = Duration::from_secs(5);

/// The time limit of the endless call.
const LIMIT: Duration = Duration::from_millis(200);

/// The exit status that the library uses.
const STATUS: i32 = 7;

/// A description of what the attack achieved, or the error that it ended with.
pub(super) type Outcome = omniglot::Result<String>;

/// One attack.
pub(super) struct Attack {
    pub(super) what: String,
    pub(super) run: Box<dyn Fn(&mut Api) -> Outcome>,
    pub(super) expected: &'static str,
    pub(super) expects: fn(&Error) -> bool,
}

fn attack(
    what: impl Into<String>,
    run: impl Fn(&mut Api) -> Outcome + 'static,
    expected: &'static str,
    expects: fn(&Error) -> bool,
) -> Attack {
    Attack { what: what.into(), run: Box::new(run), expected, expects }
}

/// Starts the library.
pub(super) fn start() -> omniglot::Result<Hostile> {
    // Strict, so that requesting a missing file is an error here too.
    Hostile::builder().timeout(AMPLE).strict().build()
}

/// Returns all attacks, for a host with these canaries and a listener on `port`.
pub(super) fn all(canaries: &Canaries, port: u16) -> Vec<Attack> {
    let mut attacks = on_memory(canaries);
    attacks.extend(with_values());
    attacks.extend(on_control());
    attacks.extend(on_the_system(port));
    attacks
}

fn on_memory(canaries: &Canaries) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (place, address) in canaries.addresses() {
        attacks.push(attack(
            format!("writes to the host's {place}"),
            move |api| api.hostile_write(address).map(|()| "written".to_owned()),
            "a fault",
            is_access_fault,
        ));
        attacks.push(attack(
            format!("reads the host's {place}"),
            move |api| api.hostile_read(address).map(|value| format!("read {value:#x}")),
            "a fault",
            is_access_fault,
        ));
        attacks.push(attack(
            format!("returns a pointer to the host's {place}"),
            move |api| {
                let pointer = api.hostile_pointer(address)?;
                let reference = api.upgrade(pointer)?;
                Ok(format!("read {:#x}", api.read(reference)?))
            },
            "OutOfRange, before anything is read",
            |error| matches!(error, Error::OutOfRange { len: 8, .. }),
        ));
    }
    attacks
}

fn with_values() -> [Attack; 2] {
    [
        attack(
            "returns a string without an end",
            |api| {
                let text = api.hostile_string()?;
                Ok(api.read_str(text, 64)?.to_owned())
            },
            "Unterminated",
            |error| matches!(error, Error::Unterminated { max: 64, .. }),
        ),
        attack(
            "returns a bool that holds 2",
            |api| Ok(api.hostile_bool()?.to_string()),
            "InvalidValue for bool",
            |error| *error == Error::InvalidValue(BAD_BOOL),
        ),
    ]
}

const BAD_BOOL: InvalidValue = InvalidValue { type_name: "bool", value: 2, valid: &[0, 1] };

fn on_control() -> [Attack; 5] {
    [
        attack(
            "writes through a null pointer",
            |api| returned(api.hostile_crash()),
            "a fault",
            is_access_fault,
        ),
        attack(
            "recurses without end",
            |api| api.hostile_recurse(0).map(|depth| format!("{depth} deep")),
            "a stack overflow",
            |error| is_fault(error, FaultKind::StackOverflow),
        ),
        attack(
            "loops without end",
            |api| {
                api.set_timeout(Some(LIMIT));
                returned(api.hostile_loop())
            },
            "a timeout",
            |error| *error == Error::Timeout { limit: LIMIT },
        ),
        attack(
            "aborts",
            |api| returned(api.hostile_abort()),
            "an abort",
            |error| is_fault(error, FaultKind::Abort),
        ),
        attack(
            "exits with status 7",
            |api| returned(api.hostile_exit(STATUS)),
            "the end of the worker's process alone",
            |error| *error == Error::Exited { status: Some(STATUS) },
        ),
    ]
}

fn on_the_system(port: u16) -> [Attack; 3] {
    [
        attack(
            "opens /etc/passwd",
            |api| {
                let path = api.alloc_str("/etc/passwd")?;
                Ok(format!("descriptor {}", api.hostile_open(&path)?))
            },
            DENIED,
            is_denied,
        ),
        attack(
            "forks and executes a shell",
            |api| Ok(format!("result {}", api.hostile_spawn()?)),
            DENIED,
            is_denied,
        ),
        attack(
            "connects to a port of this machine",
            move |api| Ok(format!("result {}", api.hostile_connect(port)?)),
            DENIED,
            is_denied,
        ),
    ]
}

const DENIED: &str = "a denied system call";

fn is_denied(error: &Error) -> bool {
    matches!(error, Error::SyscallDenied { .. })
}

fn is_access_fault(error: &Error) -> bool {
    is_fault(error, FaultKind::Access)
}

fn is_fault(error: &Error, kind: FaultKind) -> bool {
    matches!(error, Error::Fault(fault) if fault.kind == kind)
}

/// The outcome of a function that should not have returned.
fn returned(result: omniglot::Result<()>) -> Outcome {
    result.map(|()| "it came back".to_owned())
}
