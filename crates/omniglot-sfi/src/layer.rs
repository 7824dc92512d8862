//! C code that images need: compile it, and add the objects before others.

/// What images begin with: constructors are called, a smashed stack ends the library. Every image
/// that has constructors needs it.
pub const START: &str = include_str!("../layer/start.c");

/// `memcpy` and its like, which compilers call without being told to.
pub const MEMORY: &str = include_str!("../layer/memory.c");

/// What musl's `libc.a` needs to run in a region, and names that objects ask for which were
/// compiled with glibc's headers: `__memcpy_chk` and its like. Only with that archive.
pub const LIBC: &str = include_str!("../layer/libc.c");

/// Flags that these three are compiled with, by gcc or clang.
pub const FLAGS: [&str; 10] = [
    "-O2",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-pic",
    "-fno-pie",
    "-mcmodel=small",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-U_FORTIFY_SOURCE",
    "-w",
];

/// Flags that make code smaller and faster once it is rewritten. Without them it is rewritten,
/// too, if it has no table of jumps that cannot be understood.
pub const BEST_FLAGS: [&str; 6] = [
    "-fno-pic",
    "-fno-pie",
    "-mcmodel=small",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
];
