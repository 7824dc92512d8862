//! C code that images need. Compile it, and add the objects before all others.

/// Start-up code: it calls constructors, and ends the library if its stack protector fails. Every
/// image with constructors needs it.
pub const START: &str = include_str!("../layer/start.c");

/// `memcpy` and similar functions, which compilers call implicitly.
pub const MEMORY: &str = include_str!("../layer/memory.c");

/// What musl's `libc.a` needs to run in a region, and the names that objects use which were
/// compiled with glibc's headers (`__memcpy_chk` and similar ones). Use it only with that archive.
pub const LIBC: &str = include_str!("../layer/libc.c");

/// Flags for compiling these three with gcc or clang.
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

/// Flags that make rewritten code smaller and faster. Code without them is rewritten, too, unless
/// it has a jump table that is not understood.
pub const BEST_FLAGS: [&str; 6] = [
    "-fno-pic",
    "-fno-pie",
    "-mcmodel=small",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
];
