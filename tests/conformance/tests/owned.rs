//! What needs an allocator and threads: owned callbacks, owned memory, panics,
//! several instances. In the process runtime, as every runtime under std shares
//! this code.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod owned {
    mod boxes;
    mod callbacks;
    mod instances;
    mod panics;
    mod threads;

    use omniglot::{Isolation, Linux};
    use omniglot_conformance::conformance::{self, Conformance};

    type Api = conformance::Api<Linux>;

    /// A fresh instance.
    fn instance() -> Conformance {
        Conformance::builder().isolation(Isolation::Process).memory_limit(64 << 20).build().unwrap()
    }
}
