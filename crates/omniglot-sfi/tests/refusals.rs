//! Checks that what cannot be rewritten is refused with name and place, and that the verifier
//! accepts what is rewritten.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

use std::fs;
use std::process::Command;

use omniglot_sfi::{Error, Image, Problem, Rewriter};

/// Assembles an object with this code in a function `f`.
fn object(code: &str) -> Vec<u8> {
    source(".s", &format!(".globl f\n.type f, @function\nf:\n{code}\n.size f, .-f\n"), &[])
}

/// Compiles a source into an object.
fn source(suffix: &str, text: &str, flags: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("there is room for files");
    let (input, output) =
        (directory.path().join(format!("source{suffix}")), directory.path().join("object.o"));
    fs::write(&input, text).expect("it can be written");
    let run = Command::new("cc").args(flags).arg("-c").arg(&input).arg("-o").arg(&output).output();
    let run = run.expect("there is a C compiler");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    fs::read(output).expect("it was just written")
}

fn rewrite(objects: &[&[u8]]) -> Result<Image, Error> {
    let mut rewriter = Rewriter::new();
    for (number, object) in objects.iter().enumerate() {
        rewriter.object(&format!("{number}.o"), object)?;
    }
    rewriter.rewrite()
}

fn refused(code: &str) -> Vec<Problem> {
    let result = rewrite(&[&object(code)]);
    result.err().unwrap_or_else(|| panic!("{code} was not refused")).problems
}

#[test]
fn instructions_without_a_way_are_named_with_their_place() {
    let instructions = [
        ("std", "std"),
        ("popfq", "popfq"),
        ("vaddps %zmm0, %zmm1, %zmm2", "vaddps zmm2,zmm1,zmm0"),
        ("paddb %mm0, %mm1", "paddb mm1,mm0"),
        ("btsq %rax, (%rdi)", "bts [rdi],rax"),
        ("rdtsc", "rdtsc"),
        ("wrgsbase %rax", "wrgsbase rax"),
        ("vgatherdps %xmm0, (%rax,%xmm1,4), %xmm2", "vgatherdps xmm2,[rax+xmm1*4],xmm0"),
        ("fnstenv (%rdi)", "fnstenv [rdi]"),
        ("xchgq %rsp, %rax", "xchg rsp,rax"),
        ("movl %gs:4, %eax", "mov eax,gs:[4]"),
        ("retq $8", "ret 8"),
        ("int $0x80", "int 80h"),
    ];
    for (code, text) in instructions {
        let problems = refused(&format!("nop\n{code}\nxorl %eax, %eax\nret"));
        let [problem] = problems.as_slice() else { panic!("{code}: {problems:?}") };
        assert_eq!(problem.instruction.as_deref(), Some(text), "{code}");
        assert_eq!(problem.object, "0.o");
        assert_eq!(problem.section.as_deref(), Some(".text"));
        assert_eq!((problem.symbol.as_deref(), problem.offset), (Some("f"), 1), "{code}");
        assert!(!problem.what.is_empty() && !problem.remedy.is_empty());
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let problems = refused("std\nrdtsc\npopfq\nret");
    let offsets: Vec<u64> = problems.iter().map(|problem| problem.offset).collect();
    assert_eq!(offsets, [0, 1, 3]);
}

#[test]
fn instructions_that_the_verifier_alone_refuses_are_named_too() {
    // No list of the rewriter contains it.
    let problems = refused("nop\nxorl %eax, %eax\nserialize\nret");
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((problem.symbol.as_deref(), problem.offset), (Some("f"), 3));
    assert!(problem.what.contains("Opcode"), "{problem}");
}

#[test]
fn they_are_replaced_where_that_is_asked_for() {
    let mut rewriter = Rewriter::new();
    let object = object("std\nret");
    rewriter.object("0.o", &object).expect("it is an object");
    rewriter.trap_unsupported();
    let image = rewriter.rewrite().expect("it is replaced");
    assert_eq!(image.trapped.len(), 1);
    assert!(image.uses.instructions > 0);
}

#[test]
fn names_that_nobody_defines_are_told_with_who_asks_for_them() {
    let problems = refused("call elsewhere\nret");
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(problem.what.contains("elsewhere") && problem.symbol.as_deref() == Some("f"));
    // A definition may be added later.
    let other = source(".s", ".globl elsewhere\nelsewhere: ret\n", &[]);
    assert!(rewrite(&[&object("call elsewhere\nret"), &other]).is_ok());
    // A weak symbol may be undefined.
    let weak = object("cmpq $0, maybe@GOTPCREL(%rip)\nje 1f\ncall maybe\n1: ret\n.weak maybe");
    assert!(rewrite(&[&weak]).is_ok());
}

#[test]
fn names_that_are_defined_twice_are_refused() {
    let one = object("ret");
    let error = rewrite(&[&one, &one]).expect_err("f is there twice");
    assert!(error.to_string().contains("f is defined in 0.o, too"), "{error}");
    let weak = source(".s", ".weak f\nf: ret\n", &[]);
    assert!(rewrite(&[&weak, &one]).is_ok());
}

#[test]
fn what_is_no_object_is_refused() {
    for bytes in [&b""[..], b"#!/bin/sh", &[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0]] {
        let mut rewriter = Rewriter::new();
        assert!(rewriter.object("x", bytes).is_err());
        assert!(rewriter.archive("x.a", bytes).is_err());
    }
    let own = fs::read("/proc/self/exe").expect("this program is a file");
    let error = Rewriter::new().object("x", &own).map(drop).expect_err("it is no object");
    assert!(error.to_string().contains("not a relocatable x86-64 object"), "{error}");
}

#[test]
fn data_among_code_are_refused_where_they_are_no_instructions() {
    let problems = refused("ret\n.byte 0x06, 0x06");
    assert!(problems[0].what.contains("no instruction"), "{problems:?}");
}

/// Damaged objects are refused or rewritten, without a panic.
#[test]
fn damaged_objects_do_no_harm() {
    let text = "static int t[9]; int g(int); int f(int a) { switch (a) { case 0: return g(1); \
                case 1: return t[a]; case 2: return 7; case 3: return g(3) + 1; case 4: return 9; \
                default: return a * 3; } } int g(int a) { return f(a - 1) + 1; }";
    let object = source(".c", text, &["-O2", "-fPIC"]);
    assert!(rewrite(&[&object]).is_ok());
    let (mut rewritten, mut refused) = (0, 0);
    for at in 0..object.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut damaged = object.clone();
            damaged[at] ^= change;
            match rewrite(&[&damaged]) {
                Ok(_) => rewritten += 1,
                Err(_) => refused += 1,
            }
        }
        damaged_end(&object, at);
    }
    assert!(rewritten > 0 && refused > 0);
}

fn damaged_end(object: &[u8], at: usize) {
    drop(rewrite(&[&object[..at]]));
}
