//! Checks that binutils' disassembler takes what is accepted for one instruction of the same
//! length.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use omniglot_fuzz::Random;
use omniglot_verify::{LINE, TEXT_MIN, Text, verify};

const SIZE: usize = LINE as usize;
const NOP: u8 = 0x90;
const HLT: u8 = 0xf4;
/// The number of instructions to compare.
const COUNT: usize = 10_000;

/// A page of no-operations, as few instructions as possible. Only its first line has as many as
/// possible.
fn idle() -> Vec<u8> {
    let long = [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
    let line = [&long[..], &long, &long, &[0x0f, 0x1f, 0x44, 0, 0]].concat();
    let mut page = line.repeat(4096 / SIZE);
    page[..SIZE].fill(NOP);
    page[4095 - 4..].fill(HLT);
    page
}

fn instructions(page: &[u8]) -> Option<u64> {
    let text = Text { bytes: page, at: TEXT_MIN, gates: 0..0 };
    verify(&text).ok().map(|uses| uses.instructions)
}

/// Returns true if bytes are accepted as one instruction: it replaces as many one-byte
/// no-operations, of `all` instructions in total.
fn is_one(bytes: &[u8], page: &mut [u8], all: u64) -> bool {
    page[..bytes.len()].copy_from_slice(bytes);
    let found = instructions(page);
    page[..bytes.len()].fill(NOP);
    found == Some(all - bytes.len() as u64 + 1)
}

#[test]
fn another_disassembler_sees_the_same() {
    let mut random = Random::new(1);
    let mut page = idle();
    let all = instructions(&page).expect("it is accepted");
    let (mut lines, mut lengths) = (Vec::new(), Vec::new());
    while lengths.len() < COUNT {
        let bytes = random.instruction();
        let first = (1..=bytes.len().min(15)).find(|cut| is_one(&bytes[..*cut], &mut page, all));
        let Some(first) = first else { continue };
        let mut line = vec![NOP; SIZE];
        line[..first].copy_from_slice(&bytes[..first]);
        lines.extend(line);
        lengths.push(first);
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("accepted.bin");
    fs::write(&file, &lines).unwrap();
    let mut command = Command::new("objdump");
    command.args(["-D", "-b", "binary", "-m", "i386:x86-64", "-w", "--no-show-raw-insn", "-z"]);
    let output = command.arg(&file).output().expect("objdump, of the package binutils, runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout);
    let mut starts = BTreeSet::new();
    for line in told.lines() {
        let Some((place, what)) = line.split_once(":\t") else { continue };
        let Ok(place) = usize::from_str_radix(place.trim(), 16) else { continue };
        let (line, within) = (place / SIZE, place % SIZE);
        let bytes = || &lines[line * SIZE..line * SIZE + lengths[line]];
        if within == 0 {
            assert!(!what.contains("(bad)"), "{what}: {:02x?}", bytes());
        }
        assert!(within == 0 || within >= lengths[line], "{what}: {within} in {:02x?}", bytes());
        starts.insert(place);
    }
    for (line, length) in lengths.iter().enumerate() {
        let at = line * SIZE;
        assert!(starts.contains(&(at + length)), "{length}: {:02x?}", &lines[at..at + length]);
    }
    println!("{} instructions are as long for objdump", lengths.len());
}
