//! Memory of the host and of other domains.
//!
//! The addresses of verified code are cut to 32 bits. So it comes to its own memory, or to none: what
//! it reads must not be what is there in the host, and what it writes must not change the host.

use omniglot::{IsolationKind, Ptr, Result, Runtime};

use super::escape::{Api, Escape, bounds, escape, real_address};
use super::library::{Escapes, Place, Registers};
use super::state::{alternate_stack, fs_base, word_at};
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
        let read = escape(format!("host::read_{name}"), ACCESS, move |api, targets| {
            let found = api.peek(place(targets))?;
            // Zeros are everywhere.
            Ok(found != 0 && found == word_at(place(targets)))
        });
        let write = escape(format!("host::write_{name}"), ACCESS, move |api, targets| {
            let before = word_at(place(targets));
            let outcome = api.poke(place(targets), !before);
            if word_at(place(targets)) == before { outcome.map(|()| false) } else { Ok(true) }
        });
        all.extend([read, write].map(|escape| escape.in_region(Must::EndSomehow)));
    }
    let opened = escape("host::write_after_opening_all_keys", FAULT, |api, targets| {
        api.open_keys(targets.heap).map(|()| false)
    });
    all.push(opened.in_region(Must::EndSomehow));
    all.extend(another_domain(home));
    all.into_iter().map(Escape::at_the_host).collect()
}

const FAULT: Must = Must::Fail(|error| matches!(error, omniglot::Error::Fault(_)));

const SECRET: u64 = 0x0dd_ba11;

/// Runs an escape that targets the memory of another domain, which must not change.
fn at_other<R: Runtime>(
    home: Home<R>,
    api: &mut Api<R>,
    attack: impl FnOnce(&mut Api<R>, usize) -> Result<bool>,
) -> Result<bool> {
    let mut other = home.instance::<Escapes<R>>()?;
    let secret = other.malloc::<u64>(512)?;
    let pattern = [SECRET; 512];
    other.write_slice(secret, &pattern)?;
    let outcome = attack(api, real_address(&other, secret.as_ptr().addr())?);
    let intact = *other.view_slice(secret)? == pattern && other.sound(2, 3) == Ok(5);
    if intact { outcome } else { Ok(true) }
}

/// What the callback returns if there was a word of the host's to read.
const STOLEN: i32 = 99;

fn another_domain<R: Runtime>(home: Home<R>) -> Vec<Escape<R>> {
    vec![
        escape("another_domain::read", ACCESS, move |api, _| {
            at_other(home, api, |api, address| api.peek(address).map(|found| found == SECRET))
        })
        // At the same place in its own region there is its own heap.
        .in_region(Must::Pass),
        escape("another_domain::write", ACCESS, move |api, _| {
            at_other(home, api, |api, address| api.poke(address, 0).map(|()| false))
        })
        .in_region(Must::Pass),
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
            let landing = real_address(&other, landing)?;
            let rsp = api.place_of(Place::SLIDE)? as u64;
            let registers = api.alloc(Registers { rsp, flags: 0x202, ..Registers::default() })?;
            let registers = Ptr::from_addr(registers.as_ref().as_ptr().addr());
            api.leap(landing, registers, 0).map(|_| true)
        }),
        escape("another_domain::host_reads_it_there", Must::BeOutside, move |api, _| {
            let mut other = home.instance::<Escapes<R>>()?;
            let address = real_address(&other, bounds(&other).start + 4096)?;
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
                    api.write_slice(own, &[SECRET])?;
                    let stolen = other.peek(real_address(api, own.as_ptr().addr())?);
                    let is_stolen = match home.isolation {
                        IsolationKind::Sfi => stolen == Ok(SECRET),
                        _ => stolen.is_ok(),
                    };
                    assert!(!is_stolen, "a domain read another's memory");
                    let found = api.peek(heap)?;
                    Ok(if found == word_at(heap) { STOLEN } else { value })
                },
                |api, function| api.call_host(function, 1),
            )?;
            called.map(|value| value == STOLEN)
        })
        .in_region(Must::EndSomehow),
    ]
}
