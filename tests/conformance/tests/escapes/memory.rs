//! Memory of the host and of other domains that only keys protect.

use omniglot::{IsolationKind, Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape};
use super::library::{Escapes, Place, Registers};
use super::state::{alternate_stack, fs_base};
use crate::attacks::attack::{ACCESS, Must};
use crate::attacks::canaries::Targets;
use crate::attacks::home::Home;

/// An address in the host.
type HostPlace = fn(&Targets) -> usize;

/// Places that no library may access.
const PLACES: [(&str, HostPlace); 6] = [
    ("heap", |targets| targets.heap),
    ("stack", |targets| targets.stack),
    ("data", |targets| targets.data),
    ("thread_local_variables", |_| fs_base() as usize),
    ("signal_stack", |_| alternate_stack().0 + alternate_stack().1 / 2),
    // The start of the signal handling code's record of the thread.
    ("signal_record", |_| alternate_stack().0 + alternate_stack().1),
];

pub(crate) fn escapes<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    let mut all = Vec::new();
    for (name, place) in PLACES {
        all.push(escape(format!("host::read_{name}"), ACCESS, move |api, targets| {
            api.peek(place(targets)).map(|_| true)
        }));
        all.push(escape(format!("host::write_{name}"), ACCESS, move |api, targets| {
            api.poke(place(targets), 0).map(|()| true)
        }));
    }
    all.push(escape("host::write_after_opening_all_keys", FAULT, |api, targets| {
        api.open_keys(targets.heap).map(|()| true)
    }));
    all.extend(another_domain(home));
    all.into_iter().map(Escape::at_the_host).collect()
}

const FAULT: Must = Must::Fail(|error| matches!(error, omniglot::Error::Fault(_)));

/// Runs an escape that targets the memory of another domain, which must not change.
fn at_other<R: Runtime>(
    home: Home<R>,
    api: &mut Api<R>,
    attack: impl FnOnce(&mut Api<R>, usize) -> Result<bool>,
) -> Result<bool> {
    let mut other = home.instance::<Escapes<R>>()?;
    let secret = other.malloc::<u64>(512)?;
    let pattern = [0x0dd_ba11u64; 512];
    other.write_slice(secret, &pattern)?;
    let outcome = attack(api, secret.as_ptr().addr());
    let intact = *other.view_slice(secret)? == pattern && other.sound(2, 3) == Ok(5);
    if intact { outcome } else { Ok(true) }
}

fn another_domain<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    vec![
        escape("another_domain::read", ACCESS, move |api, _| {
            at_other(home, api, |api, address| api.peek(address).map(|_| true))
        }),
        escape("another_domain::write", ACCESS, move |api, _| {
            at_other(home, api, |api, address| api.poke(address, 0).map(|()| true))
        }),
        escape("another_domain::stack", Must::Fail(|_| true), move |api, _| {
            at_other(home, api, |api, address| {
                let push = api.place_of(Place::PUSH)?;
                let rsp = address as u64 + 1024;
                let registers = Registers { rsp, flags: 0x202, ..Registers::default() };
                let registers = api.alloc(registers)?;
                let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
                api.leap(push, registers, 0).map(|_| true)
            })
        }),
        // Another domain's code may be executed, with its caller's rights: it faults when it
        // accesses its own memory.
        escape("another_domain::code", Must::Run, move |api, _| {
            let mut other = home.instance::<Escapes<R>>()?;
            let landing = other.place_of(Place::LANDING)?;
            let rsp = api.place_of(Place::SLIDE)? as u64;
            let registers = api.alloc(Registers { rsp, flags: 0x202, ..Registers::default() })?;
            let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
            api.leap(landing, registers, 0).map(|_| true)
        }),
        escape("another_domain::host_reads_it_there", Must::BeOutside, move |api, _| {
            let mut other = home.instance::<Escapes<R>>()?;
            let address = bounds(&other).start + 4096;
            let _ = other.sound(1, 1)?;
            api.upgrade(Ptr::<u64>::from_addr(address)).map(|_| true)
        }),
        escape("another_domain::callback_inside", ACCESS, move |api, targets| {
            // The other domain runs in this one's callback, on the same thread.
            let mut other = home.instance::<Escapes<R>>()?;
            let heap = targets.heap;
            let called = api.with_callback::<super::library::HostCallback, _>(
                &mut |api, value| {
                    let own = api.malloc::<u64>(1)?;
                    let stolen = other.peek(own.as_ptr().addr());
                    assert!(stolen.is_err(), "a domain read another's memory");
                    api.peek(heap)?;
                    Ok(value)
                },
                |api, function| api.call_host(function, 1),
            )?;
            called.map(|_| home.isolation == IsolationKind::ProtectionKeys)
        }),
    ]
}
