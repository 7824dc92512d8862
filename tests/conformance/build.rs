//! Binds the C libraries that the tests call, hostile ones included.
#![forbid(unsafe_code)]

use std::path::Path;

use omniglot_build::{Handle, Library, Result};

/// One slot for each level of nested calls, and a few more.
const SLOTS: u32 = 72;

/// Attacks during loading: `enum attack` in `c/constructor.c`.
const CONSTRUCTORS: [&str; 29] = [
    "crash",
    "loop",
    "exit",
    "recurse",
    "read_file",
    "write_file",
    "remove_file",
    "list_processes",
    "open_own_memory",
    "open_host_memory",
    "write_host_memory",
    "fork",
    "raw_fork",
    "execute",
    "thread",
    "signal_host",
    "trace_host",
    "limit_host",
    "outlive_host",
    "connect",
    "new_namespace",
    "forge_nothing",
    "forge_wild_image",
    "forge_noise_image",
    "forge_callback",
    "forge_report",
    "forge_image",
    "forge_in_time",
    "keep_loading",
];

/// Instructions, each of which one library contains: `enum gadget` in `c/gadget.h`.
const GADGETS: [&str; 11] = [
    "wrpkru",
    "xrstor",
    "xrstor64",
    "xrstor_far",
    "hidden",
    "across",
    "across_pages",
    "xrstor_across",
    "lfence",
    "fxrstor",
    "in_data",
];

fn main() -> Result<()> {
    conformance()?;
    // The attacks in this package are on Linux; tests/pmp has its own, and tests that change loads
    // have none.
    let has_no_system = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "none");
    if has_no_system || std::env::var_os("CARGO_CFG_OMNIGLOT_FAULTS").is_some() {
        return Ok(());
    }
    hostile()?;
    rampage()?;
    Library::new("vast")
        .instance_name("VastLibrary")
        .header("c/vast.h")
        .source("c/vast.c")
        .generate()?;
    CONSTRUCTORS.into_iter().try_for_each(constructor)?;
    // Nothing runs in the host's process elsewhere.
    println!("cargo::rustc-check-cfg=cfg(in_process)");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|name| name != "x86_64") {
        return Ok(());
    }
    println!("cargo::rustc-cfg=in_process");
    escapes()?;
    relocated();
    GADGETS.into_iter().try_for_each(gadget)
}

fn conformance() -> Result<()> {
    let library = Library::new("conformance")
        .header("c/conformance.h")
        .source("c/conformance.c")
        .source("c/liar.c")
        .setjmp_guard("reader_(sum|fail|fail_at)", "reader->escape")
        .raise("reader_fail")
        .callback_slots(SLOTS)
        .sandboxed()
        // In a kernel: QEMU's board `virt` has RAM there, and a case asks for 4 MiB of heap.
        .region(0x8400_0000, 6 << 20)
        .stack(64 << 10)
        .exchange(64 << 10)
        .heap(5 << 20);
    // Handles need an allocator.
    let has_handles = std::env::var_os("CARGO_FEATURE_STD").is_some();
    let handle = || Handle::of("Thing").destructor("thing_end");
    // So do batches.
    let batched = "echo_i32|echo_pointer|twice|weigh_mixture|reverse_large|colour_of_number|\
                   count_once|call_int|reader_fail_at|fail_with|read_int|work";
    if has_handles { library.handle(handle()).batch(batched) } else { library }.generate()
}

fn hostile() -> Result<()> {
    Library::new("hostile")
        .header("c/hostile.h")
        .source("c/hostile.c")
        .source("c/hostile_liar.c")
        .include("../../crates/omniglot-linux/worker")
        .callback_slots(SLOTS)
        .sandboxed()
        .generate()
}

fn rampage() -> Result<()> {
    Library::new("rampage")
        .header("c/rampage.h")
        .source("c/rampage.c")
        .include("../../crates/omniglot-linux/worker")
        .callback_slots(SLOTS)
        .generate()
}

fn escapes() -> Result<()> {
    Library::new("escapes")
        .header("c/escapes.h")
        .source("c/escapes.c")
        .callback_slots(SLOTS)
        .sandboxed()
        .generate()
}

/// A library for the host whose code has relocations. The test that uses it fails if it has none.
fn relocated() {
    println!("cargo::rerun-if-changed=c/relocated.S");
    let directory = std::env::var_os("OUT_DIR").unwrap_or_default();
    let mut compiler = cc::Build::new().cargo_metadata(false).get_compiler().to_command();
    compiler.args(["-shared", "-nostdlib", "-Wl,-z,notext", "-o"]);
    compiler.arg(Path::new(&directory).join("relocated.so")).arg("c/relocated.S");
    let is_done = compiler.status().is_ok_and(|status| status.success());
    assert!(is_done, "the compiler makes no library of c/relocated.S");
}

fn gadget(gadget: &str) -> Result<()> {
    Library::new(format!("gadget_{gadget}"))
        .header("c/gadget.h")
        .source("c/gadget.c")
        .define("GADGET", gadget.to_uppercase())
        .generate()
}

fn constructor(attack: &str) -> Result<()> {
    Library::new(format!("constructor_{attack}"))
        .header("c/constructor.h")
        .source("c/constructor.c")
        .include("../../crates/omniglot-linux/worker")
        .define("ATTACK", attack.to_uppercase())
        .generate()
}
