//! Nothing but tests: those of omniglot-linux that concern runtimes in the host's process,
//! built with their library inside, so that they run in a virtual machine with protection
//! keys, where there is no compiler.
#![forbid(unsafe_code)]
