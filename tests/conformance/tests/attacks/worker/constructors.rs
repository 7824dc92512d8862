//! Libraries that attack while they are loaded: none of them becomes an instance.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use omniglot::{Builder, Error, FaultKind, Isolation, Library, Linux};

use super::HOME;
use crate::attacks::attack::check_fresh_instance;
use crate::attacks::canaries::with_canaries;

/// Declares a module, a table entry and the expectation for each library.
macro_rules! constructors {
    ($($name:ident, $library:literal, $instance:ident, $accepts:expr;)+) => {
        $(
            #[allow(unreachable_pub)]
            mod $name {
                omniglot::include_library!($library);
            }
        )+

        pub(crate) fn trials() -> Vec<Trial> {
            let refused = vec![$(trial(stringify!($name), || build::<$name::$instance>(stringify!($name), $accepts))),+];
            let forged = trial("forge_in_time", the_loader_is_replaced);
            refused.into_iter().chain([forged]).collect()
        }
    };
}

type Accepts = fn(&Error) -> bool;

const FAULT: Accepts = |error| matches!(error, Error::Fault(_));
/// The constructor itself reports that it was stopped.
const STOPPED: Accepts =
    |error| matches!(error, Error::Fault(fault) if fault.kind == FaultKind::Abort);
const DENIED: Accepts = |error| matches!(error, Error::SyscallDenied { .. });
const STOPPED_OR_DENIED: Accepts = |error| STOPPED(error) || DENIED(error);
const TIMED_OUT: Accepts = |error| matches!(error, Error::Timeout { .. });
const EXITED: Accepts = |error| matches!(error, Error::Exited { .. });
const OUTSIDE: Accepts = |error| matches!(error, Error::OutOfRange { .. });
const LOAD: Accepts = |error| matches!(error, Error::Load(_));
const PROTOCOL: Accepts = |error| matches!(error, Error::Protocol(_));

constructors! {
    crash, "constructor_crash", ConstructorCrash, FAULT;
    endless, "constructor_loop", ConstructorLoop, TIMED_OUT;
    exit, "constructor_exit", ConstructorExit, EXITED;
    recurse, "constructor_recurse", ConstructorRecurse, FAULT;
    read_file, "constructor_read_file", ConstructorReadFile, STOPPED_OR_DENIED;
    write_file, "constructor_write_file", ConstructorWriteFile, STOPPED_OR_DENIED;
    remove_file, "constructor_remove_file", ConstructorRemoveFile, DENIED;
    list_processes, "constructor_list_processes", ConstructorListProcesses, STOPPED_OR_DENIED;
    open_own_memory, "constructor_open_own_memory", ConstructorOpenOwnMemory, STOPPED_OR_DENIED;
    open_host_memory, "constructor_open_host_memory", ConstructorOpenHostMemory, STOPPED_OR_DENIED;
    write_host_memory, "constructor_write_host_memory", ConstructorWriteHostMemory, DENIED;
    fork, "constructor_fork", ConstructorFork, DENIED;
    raw_fork, "constructor_raw_fork", ConstructorRawFork, DENIED;
    execute, "constructor_execute", ConstructorExecute, DENIED;
    thread, "constructor_thread", ConstructorThread, STOPPED_OR_DENIED;
    signal_host, "constructor_signal_host", ConstructorSignalHost, DENIED;
    trace_host, "constructor_trace_host", ConstructorTraceHost, DENIED;
    limit_host, "constructor_limit_host", ConstructorLimitHost, DENIED;
    outlive_host, "constructor_outlive_host", ConstructorOutliveHost, STOPPED_OR_DENIED;
    connect, "constructor_connect", ConstructorConnect, DENIED;
    new_namespace, "constructor_new_namespace", ConstructorNewNamespace, DENIED;
    forge_nothing, "constructor_forge_nothing", ConstructorForgeNothing, OUTSIDE;
    forge_wild_image, "constructor_forge_wild_image", ConstructorForgeWildImage, OUTSIDE;
    forge_noise_image, "constructor_forge_noise_image", ConstructorForgeNoiseImage, LOAD;
    forge_callback, "constructor_forge_callback", ConstructorForgeCallback, PROTOCOL;
    forge_report, "constructor_forge_report", ConstructorForgeReport, LOAD;
    forge_image, "constructor_forge_image", ConstructorForgeImage, PROTOCOL;
    keep_loading, "constructor_keep_loading", ConstructorKeepLoading, DENIED;
}

mod forge_in_time {
    omniglot::include_library!("constructor_forge_in_time");
}

fn trial(name: &str, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
    Trial::test(format!("constructors::{name}"), move || {
        with_canaries(|_| run())??;
        check_fresh_instance(HOME)
    })
}

fn builder<L: Library<Runtime = Linux>>() -> Builder<L> {
    Builder::new().isolation(Isolation::Process).memory_limit(64 << 20)
}

fn build<L: Library<Runtime = Linux>>(name: &str, accepts: Accepts) -> Result<(), Failed> {
    let mut builder = builder::<L>();
    if name == "endless" {
        builder = builder.start_timeout(Duration::from_millis(300));
    }
    match builder.build() {
        Ok(_) => Err("the attack succeeded".into()),
        Err(error) if accepts(&error) => Ok(()),
        Err(error) => Err(format!("it ended with {error:?}").into()),
    }
}

/// A constructor that never returns can report the end of loading, but then it has only the rights
/// of a loaded library: using the rights of loading ends it.
fn the_loader_is_replaced() -> Result<(), Failed> {
    let mut library: forge_in_time::ConstructorForgeInTime =
        builder().timeout(Duration::from_secs(20)).build()?;
    match library.loaded() {
        Err(error) if DENIED(&error) => Ok(()),
        other => Err(format!("{other:?} where the loader's rights were used").into()),
    }
}
