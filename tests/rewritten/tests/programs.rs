//! Small programs, by each compiler and with many flags, behave in a region as they do natively.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

use omniglot_rewritten::build::{add, add_base, compile, compilers, input, keep, scratch, source};
use omniglot_rewritten::native::Native;
use omniglot_rewritten::region::{ROOM, Region};
use omniglot_sfi::Rewriter;
use omniglot_sfi::layer::Layer;

const PROGRAMS: [&str; 12] = [
    "switches",
    "pointers",
    "recursion",
    "stacks",
    "arguments",
    "numbers",
    "gotos",
    "locals",
    "copies",
    "registers",
    "crowded",
    "constructed",
];

const NO_PIC: &[&str] = &["-fno-pic", "-fno-pie", "-mcmodel=small"];
const PIC: &[&str] = &["-fPIC"];
const PIE: &[&str] = &["-fPIE", "-fstack-protector-all", "-fcf-protection=full"];
const LEVELS: [&str; 4] = ["-O0", "-Os", "-O2", "-O3"];
const OUTPUT: usize = 1 << 16;

fn compare(compiler: &str, level: &str, kind: &[&str]) {
    let directory = scratch();
    let file = source("programs.c");
    let library = directory.path().join("library.so");
    compile(compiler, &[level, "-fPIC", "-shared", "-w", &file], &library);
    let native = Native::load(&library).expect("it was just built");
    let mut rewriter = Rewriter::new();
    add(&mut rewriter, directory.path(), compiler, &[&[level, "-w"], kind].concat(), &file);
    add_base(&mut rewriter, directory.path(), compiler, Layer::Freestanding);
    let image =
        rewriter.rewrite().unwrap_or_else(|error| panic!("{compiler} {level} {kind:?}: {error}"));
    keep(&format!("{compiler}{level}{}", kind[0]), &image.bytes);
    let mut region = Region::load(&image.bytes).expect("the image can be loaded");
    for length in [5000, 300] {
        let input = input(length);
        region.write(ROOM, &input);
        for name in PROGRAMS {
            let mut expected = vec![0; OUTPUT];
            let size = native.run(name, &input, &mut expected);
            let to = ROOM + 0x10_0000;
            region.write(to, &vec![0; OUTPUT]);
            let arguments = [ROOM, length as u64, to, OUTPUT as u64];
            let found = region.call(name, &arguments).cast_signed();
            let what = format!("{name}, {compiler} {level} {kind:?}");
            assert_eq!(found, size, "{what}");
            assert!(size > 0, "{what} does nothing");
            assert!(region.read(to, OUTPUT) == expected, "{what}: another output");
        }
    }
}

#[test]
fn programs_do_what_they_do_natively() {
    let mut tried = 0;
    for compiler in compilers() {
        for level in LEVELS {
            for kind in [NO_PIC, PIC, PIE] {
                compare(compiler, level, kind);
                tried += 1;
            }
        }
    }
    assert!(tried >= LEVELS.len() * 3, "no compiler was found");
}
