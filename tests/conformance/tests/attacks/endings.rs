//! Ways to end the process, and ways to never end a call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use omniglot::{Error, FaultKind, Runtime};
use syscalls::Sysno;

use super::attack::{Attack, Must, attack, limit};
use super::home::Home;
use super::hostile::Way;

const ABORT: Must = Must::Fault(&[FaultKind::Abort]);

pub(crate) fn attacks<R: Runtime>(home: Home<R>) -> Vec<Attack<R>> {
    let mut all: Vec<_> = [
        ("exit", Must::Exit(3), Way::BY_EXIT),
        ("immediate_exit", Must::Exit(3), Way::BY_IMMEDIATE_EXIT),
        ("quick_exit", Must::Exit(3), Way::BY_QUICK_EXIT),
        ("abort", ABORT, Way::BY_ABORT),
        ("assert", ABORT, Way::BY_ASSERT),
        ("kill_itself", Must::Deny("tgkill"), Way::BY_SIGNAL),
    ]
    .into_iter()
    .map(|(name, must, way)| {
        let attack = attack(format!("endings::{name}"), must, move |api, _| {
            api.leave(way, 3).map(|()| true)
        });
        // Another C library is in an image.
        if name == "kill_itself" { attack.in_region(Must::Deny("tkill")) } else { attack }
    })
    .collect();
    all.push(attack("endings::never", Must::TimeOut, |api, _| {
        limit(api);
        api.loop_forever().map(|()| true)
    }));
    all.push(attack(
        "endings::interrupted",
        Must::Fail(|error| *error == Error::Interrupted),
        move |api, _| {
            let handle = api.interrupt_handle();
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // An interruption before the call has begun has no effect, so it is repeated.
                    while !done.load(Ordering::Relaxed) {
                        (home.interrupt)(&handle);
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
                let outcome = api.loop_forever();
                done.store(true, Ordering::Relaxed);
                outcome.map(|()| true)
            })
        },
    ));
    // The library blocks in the only system call that may block.
    all.push(
        attack("endings::sleeps_for_ever", Must::TimeOut, |api, _| {
            limit(api);
            let word = api.alloc(0u32)?;
            let address = word.as_ref().as_ptr().addr() as i64;
            let futex = Sysno::futex as i64;
            api.system_call(futex, address, 0, 0, 0, 0, 0).map(|_| false)
        })
        // Nobody could wake the host's own thread, so it does not sleep.
        .in_process(Must::Pass),
    );
    all
}
