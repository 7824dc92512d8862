//! Scans Debian's libraries, and files with gadgets that were made for these tests.
// Helper functions of tests may panic, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use omniglot_scan::{
    Gadget, Image, ImageKind, Kind, Known, NotAnImage, Setting, find, known, setting,
};

/// A library of this machine.
fn library(name: &str) -> Vec<u8> {
    let places = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"];
    let found = places.iter().find_map(|place| fs::read(Path::new(place).join(name)).ok());
    found.unwrap_or_else(|| panic!("{name} is not installed"))
}

/// The instructions of an image that change keys, with their classification.
fn key_changers(image: &Image<'_>) -> Vec<(Gadget, Setting, Option<Known>)> {
    let code = image.code();
    let judge = |gadget: Gadget| {
        let symbol = image.place(gadget.address).map(|place| place.symbol);
        let setting = setting(&gadget, &code, image.function_starts());
        (gadget, setting, known(&gadget, setting, &code, symbol))
    };
    find(&code, Kind::changes_keys).into_iter().map(judge).collect()
}

/// Links a shared library from assembly.
fn link(directory: &Path, assembly: &str, options: &[&str]) -> Vec<u8> {
    let source = directory.join("source.s");
    let target = directory.join("library.so");
    fs::write(&source, format!("{assembly}\n.section .note.GNU-stack,\"\",@progbits\n")).unwrap();
    compile(&source, &target, options);
    fs::read(target).unwrap()
}

fn compile(source: &PathBuf, target: &PathBuf, options: &[&str]) {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-shared", "-fPIC", "-nostdlib", "-o"]).arg(target).arg(source).args(options);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_c_library_has_pkey_set_and_it_is_known() {
    let bytes = library("libc.so.6");
    let image = Image::parse(&bytes).unwrap();
    let all = key_changers(&image);
    assert!(!all.is_empty());
    for (gadget, setting, known) in &all {
        assert_eq!(*known, Some(Known::PkeySet), "{gadget:x?} {setting:x?}");
        assert!(matches!(setting, Setting::Intended { length: 3, .. }), "{setting:?}");
        assert_eq!(image.place(gadget.address).unwrap().symbol, "pkey_set");
    }
}

#[test]
fn the_dynamic_linker_puts_registers_back_and_it_is_known() {
    let bytes = library("ld-linux-x86-64.so.2");
    let image = Image::parse(&bytes).unwrap();
    let all = key_changers(&image);
    assert!(all.len() >= 2, "{all:x?}");
    for (gadget, setting, known) in &all {
        let Some(Known::Restoring { mask, displacement }) = known else {
            panic!("{gadget:x?} {setting:x?} {known:?}");
        };
        assert!(*mask & 1 << 9 == 0 && *displacement >= 0x40, "{known:?}");
        assert_eq!(gadget.kind, Kind::Xrstor);
    }
}

/// Resolvers as in glibc 2.41 and newer, for functions and thread-local variables. Each saves all
/// registers in its own frame, calls a function, and restores them.
fn resolvers(masks: &[u32]) -> String {
    let body = |(number, mask): (usize, &u32)| {
        let save = ["xsave", "xsavec"][number % 2];
        let next = ["movq %rcx, %rax", "movq 0x30(%rsp), %r9"][number / 2 % 2];
        format!(
            "f{number}: pushq %rbx\n movq %rsp, %rbx\n andq $-64, %rsp\n subq $4096, %rsp\n\
             movl ${mask}, %eax\n xorl %edx, %edx\n {save} 0x40(%rsp)\n call target\n\
             movq %rax, %rcx\n movl ${mask}, %eax\n xorl %edx, %edx\n xrstor 0x40(%rsp)\n\
             {next}\n movq %rbx, %rsp\n popq %rbx\n ret\n"
        )
    };
    let bodies: String = masks.iter().enumerate().map(body).collect();
    format!(".text\n{bodies}target: ret\n")
}

#[test]
fn any_number_of_resolvers_is_known_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let masks = [0xee, 0x8_00ee, 0xe_00ef, 0xe_00ef, 0xee, 0x8_00ee];
    let bytes = link(directory.path(), &resolvers(&masks), &[]);
    let all = key_changers(&Image::parse(&bytes).unwrap());
    let found: Vec<_> = all.iter().map(|(_, _, known)| *known).collect();
    let right = masks.map(|mask| Some(Known::Restoring { mask, displacement: 0x40 }));
    assert_eq!(found, right);
    // A resolver that restores PKRU is not a known gadget.
    let bytes = link(directory.path(), &resolvers(&[0xee, 0x2ee]), &[]);
    let all = key_changers(&Image::parse(&bytes).unwrap());
    let known: Vec<bool> = all.iter().map(|(_, _, known)| known.is_some()).collect();
    assert_eq!(known, [true, false]);
}

#[test]
fn ordinary_libraries_have_nothing_that_changes_keys() {
    for name in ["libpng16.so.16", "libz.so.1", "libm.so.6"] {
        let bytes = library(name);
        let image = Image::parse(&bytes).unwrap();
        assert_eq!(image.kind(), ImageKind::SharedLibrary);
        assert_eq!(key_changers(&image), [], "{name}");
        assert_eq!(image.name().as_deref(), Some(name));
        assert!(image.function_starts().len() > 100, "{name}");
    }
}

#[test]
fn what_libpng_asks_for_is_read() {
    let bytes = library("libpng16.so.16");
    let image = Image::parse(&bytes).unwrap();
    let needed = image.needed();
    for name in ["libz.so.1", "libm.so.6", "libc.so.6"] {
        assert!(needed.iter().any(|needed| needed == name), "{needed:?}");
    }
    let fread = image.imports().iter().find(|import| import.name == "fread").unwrap();
    assert!(!fread.is_weak);
    assert!(image.exports().iter().any(|name| name == "png_sig_cmp"));
    assert!(!image.has_writable_code() && !image.has_executable_stack());
}

#[test]
fn the_c_library_has_thread_locals_and_indirect_functions() {
    let bytes = library("libc.so.6");
    let image = Image::parse(&bytes).unwrap();
    let locals = image.thread_locals().unwrap();
    assert!(locals.size > 0 && locals.alignment.is_power_of_two());
    assert!(image.indirect_functions().iter().any(|name| name == "memcpy"));
}

#[test]
fn a_gadget_is_found_wherever_it_hides() {
    let directory = tempfile::tempdir().unwrap();
    for (name, body, kind, intended) in [
        ("plain", "wrpkru", Kind::Wrpkru, true),
        ("with a prefix", "xrstor64 (%rdi)", Kind::Xrstor, true),
        ("in an immediate", "movl $0x00ef010f, %eax", Kind::Wrpkru, false),
        ("in an offset", "leaq 0x28ae0f11(%rdi), %rax", Kind::Xrstor, false),
        ("across two instructions", "movb $0x0f, %al; addl %ebp, %edi", Kind::Wrpkru, false),
    ] {
        let source = format!(".text\n.globl f\n.type f, @function\nf: {body}\nret\n.size f, .-f\n");
        let bytes = link(directory.path(), &source, &[]);
        let image = Image::parse(&bytes).unwrap();
        let all = key_changers(&image);
        assert_eq!(all.len(), 1, "{name}: {all:x?}");
        let (gadget, setting, known) = all[0];
        assert_eq!((gadget.kind, known), (kind, None), "{name}");
        assert_eq!(matches!(setting, Setting::Intended { .. }), intended, "{name}: {setting:?}");
        assert_eq!(setting == Setting::Hidden, !intended, "{name}: {setting:?}");
        assert_eq!(image.place(gadget.address).unwrap().symbol, "f", "{name}");
    }
}

#[test]
fn a_gadget_at_the_very_end_of_a_segment_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let source = ".section .last,\"ax\",@progbits\n.globl f\nf: nop\n.byte 0x0f, 0x01, 0xef\n";
    let bytes = link(directory.path(), source, &[]);
    let image = Image::parse(&bytes).unwrap();
    let (gadget, ..) = key_changers(&image)[0];
    let code = image.code();
    assert!(code.iter().any(|range| range.end() == gadget.address + 3), "{gadget:x?} {code:?}");
}

#[test]
fn a_gadget_across_two_pages_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let source = ".text\n.balign 4096\n.fill 4094, 1, 0x90\n.byte 0x0f, 0x01, 0xef\n";
    let bytes = link(directory.path(), source, &[]);
    let image = Image::parse(&bytes).unwrap();
    let (gadget, ..) = key_changers(&image)[0];
    assert_eq!(gadget.address % 4096, 4094);
    // The same code as two adjacent mappings.
    let code = image.code();
    let range = code.iter().find(|range| range.from(gadget.address).is_some()).unwrap();
    let split = usize::try_from(gadget.address + 2 - range.address).unwrap();
    let (first, second) = range.bytes.split_at(split);
    let halves = [
        omniglot_scan::Code { address: gadget.address + 2, bytes: second },
        omniglot_scan::Code { address: range.address, bytes: first },
    ];
    assert_eq!(find(&halves, Kind::changes_keys), [gadget]);
    assert_eq!(find(&halves[..1], Kind::changes_keys), []);
}

#[test]
fn writable_code_and_executable_stacks_are_seen() {
    let directory = tempfile::tempdir().unwrap();
    let writable = ".section .both,\"awx\",@progbits\n.globl f\nf: ret\n";
    let bytes = link(directory.path(), writable, &["-Wl,-z,execstack"]);
    let image = Image::parse(&bytes).unwrap();
    assert!(image.has_writable_code() && image.has_executable_stack());
}

#[test]
fn programs_are_told_from_libraries() {
    let this = fs::read(env::current_exe().unwrap()).unwrap();
    assert_eq!(Image::parse(&this).unwrap().kind(), ImageKind::Program);
}

#[test]
fn what_is_no_image_is_refused_with_a_reason() {
    assert!(matches!(Image::parse(b""), Err(NotAnImage::Malformed(_))));
    assert!(matches!(Image::parse(b"#!/bin/sh\n"), Err(NotAnImage::Malformed(_))));
    let mut other = library("libz.so.1");
    other[18..20].copy_from_slice(&243_u16.to_le_bytes());
    assert_eq!(Image::parse(&other).unwrap_err(), NotAnImage::OtherMachine(243));
    let mut object = library("libz.so.1");
    object[16] = 1;
    assert_eq!(Image::parse(&object).unwrap_err(), NotAnImage::OtherType);
}

/// No file makes the scanner panic: neither a truncated library nor one with changed bytes
/// anywhere.
#[test]
fn damaged_files_do_no_harm() {
    let whole = library("libz.so.1");
    for length in (0..whole.len()).step_by(997) {
        look(&whole[..length]);
    }
    let mut state = 1_u64;
    for _ in 0..200 {
        let mut damaged = whole.clone();
        for _ in 0..8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Most changes are among the headers.
            let place = usize::try_from(state >> 33).unwrap() % 4096.min(whole.len());
            damaged[place] = (state >> 25) as u8;
        }
        look(&damaged);
    }
}

fn look(bytes: &[u8]) {
    if let Ok(image) = Image::parse(bytes) {
        let _ = (image.kind(), image.needed(), image.search_path(), image.thread_locals());
        let code = image.code();
        for gadget in find(&code, |_| true).iter().take(50) {
            let setting = setting(gadget, &code, image.function_starts());
            let place = image.place(gadget.address).map(|place| place.symbol);
            let _ = known(gadget, setting, &code, place);
        }
    }
}
