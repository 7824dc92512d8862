//! Only tests: omniglot-linux's tests of runtimes in the host's process. They are built with their
//! libraries inside, so that they can run in a virtual machine with protection keys, which has no
//! compiler.
#![forbid(unsafe_code)]
