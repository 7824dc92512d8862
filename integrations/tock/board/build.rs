//! Links the board as layout.ld says, and passes it the places of the foreign libraries.
#![forbid(unsafe_code)]

#[path = "../memory.rs"]
#[allow(dead_code, reason = "the libraries' own places are for the capsule's build script")]
mod memory;

fn main() {
    let memory::Range { start, len } = memory::FOREIGN;
    println!("cargo:rustc-link-arg=--defsym=_sforeign={start:#x}");
    println!("cargo:rustc-link-arg=--defsym=_eforeign={:#x}", start + len);
    println!("cargo:rerun-if-changed=../memory.rs");
    tock_build_scripts::default_linker_script();
}
