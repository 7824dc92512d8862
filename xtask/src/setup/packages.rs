//! The system packages for building and testing Omniglot.

mod headers;
mod places;
mod real;

use super::libclang;
use super::machine::Machine;

/// What a command will do, as far as system packages are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Run the demo.
    Demo,
    /// Run the tests.
    Test,
    /// Run the benchmarks.
    Bench,
    /// Compile C libraries to WebAssembly, to measure it.
    Wasm,
    /// Check the sources, which compiles all of them.
    Lint,
    /// Build programs for RISC-V and run them.
    Emulate,
    /// Run the kernel.
    Kernel,
    /// Run the corpus of real libraries.
    Libraries,
    /// Bind the corpus of headers.
    Headers,
    /// Run a host in containers, sandboxes and under debuggers.
    Places,
    /// Start a virtual machine.
    Guest,
    /// Build programs for 64-bit Arm, and run them in a virtual machine.
    Arm64,
    /// Run programs in other releases of Debian.
    Roots,
    /// Run tests in such a release that were built outside of it.
    Prebuilt,
    /// Build the demo and the conformance suite in such a release.
    Rebuilt,
}

/// A Debian package, and how to detect that its contents are installed.
///
/// The contents are checked rather than the package, since a library or command may have been
/// installed in another way.
#[derive(Debug)]
pub(super) struct Package {
    /// Its name in Debian and Ubuntu.
    pub(super) name: &'static str,
    /// The reason why it is needed, for the user.
    pub(super) reason: &'static str,
    /// The package counts as installed if all of these are found.
    signs: &'static [Sign],
    /// The tasks that need it.
    tasks: &'static [Task],
}

/// Something to search for on the machine.
#[derive(Debug)]
enum Sign {
    /// A command on the search path.
    Command(&'static str),
    /// A C header in a directory that compilers search.
    Header(&'static str),
    /// A library that pkg-config knows, by its pkg-config name.
    PkgConfig(&'static str),
    /// A file, by its path without the leading slash.
    File(&'static str),
    /// A libclang that can read headers.
    Libclang,
    /// A Python that can create virtual environments with pip.
    PythonEnvironments,
    /// A Rust toolchain with the RISC-V target, or this.
    RiscvTargetOr(&'static Self),
}

/// Tasks that build or run everything.
const EVERYTHING: &[Task] = &[Task::Test, Task::Bench, Task::Lint, Task::Prebuilt];

/// Tasks that build everything, without what only running needs.
const BUILDS: &[Task] = &[Task::Test, Task::Bench, Task::Lint];

/// Tasks that build sandboxed images.
const SANDBOXED: &[Task] = &[Task::Test, Task::Bench, Task::Lint, Task::Rebuilt];

/// Tasks that compile C libraries to WebAssembly.
const WASM: &[Task] = &[Task::Wasm, Task::Lint];

/// Tests only. Nothing is built with these packages.
const TESTS: &[Task] = &[Task::Test];

/// Tasks that need a C compiler and libclang.
const ALL: &[Task] = &[
    Task::Demo,
    Task::Test,
    Task::Bench,
    Task::Lint,
    Task::Emulate,
    Task::Kernel,
    Task::Libraries,
    Task::Headers,
    Task::Places,
    Task::Rebuilt,
];

/// Tasks that run C libraries of this machine.
const NATIVE: &[Task] =
    &[Task::Demo, Task::Test, Task::Bench, Task::Lint, Task::Places, Task::Prebuilt, Task::Rebuilt];

/// Tasks that build and run programs for RISC-V.
const RISCV: &[Task] = &[Task::Test, Task::Emulate, Task::Kernel];

/// Tasks that build C libraries for RISC-V.
const RISCV_C: &[Task] = &[Task::Test, Task::Lint, Task::Emulate, Task::Kernel];

/// Virtual machines of this architecture.
const GUESTS: &[Task] = &[Task::Guest, Task::Places];

/// Virtual machines of either architecture.
const ALL_GUESTS: &[Task] = &[Task::Guest, Task::Places, Task::Arm64];

/// Programs for 64-bit Arm only.
const ARM64: &[Task] = &[Task::Arm64];

/// Root directories of other Debian releases only.
const ROOTS: &[Task] = &[Task::Roots];

/// All packages.
const PACKAGES: &[Package] = &[
    Package {
        name: "build-essential",
        reason: "its C compiler builds the shims and links Rust programs",
        // gcc is useless without the C library's headers, which are in a separate package.
        signs: &[Sign::Command("cc"), Sign::Header("stdio.h")],
        tasks: ALL,
    },
    Package {
        name: "pkg-config",
        reason: "finds installed C libraries",
        signs: &[Sign::Command("pkg-config")],
        tasks: ALL,
    },
    Package {
        name: "libclang-dev",
        reason: "reads the C libraries' headers",
        signs: &[Sign::Libclang],
        tasks: ALL,
    },
    Package {
        name: "libpng-dev",
        reason: "the C library that the demo and the tests run",
        signs: &[Sign::Header("png.h")],
        tasks: NATIVE,
    },
    Package {
        name: "zlib1g-dev",
        reason: "a C library that libpng needs",
        signs: &[Sign::Header("zlib.h")],
        tasks: NATIVE,
    },
    Package {
        name: "libsodium-dev",
        reason: "a C library that the tests run unmodified",
        signs: &[Sign::Header("sodium.h")],
        tasks: EVERYTHING,
    },
    Package {
        name: "libbrotli-dev",
        reason: "a C library that the tests run unmodified",
        signs: &[Sign::Header("brotli/decode.h"), Sign::Header("brotli/encode.h")],
        tasks: EVERYTHING,
    },
    Package {
        name: "libexpat1-dev",
        reason: "the C library with which an example reads XML",
        signs: &[Sign::Header("expat.h")],
        tasks: BUILDS,
    },
    Package {
        name: "libsqlite3-dev",
        reason: "the C library with which an example stores a database",
        signs: &[Sign::Header("sqlite3.h")],
        tasks: BUILDS,
    },
    Package {
        name: "libwebp-dev",
        reason: "headers that must be bound completely",
        signs: &[Sign::Header("webp/decode.h"), Sign::Header("webp/encode.h")],
        tasks: TESTS,
    },
    Package {
        name: "libopenjp2-7-dev",
        reason: "a header that must be bound completely",
        // Its directory name contains its version.
        signs: &[Sign::PkgConfig("libopenjp2")],
        tasks: TESTS,
    },
    Package {
        name: "libzstd-dev",
        reason: "a header that must be bound completely",
        signs: &[Sign::Header("zstd.h")],
        tasks: TESTS,
    },
    Package {
        name: "liblz4-dev",
        reason: "a header that must be bound completely",
        signs: &[Sign::Header("lz4.h")],
        tasks: TESTS,
    },
    Package {
        name: "libjpeg62-turbo-dev",
        reason: "a C library that the benchmarks run, and whose archive tests rewrite",
        signs: &[Sign::Header("jpeglib.h")],
        tasks: BUILDS,
    },
    Package {
        name: "liblua5.4-dev",
        reason: "a C library that the benchmarks run, and whose archive tests rewrite",
        signs: &[Sign::Header("lua5.4/lua.h")],
        tasks: BUILDS,
    },
    Package {
        name: "libjansson-dev",
        reason: "a C library that the benchmarks run",
        signs: &[Sign::Header("jansson.h")],
        tasks: BUILDS,
    },
    Package {
        name: "musl-dev",
        reason: "the C library of rewritten libraries",
        signs: &[Sign::File("usr/lib/x86_64-linux-musl/libc.a")],
        tasks: SANDBOXED,
    },
    Package {
        name: "liblwip-dev",
        reason: "headers that must be bound completely",
        signs: &[Sign::PkgConfig("lwip")],
        tasks: TESTS,
    },
    Package {
        name: "clang-19",
        reason: "a second C compiler: must not warn about the shims, and makes WebAssembly",
        signs: &[Sign::Command("clang-19")],
        tasks: &[Task::Test, Task::Wasm, Task::Lint],
    },
    Package {
        name: "wasi-libc",
        reason: "the C library for WebAssembly, which is measured beside Omniglot",
        signs: &[Sign::File("usr/lib/wasm32-wasi/libc.a")],
        tasks: WASM,
    },
    Package {
        name: "libclang-rt-19-dev-wasm32",
        reason: "the compiler's own library for WebAssembly",
        signs: &[Sign::File("usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a")],
        tasks: WASM,
    },
    Package {
        name: "lld-19",
        reason: "links WebAssembly",
        signs: &[Sign::Command("wasm-ld-19")],
        tasks: WASM,
    },
    Package {
        name: "wabt",
        reason: "turns WebAssembly into C, which is measured too",
        signs: &[Sign::Command("wasm2c"), Sign::File("usr/share/wabt/wasm2c/wasm-rt-impl.c")],
        tasks: WASM,
    },
    Package {
        name: "python3-venv",
        reason: "provides another implementation of littlefs, which reads the kernel's disk",
        signs: &[Sign::Command("python3"), Sign::PythonEnvironments],
        tasks: TESTS,
    },
    Package {
        name: "gcc-riscv64-unknown-elf",
        reason: "compiles C libraries for the RISC-V board",
        signs: &[Sign::Command("riscv64-unknown-elf-gcc")],
        tasks: RISCV_C,
    },
    Package {
        name: "picolibc-riscv64-unknown-elf",
        reason: "the C library for programs on the RISC-V board",
        signs: &[Sign::File("usr/lib/picolibc/riscv64-unknown-elf/include/stdio.h")],
        tasks: RISCV_C,
    },
    Package {
        name: "qemu-system-misc",
        reason: "emulates the RISC-V board",
        signs: &[Sign::Command("qemu-system-riscv32")],
        tasks: RISCV,
    },
    Package {
        name: "rustc-web",
        reason: "compiles Rust for RISC-V, as rustup has no such target here",
        signs: &[Sign::RiscvTargetOr(&Sign::File("usr/share/doc/rustc-web/copyright"))],
        tasks: RISCV,
    },
    Package {
        name: "cargo-web",
        reason: "runs that compiler",
        signs: &[Sign::RiscvTargetOr(&Sign::File("usr/share/doc/cargo-web/copyright"))],
        tasks: RISCV,
    },
    Package {
        name: "rust-web-src",
        reason: "the sources of Rust's standard library, to build it for RISC-V",
        signs: &[Sign::RiscvTargetOr(&Sign::File("usr/share/doc/rust-web-src/copyright"))],
        tasks: RISCV,
    },
    Package {
        name: "lld-19",
        reason: "links that compiler's output for RISC-V",
        signs: &[Sign::RiscvTargetOr(&Sign::Command("ld.lld-19"))],
        tasks: RISCV,
    },
    Package {
        name: "qemu-system-x86",
        reason: "the virtual machine with protection keys for tests",
        signs: &[Sign::Command("qemu-system-x86_64")],
        tasks: GUESTS,
    },
    Package {
        name: "busybox-static",
        reason: "the shell and tools in that virtual machine",
        signs: &[Sign::Command("busybox")],
        tasks: ALL_GUESTS,
    },
    Package {
        name: "zstd",
        reason: "unpacks that virtual machine's kernel",
        signs: &[Sign::Command("zstd")],
        tasks: GUESTS,
    },
    Package {
        name: "gcc-aarch64-linux-gnu",
        reason: "compiles C libraries and workers for 64-bit Arm",
        signs: &[Sign::Command("aarch64-linux-gnu-gcc")],
        tasks: ARM64,
    },
    Package {
        name: "libc6-dev-arm64-cross",
        reason: "the C library for programs for 64-bit Arm",
        signs: &[Sign::File("usr/aarch64-linux-gnu/include/stdio.h")],
        tasks: ARM64,
    },
    Package {
        name: "qemu-system-arm",
        reason: "the virtual machine for 64-bit Arm",
        signs: &[Sign::Command("qemu-system-aarch64")],
        tasks: ARM64,
    },
    Package {
        name: "debootstrap",
        reason: "installs other Debian releases in directories, for tests",
        signs: &[Sign::File("usr/sbin/debootstrap")],
        tasks: ROOTS,
    },
    Package {
        name: "debian-archive-keyring",
        reason: "verifies that their packages are Debian's",
        signs: &[Sign::File("usr/share/keyrings/debian-archive-keyring.gpg")],
        tasks: ROOTS,
    },
];

/// Returns true if `task`, restricted to these suites unless the list is empty, builds for RISC-V
/// and `machine` has no Rust toolchain with that target.
pub(super) fn lacks_riscv_target(task: Task, suites: &[String], machine: &Machine) -> bool {
    let builds =
        suites.is_empty() || suites.iter().any(|suite| [PMP, KERNEL, ATTACKS].contains(&&**suite));
    RISCV.contains(&task) && builds && !machine.has_riscv_target()
}

/// For packages that only some suites of tests need, those suites.
const OF_SUITES: &[(&str, &[&str])] = &[
    (
        "pkg-config",
        &[
            UNIT, GENERATOR, HEADERS, FAULTS, DEMO, EXAMPLES, KEYS, IN_PROCESS, RELEASES, PMP,
            KERNEL,
        ],
    ),
    ("libpng-dev", &[UNIT, GENERATOR, HEADERS, FAULTS, DEMO, KEYS, IN_PROCESS, RELEASES]),
    ("zlib1g-dev", &[UNIT, GENERATOR, HEADERS, FAULTS, DEMO, EXAMPLES, KEYS, IN_PROCESS, RELEASES]),
    ("libsodium-dev", &[UNIT, GENERATOR, HEADERS, KEYS, IN_PROCESS, RELEASES]),
    ("libbrotli-dev", &[UNIT, GENERATOR, HEADERS, KEYS, IN_PROCESS, RELEASES]),
    ("libexpat1-dev", &[UNIT, HEADERS, EXAMPLES]),
    ("libsqlite3-dev", &[UNIT, HEADERS, EXAMPLES]),
    ("libwebp-dev", &[UNIT, HEADERS]),
    ("libopenjp2-7-dev", &[HEADERS]),
    ("libzstd-dev", &[UNIT, HEADERS]),
    ("liblz4-dev", &[UNIT, HEADERS]),
    ("liblwip-dev", &[HEADERS]),
    ("libjpeg62-turbo-dev", &[UNIT]),
    ("liblua5.4-dev", &[UNIT]),
    ("libjansson-dev", &[UNIT]),
    (
        "musl-dev",
        &[
            UNIT,
            GENERATOR,
            ABI,
            CONFORMANCE,
            SOAK,
            FAULTS,
            KEYS,
            IN_PROCESS,
            ESCAPES,
            RELEASES,
            ATTACKS,
        ],
    ),
    ("clang-19", &[GENERATOR, HEADERS]),
    ("python3-venv", &[KERNEL]),
    ("gcc-riscv64-unknown-elf", &[GENERATOR, PMP, KERNEL, ATTACKS]),
    ("picolibc-riscv64-unknown-elf", &[GENERATOR, PMP, KERNEL, ATTACKS]),
    ("qemu-system-misc", &[PMP, KERNEL, ATTACKS]),
    ("rustc-web", &[PMP, KERNEL, ATTACKS]),
    ("cargo-web", &[PMP, KERNEL, ATTACKS]),
    ("rust-web-src", &[PMP, KERNEL, ATTACKS]),
    ("lld-19", &[PMP, KERNEL, ATTACKS]),
];

const UNIT: &str = "unit";
const GENERATOR: &str = "generator";
const HEADERS: &str = "headers";
const ABI: &str = "abi";
const CONFORMANCE: &str = "conformance";
const SOAK: &str = "soak";
const FAULTS: &str = "faults";
const DEMO: &str = "demo";
const EXAMPLES: &str = "examples";
const KEYS: &str = "keys";
const IN_PROCESS: &str = "in-process";
const ESCAPES: &str = "escapes";
const RELEASES: &str = "distributions";
const PMP: &str = "pmp";
const KERNEL: &str = "kernel";
const ATTACKS: &str = "attacks";

/// The packages that `task` needs and `machine` lacks. For tests, only these suites count, or all
/// if the list is empty.
pub(super) fn missing(task: Task, suites: &[String], machine: &Machine) -> Vec<&'static Package> {
    let all =
        PACKAGES.iter().chain(real::PACKAGES).chain(headers::PACKAGES).chain(places::PACKAGES);
    let needed = all.filter(|package| package.tasks.contains(&task));
    let needed = needed.filter(|package| suites.is_empty() || package.is_for(suites));
    needed.filter(|package| !package.is_on(machine)).collect()
}

impl Package {
    /// Returns true if one of these suites needs the package.
    fn is_for(&self, suites: &[String]) -> bool {
        let known = OF_SUITES.iter().find(|(name, _)| *name == self.name);
        known.is_none_or(|(_, needing)| suites.iter().any(|suite| needing.contains(&&**suite)))
    }

    fn is_on(&self, machine: &Machine) -> bool {
        self.signs.iter().all(|sign| sign.is_on(machine))
    }
}

impl Sign {
    fn is_on(&self, machine: &Machine) -> bool {
        match self {
            Self::Command(name) => machine.has_command(name),
            Self::Header(name) => machine.has_header(name),
            Self::PkgConfig(name) => machine.has_description(name),
            Self::File(path) => machine.path(path).is_file(),
            Self::Libclang => libclang::is_on(machine),
            Self::PythonEnvironments => machine.has_python_environments(),
            Self::RiscvTargetOr(sign) => machine.has_riscv_target() || sign.is_on(machine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Machine, OF_SUITES, PACKAGES, Task, lacks_riscv_target, missing, places};
    use crate::riscv::TARGET;
    use crate::testing::TempDir;

    fn names(task: Task, directory: &TempDir) -> Vec<&'static str> {
        let machine = Machine::at(directory.path());
        missing(task, &[], &machine).iter().map(|package| package.name).collect()
    }

    #[test]
    fn a_bare_machine_lacks_everything() {
        let bare = TempDir::new();
        let all = [
            "build-essential",
            "pkg-config",
            "libclang-dev",
            "libpng-dev",
            "zlib1g-dev",
            "libsodium-dev",
            "libbrotli-dev",
            "libexpat1-dev",
            "libsqlite3-dev",
            "libwebp-dev",
            "libopenjp2-7-dev",
            "libzstd-dev",
            "liblz4-dev",
            "libjpeg62-turbo-dev",
            "liblua5.4-dev",
            "libjansson-dev",
            "musl-dev",
            "liblwip-dev",
            "clang-19",
            "python3-venv",
            "gcc-riscv64-unknown-elf",
            "picolibc-riscv64-unknown-elf",
            "qemu-system-misc",
            "rustc-web",
            "cargo-web",
            "rust-web-src",
            "lld-19",
        ];
        assert_eq!(names(Task::Test, &bare), all);
        assert_eq!(names(Task::Demo, &bare), all[..5]);
        assert_eq!(names(Task::Emulate, &bare), [&all[..3], &all[20..]].concat());
        let places: Vec<&str> = places::PACKAGES.iter().map(|package| package.name).collect();
        let guest = ["qemu-system-x86", "busybox-static", "zstd"];
        assert_eq!(names(Task::Places, &bare), [&all[..5], &guest, &places].concat());
        assert_eq!(names(Task::Guest, &bare), guest);
        let arm64 =
            ["busybox-static", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "qemu-system-arm"];
        assert_eq!(names(Task::Arm64, &bare), arm64);
        assert_eq!(names(Task::Roots, &bare), ["debootstrap", "debian-archive-keyring"]);
        assert_eq!(names(Task::Prebuilt, &bare), all[3..7]);
        let wasm = ["clang-19", "wasi-libc", "libclang-rt-19-dev-wasm32", "lld-19", "wabt"];
        assert_eq!(names(Task::Wasm, &bare), wasm);
        assert_eq!(names(Task::Rebuilt, &bare), [&all[..5], &["musl-dev"]].concat());
    }

    #[test]
    fn a_suite_needs_only_what_it_uses() {
        let machine = Machine::at(TempDir::new().path());
        let names = |suite: &str| -> Vec<&str> {
            let lacking = missing(Task::Test, &[suite.to_owned()], &machine);
            lacking.iter().map(|package| package.name).collect()
        };
        assert_eq!(names("compile-fail"), ["build-essential", "libclang-dev"]);
        assert_eq!(names("faults"), [names("demo"), vec!["musl-dev"]].concat());
        assert_eq!(names("unit").len(), 16);
        assert!(lacks_riscv_target(Task::Test, &["kernel".to_owned()], &machine));
        assert!(!lacks_riscv_target(Task::Test, &["unit".to_owned()], &machine));
    }

    #[test]
    fn what_suites_need_is_said_of_suites_and_packages_that_there_are() {
        let suites: Vec<&str> = crate::test::suites::all().collect();
        for (name, needing) in OF_SUITES {
            assert!(PACKAGES.iter().any(|package| package.name == *name), "{name}");
            assert!(needing.iter().all(|suite| suites.contains(suite)), "{name}");
        }
    }

    #[test]
    fn a_full_machine_lacks_nothing() {
        let full = TempDir::new();
        for file in [
            "usr/sbin/debootstrap",
            "usr/share/keyrings/debian-archive-keyring.gpg",
            "usr/bin/busybox",
            "usr/bin/cc",
            "usr/bin/pkg-config",
            "usr/bin/qemu-system-x86_64",
            "usr/bin/qemu-system-aarch64",
            "usr/bin/aarch64-linux-gnu-gcc",
            "usr/aarch64-linux-gnu/include/stdio.h",
            "usr/bin/zstd",
            "usr/include/stdio.h",
            "usr/include/png.h",
            "usr/include/zlib.h",
            "usr/include/sodium.h",
            "usr/include/brotli/decode.h",
            "usr/include/brotli/encode.h",
            "usr/include/expat.h",
            "usr/include/sqlite3.h",
            "usr/bin/clang-19",
            "usr/include/webp/decode.h",
            "usr/include/webp/encode.h",
            "usr/include/zstd.h",
            "usr/include/lz4.h",
            "usr/include/jpeglib.h",
            "usr/include/lua5.4/lua.h",
            "usr/include/jansson.h",
            "usr/lib/x86_64-linux-musl/libc.a",
            "usr/lib/pkgconfig/libopenjp2.pc",
            "usr/lib/pkgconfig/lwip.pc",
            "usr/lib/llvm-14/lib/libclang.so.1",
            "usr/lib/llvm-14/lib/clang/14.0.6/include/stddef.h",
            "usr/bin/python3",
            "usr/lib/python3.11/ensurepip/__init__.py",
            "usr/bin/riscv64-unknown-elf-gcc",
            "usr/lib/picolibc/riscv64-unknown-elf/include/stdio.h",
            "usr/bin/qemu-system-riscv32",
            "usr/share/doc/rustc-web/copyright",
            "usr/share/doc/cargo-web/copyright",
            "usr/share/doc/rust-web-src/copyright",
            "usr/bin/ld.lld-19",
        ] {
            full.touch(file);
        }
        assert_eq!(names(Task::Test, &full), [""; 0]);
        assert_eq!(names(Task::Guest, &full), [""; 0]);
        assert_eq!(names(Task::Arm64, &full), [""; 0]);
        assert_eq!(names(Task::Roots, &full), [""; 0]);
    }

    #[test]
    fn a_toolchain_with_the_target_makes_debians_needless() {
        let directory = TempDir::new();
        directory.touch(&format!("toolchain/lib/rustlib/{TARGET}/lib/libcore.rlib"));
        let mut machine = Machine::at(directory.path());
        machine.sysroot = Some(directory.path().join("toolchain"));
        assert!(!lacks_riscv_target(Task::Test, &[], &machine));
        let lacking = missing(Task::Emulate, &[], &machine);
        assert!(lacking.iter().all(|package| !package.name.contains("web")), "{lacking:?}");
        assert!(lacks_riscv_target(Task::Test, &[], &Machine::at(directory.path())));
        assert!(!lacks_riscv_target(Task::Demo, &[], &Machine::at(directory.path())));
    }

    #[test]
    fn a_compiler_without_the_c_librarys_headers_is_not_enough() {
        let directory = TempDir::new();
        directory.touch("usr/bin/cc");
        assert!(names(Task::Demo, &directory).contains(&"build-essential"));
    }
}
