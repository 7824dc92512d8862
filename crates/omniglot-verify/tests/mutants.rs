//! Shows that each rule is needed: without it in the crate's sources, a test of `rules.rs` fails.
//!
//! The crate has no dependencies, so the compiler alone, without cargo, compiles a mutated copy of
//! it together with those tests. To add a rule, add its text in the sources and a replacement.
//! A usual run takes a quarter of the mutants. `OMNIGLOT_WHOLE=1` runs all of them, and
//! `OMNIGLOT_MUTANT=access` only those with `access` in their names.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// The rule's name, its file, its text there, and the replacement.
struct Mutant(&'static str, &'static str, &'static str, &'static str);

/// A usual run takes one mutant of so many: each compiles the crate and its tests.
const SHARES: u128 = 4;

const MUTANTS: &[Mutant] = &[
    Mutant("the text is placed", "verify.rs", "!self.text.is_well_placed()", "false"),
    Mutant("the text is whole pages", "region.rs", "end.is_multiple_of(PAGE)", "true"),
    Mutant("the text begins a page", "region.rs", "start.is_multiple_of(PAGE)", "true"),
    Mutant("the lower guard is free", "region.rs", "TEXT_MIN <= start", "true"),
    Mutant("the upper guard is free", "region.rs", "end <= TEXT_MAX", "true"),
    Mutant("gates are apart", "region.rs", " && are_apart", ""),
    Mutant("the text has an end", "verify.rs", "!item.jumps && offset ==", "false && offset =="),
    Mutant(
        "an instruction ends in the text",
        "verify.rs",
        "length > bytes.len() - offset",
        "false",
    ),
    Mutant("nothing crosses a line", "verify.rs", "length > line.len()", "false"),
    Mutant("targets are beginnings", "verify.rs", "self.targets.is_within(&self.starts)", "true"),
    Mutant("targets are in the text", "verify.rs", "target.ok().filter(is_gate)", "Some(target)"),
    Mutant("gates are entered at lines", "verify.rs", " && target.is_multiple_of(LINE)", ""),
    Mutant("only gates are entered", "verify.rs", "self.text.gates.contains(target) && ", ""),
    Mutant(
        "operands are confined",
        "verify.rs",
        "            _ => Err(Rule::Memory),\n",
        "            _ => Ok(()),\n",
    ),
    Mutant("32 bits of displacement have a sign", "verify.rs", "if displacement >= 0", "if true"),
    Mutant("relative operands are in the region", "verify.rs", "if is_inside { Ok", "if true { Ok"),
    Mutant(
        "relative operands count from the end",
        "verify.rs",
        "self.operand(&instruction, offset + length)",
        "self.operand(&instruction, offset)",
    ),
    Mutant("relative operands are not below", "verify.rs", "0 <= target && ", ""),
    Mutant(
        "relative operands do not wrap",
        "verify.rs",
        "let is_inside",
        "let target = i64::from(target as u32);\n                let is_inside",
    ),
    Mutant("EIP is no base", "verify.rs", "(0, Memory::Relative)", "(_, Memory::Relative)"),
    Mutant("stack operands are near", "verify.rs", "if is_near { Ok", "if true { Ok"),
    Mutant("stack operands have 64 bits", "verify.rs", "(0, Memory::Stack)", "(_, Memory::Stack)"),
    Mutant(
        "register operands have 32 bits",
        "verify.rs",
        "(GS_A32, Memory::Absolute",
        "(GS | GS_A32, Memory::Absolute",
    ),
    Mutant(
        "register operands are in the region",
        "verify.rs",
        "(GS_A32, Memory::Absolute",
        "(A32 | GS_A32, Memory::Absolute",
    ),
    Mutant(
        "addresses have no prefixes",
        "verify.rs",
        "if segment == 0 { Ok(())",
        "if true { Ok(())",
    ),
    Mutant(
        "string instructions are in groups",
        "verify.rs",
        "Kind::String => return Err(Rule::String),",
        "Kind::String => {}",
    ),
    Mutant(
        "no-operations are the usual",
        "verify.rs",
        "Kind::Nop if !is_usual_nop(&window[..length]) => return Err(Rule::Nop),",
        "",
    ),
    Mutant("RSP is written in two ways", "verify.rs", "if instruction.writes_sp", "if false"),
    Mutant(
        "steps are small",
        "verify.rs",
        "-STACK_REACH < number && number < STACK_REACH;",
        "number != i32::MIN;",
    ),
    Mutant("an and moves little", "verify.rs", "(-4096..0)", "(i32::MIN..0)"),
    Mutant("an and moves down", "verify.rs", "number >= 0x80", "number < 0xff"),
    Mutant(
        "two steps need an access",
        "verify.rs",
        "Stack::Step => Err((Rule::StackStep, at)),",
        "Stack::Step => Ok(step),",
    ),
    Mutant(
        "a branch needs an access before",
        "verify.rs",
        "if item.jumps || item.distance.is_some()",
        "if false",
    ),
    Mutant(
        "a jump needs an access before",
        "verify.rs",
        "item.jumps || item.distance",
        "item.distance",
    ),
    Mutant(
        "a condition needs an access before",
        "verify.rs",
        "item.jumps || item.distance.is_some()",
        "item.jumps",
    ),
    Mutant(
        "an access is on the stack",
        "verify.rs",
        "if instruction.memory == Memory::Stack\n            && instruction.prefixes & (GS | A32) == 0",
        "if instruction.memory != Memory::None",
    ),
    Mutant(
        "an access is by RSP",
        "verify.rs",
        "            && instruction.prefixes & (GS | A32) == 0\n",
        "",
    ),
    Mutant(
        "an access is certain",
        "verify.rs",
        "            && instruction.form.has(forms::TOUCH)\n",
        "",
    ),
    Mutant(
        "a jump by a register is no access",
        "verify.rs",
        "if group.pushes { Stack::Access } else { Stack::Unchanged }",
        "Stack::Access",
    ),
    Mutant(
        "ESP is cleared for certain",
        "verify.rs",
        "is_one && is_32_bits && is_right",
        "is_one && is_32_bits",
    ),
    Mutant(
        "ESP has 32 bits",
        "verify.rs",
        "is_one && is_32_bits && is_right",
        "is_one && is_right",
    ),
    Mutant("not 16", "verify.rs", " && instruction.prefixes & decode::O16 == 0", ""),
    Mutant("of the first map", "verify.rs", "is_one && is_32_bits && is_right", "is_32_bits"),
    Mutant(
        "ESP is followed by the base",
        "verify.rs",
        "group::stack_end(rest).ok_or(Rule::StackWrite)?",
        "group::stack_end(rest).unwrap_or(0)",
    ),
    Mutant(
        "a group's register is one",
        "group.rs",
        "rest.strip_prefix(&add_base(register))?;\n    let rest = if",
        "rest.get(9..)?;\n    let rest = if",
    ),
    Mutant(
        "a jump is by that register",
        "group.rs",
        "if *modrm == 0xe0 | low =>",
        "if *modrm >= 0xe0 =>",
    ),
    Mutant(
        "a call is by that register",
        "group.rs",
        "if *modrm == 0xd0 | low =>",
        "if *modrm & 0xf8 == 0xd0 =>",
    ),
    Mutant(
        "a return is by that register",
        "group.rs",
        "if *push == 0x50 | low =>",
        "if *push >= 0x50 =>",
    ),
    Mutant(
        "a register of the upper eight has its prefix",
        "group.rs",
        "if register >= 8 { rest.strip_prefix(&[0x41])? } else { rest }",
        "if register >= 8 { rest.strip_prefix(&[0x41])? } else { rest.strip_prefix(&[0x41]).unwrap_or(rest) }",
    ),
    Mutant(
        "a mask leaves lines",
        "group.rs",
        "[0x83, modrm @ 0xe0..=0xe7, 0xe0, rest @ ..] => (modrm & 7, rest)",
        "[0x83, modrm @ 0xe0..=0xe7, _, rest @ ..] => (modrm & 7, rest)",
    ),
    Mutant("RSP is no target", "group.rs", "if register == 4", "if false"),
    Mutant(
        "strings have RDI",
        "group.rs",
        "0xaa | 0xab | 0xae | 0xaf => has_rdi",
        "0xaa | 0xab | 0xae | 0xaf => has_rdi || has_rsi",
    ),
    Mutant(
        "strings have RSI",
        "group.rs",
        "0xac | 0xad => has_rsi",
        "0xac | 0xad => has_rdi || has_rsi",
    ),
    Mutant("strings have both", "group.rs", "has_rdi && has_rsi", "has_rdi || has_rsi"),
    Mutant("strings are cut", "group.rs", "&[0x89, 0xc0 | register << 3 | register]", "&[0x89]"),
    Mutant("prefixes are there once", "decode.rs", "self.has(excluded)", "false"),
    Mutant("a lock has memory", "decode.rs", "if self.has(LOCK) && ", "if false && "),
    Mutant(
        "a lock is for some",
        "decode.rs",
        "form.has(forms::LOCK) && self.into.memory",
        "self.into.memory",
    ),
    Mutant(
        "memory's prefixes are for memory",
        "decode.rs",
        "if self.has(GS | A32) && ",
        "if false && ",
    ),
    Mutant("operand sizes mean something", "decode.rs", "is_size && !is_string && ", "false && "),
    Mutant(
        "one operand size at most",
        "decode.rs",
        "(!form.has(forms::O16) || is_wide)",
        "(!form.has(forms::O16))",
    ),
    Mutant(
        "REX.W means something",
        "decode.rs",
        "is_wide && !is_string && !form.has(forms::W) || ",
        "",
    ),
    Mutant("REX.W is there", "decode.rs", " || form.has(forms::ALWAYS_W) && !is_wide", ""),
    Mutant("REX's bits mean something", "decode.rs", "self.rex & !meant != 0 || ", ""),
    Mutant("REX means something", "decode.rs", "self.rex == 0 && !is_for_byte", "false"),
    Mutant(
        "VEX has no prefix",
        "decode.rs",
        "if self.has(O16 | LOCK | REP | REPNE) || self.has_rex",
        "if self.has_rex",
    ),
    Mutant("VEX has no REX", "decode.rs", " || self.has_rex {", " {"),
    Mutant("VEX is short", "decode.rs", "first == 0xc4 && is_short", "false"),
    Mutant("VEX.L is for some", "decode.rs", "(may_be_long || !is_long)", "true"),
    Mutant("VEX.L is there", "decode.rs", "(is_long || !form.has(forms::ALWAYS_L))", "true"),
    Mutant("VEX.vvvv means something", "decode.rs", "(has_vvvv || vvvv == 0)", "true"),
    Mutant(
        "VEX's bits mean something",
        "decode.rs",
        "self.rex & !(self.meant | REX_W) == 0",
        "true",
    ),
    Mutant(
        "VEX.vvvv may be RSP",
        "decode.rs",
        "self.into.form.has(forms::VVVV_W) && vvvv == SP",
        "false",
    ),
    Mutant(
        "the opcode's register may be RSP",
        "decode.rs",
        "form.has(forms::OP_W) && ",
        "false && ",
    ),
    Mutant("the first register may be RSP", "decode.rs", "form.has(forms::REG_W) && ", "false && "),
    Mutant(
        "a register for memory may be RSP",
        "decode.rs",
        "form.has(forms::RM_W) && ",
        "false && ",
    ),
    Mutant(
        "SPL is part of RSP",
        "decode.rs",
        "(self.has_rex || !form.has(byte))",
        "!form.has(byte)",
    ),
    Mutant("AH is not", "decode.rs", "(self.has_rex || !form.has(byte))", "true"),
    Mutant("forms have digits", "decode.rs", "form.digits >> digit & 1 == 0", "false"),
    Mutant(
        "x87 forms are listed",
        "decode.rs",
        "!forms::is_x87_allowed(self.into.opcode, modrm)",
        "false",
    ),
    Mutant("some forms have memory only", "decode.rs", "if form.has(forms::MEMORY)", "if false"),
    Mutant(
        "some forms have registers only",
        "decode.rs",
        "if form.has(forms::REGISTER)",
        "if false",
    ),
    Mutant("fences are fixed", "decode.rs", "if modrm & 7 == 0 { Ok(()) }", "if true { Ok(()) }"),
    Mutant("no index has no scale", "decode.rs", "(_, false) if scale != 0 => Memory::None,", ""),
    Mutant(
        "REX.X makes an index",
        "decode.rs",
        "sib >> 3 & 7 | (self.rex & REX_X) << 2",
        "sib >> 3 & 7",
    ),
    Mutant(
        "REX.B makes another base",
        "decode.rs",
        "base == SP && self.rex & REX_B == 0 =>",
        "base == SP =>",
    ),
    Mutant(
        "a SIB byte is needed",
        "decode.rs",
        "(true, false) => Memory::None,",
        "(true, false) => Memory::Registers,",
    ),
    Mutant(
        "forms are listed",
        "decode.rs",
        "Kind::Refused => return Err(Rule::Opcode),",
        "Kind::Refused => {}",
    ),
    Mutant(
        "indirect branches are in groups",
        "decode.rs",
        "Kind::Indirect => return Err(Rule::Indirect),",
        "",
    ),
    Mutant("returns are in groups", "decode.rs", "Kind::Return => return Err(Rule::Return),", ""),
    Mutant(
        "bit tests have registers",
        "forms.rs",
        "Row(SIZES, 0xa3, 0xa3, plain(REG | REGISTER | SIZED))",
        "Row(SIZES, 0xa3, 0xa3, plain(REG | SIZED))",
    ),
    Mutant(
        "bit sets have registers",
        "forms.rs",
        "Row(SIZES, 0xab, 0xab, plain(EV_GV | REGISTER))",
        "Row(SIZES, 0xab, 0xab, plain(EV_GV))",
    ),
    Mutant(
        "shifts are no access",
        "forms.rs",
        "Row(SIZES, 0xd3, 0xd3, plain(EV).digits(SHIFTS))",
        "Row(SIZES, 0xd3, 0xd3, plain(EV | TOUCH).digits(SHIFTS))",
    ),
    Mutant(
        "MULX writes two",
        "forms.rs",
        "plain(REG_W | VVVV_W | W)), // MULX",
        "plain(REG_W | VVVV | W)), // MULX",
    ),
    Mutant(
        "XADD writes two",
        "forms.rs",
        "Row(SIZES, 0xc1, 0xc1, plain(EV_GV | REG_W | LOCK))",
        "Row(SIZES, 0xc1, 0xc1, plain(EV_GV | LOCK))",
    ),
    Mutant(
        "XCHG writes two",
        "forms.rs",
        "Row(SIZES, 0x87, 0x87, plain(EV_GV | REG_W))",
        "Row(SIZES, 0x87, 0x87, plain(EV_GV))",
    ),
    Mutant(
        "FNSTENV is none",
        "forms.rs",
        "0b1010_1101, 0xff, 0b1010_1111",
        "0xff, 0xff, 0b1010_1111",
    ),
];

/// The directory for the copies of one test run.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants")
}

fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    fs::read_to_string(&path).unwrap()
}

const FILES: [&str; 8] = [
    "lib.rs",
    "decode.rs",
    "forms.rs",
    "group.rs",
    "layout.rs",
    "refusal.rs",
    "region.rs",
    "verify.rs",
];

/// Compiles a copy of the crate with a change, together with the tests. Runs the tests if that
/// works.
fn try_with(name: &str, change: impl Fn(&str, String) -> String) -> Result<Output, String> {
    let directory = directory().join(name);
    fs::create_dir_all(&directory).unwrap();
    for file in FILES {
        fs::write(directory.join(file), change(file, source(file))).unwrap();
    }
    let rustc = || {
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition=2024", "--cap-lints=allow", "-Copt-level=1", "--out-dir"]);
        rustc.arg(&directory);
        rustc
    };
    let mut library = rustc();
    library.args(["--crate-type=rlib", "--crate-name=omniglot_verify"]);
    compile(library.arg(directory.join("lib.rs")))?;
    let mut tests = rustc();
    tests.args(["--test", "--crate-name=rules", "-Copt-level=0"]);
    tests
        .arg("--extern")
        .arg(format!("omniglot_verify={}", directory.join("libomniglot_verify.rlib").display()));
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules.rs");
    compile(tests.arg(rules))?;
    let output = Command::new(directory.join("rules")).arg("--test-threads=1").output();
    let _ = fs::remove_dir_all(&directory);
    output.map_err(|error| error.to_string())
}

fn compile(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn every_rule_is_where_the_table_says() {
    for Mutant(name, file, text, instead) in MUTANTS {
        let count = source(file).matches(text).count();
        assert_eq!(count, 1, "{name}: its text is {count} times in {file}: {text}");
        assert_ne!(text, instead, "{name}");
    }
}

/// Returns a message if no test notices the mutation.
fn unnoticed(index: usize, Mutant(name, file, text, instead): &Mutant) -> Option<String> {
    let change = |of: &str, source: String| match of == *file {
        true => source.replacen(text, instead, 1),
        false => source,
    };
    match try_with(&format!("m{index}"), change) {
        Ok(output) if output.status.success() => Some(format!("{name}: nothing fails without it")),
        Ok(_) => None,
        Err(error) => Some(format!("{name}: it does not compile: {error}")),
    }
}

/// The mutants to run, each with its place in the table: every fourth, another one each time, or
/// all.
fn chosen() -> Vec<(usize, &'static Mutant)> {
    let all = MUTANTS.iter().enumerate();
    if let Ok(only) = env::var("OMNIGLOT_MUTANT") {
        return all.filter(|(_, mutant)| mutant.0.contains(&only)).collect();
    }
    if env::var_os("OMNIGLOT_WHOLE").is_some() {
        return all.collect();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let first = usize::try_from(now % SHARES).unwrap();
    println!("1 of {SHARES} mutants from number {first} on; OMNIGLOT_WHOLE=1 runs all");
    all.skip(first).step_by(usize::try_from(SHARES).unwrap()).collect()
}

#[test]
fn every_rule_is_needed() {
    let whole = try_with("whole", |_, source| source).unwrap();
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stdout));
    let chosen = chosen();
    let number = chosen.len();
    let next = Mutex::new(chosen.into_iter());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = next.lock().unwrap().next();
                    let Some((index, mutant)) = next else { break };
                    wrong.lock().unwrap().extend(unnoticed(index, mutant));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {number}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{number} rules taken out, one at a time: each is missed");
}
