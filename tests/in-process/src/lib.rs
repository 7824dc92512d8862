//! Only tests of omniglot-linux: those of runtimes in the host's process, and those of worker processes
//! that also run on 64-bit Arm. They are built with their libraries inside, so that they can run in
//! virtual machines, which have no compiler.
#![forbid(unsafe_code)]
