//! Tests that need an allocator and threads: owned callbacks, owned memory, panics, several
//! instances. They use the process runtime, since all runtimes under std share this code.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod owned {
    #[macro_use]
    mod resets;
    mod boxes;
    mod callbacks;
    mod instances;
    mod panics;
    mod pools;
    mod spares;
    mod threads;
    mod vast;

    use omniglot::{InterruptHandle, Isolation, Linux};
    use omniglot_conformance::conformance::{self, Conformance};

    use self::hostile::Hostile;
    use self::resets::Place;

    /// The hostile library.
    #[allow(unreachable_pub, dead_code)]
    mod hostile {
        omniglot::include_library!("hostile");
    }

    type Api = conformance::Api<Linux>;

    /// Makes a fresh instance.
    fn instance() -> Conformance {
        Conformance::builder().isolation(Isolation::Process).memory_limit(64 << 20).build().unwrap()
    }

    fn hostile() -> Hostile {
        Hostile::builder().isolation(Isolation::Process).memory_limit(64 << 20).build().unwrap()
    }

    /// Instances in worker processes.
    struct Process;

    impl Place for Process {
        type Runtime = Linux;
        fn conformance() -> Conformance {
            instance()
        }
        fn hostile() -> Hostile {
            hostile()
        }
        fn interrupt(handle: &InterruptHandle) {
            handle.interrupt();
        }
    }

    reset_cases!(process, Process);
}
