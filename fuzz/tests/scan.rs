//! Instructions that change protection keys: the gadgets that are found and the code that replaces
//! them are checked with another decoder.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

mod support;

use std::collections::BTreeSet;

use iced_x86::{Code as Opcode, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};
use omniglot_fuzz::{Random, fuzz};
use omniglot_scan::{
    Code, Elsewhere, Gadget, Image, Kind, LONGEST_DETOUR, LoadedCode, Rewrite, find, function,
    known, rewrite, setting, spares_thread_pointer,
};

const START: u64 = 0x7000_0000;
/// Length of the longest instruction.
const LONGEST: usize = 15;
/// Bytes of the instructions that are searched for, and of their prefixes.
const LIKELY: [u8; 20] = [
    0x0f, 0x01, 0xef, 0xae, 0x28, 0x6c, 0xc7, 0x1f, 0xd0, 0xd8, 0x05, 0x34, 0xcd, 0x80, 0xd5, 0x66,
    0xf2, 0xf3, 0x48, 0x2e,
];

fn decode(bytes: &[u8], address: u64) -> Instruction {
    Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode()
}

/// Returns the kind of an instruction, from its name in the other decoder.
fn kind_of(instruction: &Instruction) -> Option<Kind> {
    Some(match instruction.mnemonic() {
        Mnemonic::Wrpkru => Kind::Wrpkru,
        Mnemonic::Xrstor | Mnemonic::Xrstor64 => Kind::Xrstor,
        Mnemonic::Xrstors | Mnemonic::Xrstors64 => Kind::Xrstors,
        Mnemonic::Wrfsbase => Kind::Wrfsbase,
        Mnemonic::Wrgsbase => Kind::Wrgsbase,
        Mnemonic::Syscall => Kind::Syscall,
        Mnemonic::Sysenter => Kind::Sysenter,
        Mnemonic::Int if instruction.immediate8() == 0x80 => Kind::Int80,
        _ => return None,
    })
}

fn likely(random: &mut Random, len: usize) -> Vec<u8> {
    let byte = |random: &mut Random| match random.below(4) {
        0 => random.byte(),
        _ => *random.pick(&LIKELY),
    };
    (0..len).map(|_| byte(random)).collect()
}

/// Returns the same bytes as adjacent ranges, in any order.
fn split<'a>(bytes: &'a [u8], random: &mut Random) -> Vec<Code<'a>> {
    let mut cuts: Vec<usize> =
        (0..random.below(4)).map(|_| random.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let ranges = cuts
        .windows(2)
        .map(|pair| Code { address: START + pair[0] as u64, bytes: &bytes[pair[0]..pair[1]] });
    let mut ranges: Vec<_> = ranges.collect();
    let by = random.index(ranges.len());
    ranges.rotate_left(by);
    ranges
}

#[test]
fn all_that_a_decoder_sees_is_found() {
    fuzz("scanner", 20_000, |random| {
        let len = 1 + random.index(48);
        let bytes = likely(random, len);
        let gadgets = find(&split(&bytes, random), |_| true);
        for offset in 0..bytes.len() {
            let instruction = decode(&bytes[offset..], START + offset as u64);
            let Some(kind) = kind_of(&instruction) else { continue };
            // The gadget may have prefixes.
            let is_found = gadgets.iter().any(|gadget| {
                gadget.kind == kind
                    && gadget.address >= instruction.ip()
                    && gadget.address + gadget.length as u64 == instruction.next_ip()
            });
            assert!(is_found, "{instruction} at {offset} of {bytes:02x?}: {gadgets:?}");
        }
        for gadget in &gadgets {
            check_gadget(gadget, &bytes);
        }
    });
}

/// Checks that a gadget is what it claims to be, unless it is cut off or is from an extension that
/// the decoder does not know.
fn check_gadget(gadget: &Gadget, bytes: &[u8]) {
    let at = &bytes[(gadget.address - START) as usize..];
    assert!(gadget.length <= at.len() && gadget.length <= LONGEST, "{gadget:?} of {bytes:02x?}");
    if gadget.length == at.len() || at[0] == 0xd5 {
        return;
    }
    let instruction = decode(at, gadget.address);
    let is_known = !instruction.is_invalid();
    assert!(!is_known || kind_of(&instruction) == Some(gadget.kind), "{gadget:?} of {bytes:02x?}");
}

/// Returns a function of whole instructions, some of which have constants that contain a gadget.
fn some_function(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(8) {
        match random.below(10) {
            0 => bytes.extend([[0xe8, 0xe9][random.index(2)]].iter().chain(&hiding(random))),
            1 => bytes.extend([0x0f, 0x80 | random.byte() & 15].iter().chain(&hiding(random))),
            // An operation on memory next to the code, with or without a constant.
            2 => relative(&mut bytes, random),
            3 => constant(&mut bytes, random),
            // The end of one instruction and the beginning of the next form a gadget.
            4 => bytes.extend([0x83, 0xe0, 0x0f, 0x01, 0xef]),
            // An indirect call or jump through memory, or a far one.
            5 => {
                let operand = *random.pick(&[0x15, 0x25, 0x25, 0x2d]);
                bytes.extend([0xff, operand].iter().chain(&hiding(random)));
            }
            _ => any_instruction(&mut bytes, random),
        }
    }
    bytes.push(0xc3);
    bytes
}

/// Returns 32 bits that mostly contain a gadget and, as an offset, lead to nearby code.
fn hiding(random: &mut Random) -> [u8; 4] {
    let hidden = *random.pick(&[[0x0f, 0x01, 0xef], [0x0f, 0xae, 0x28], [0x0f, 0xae, 0x6c]]);
    match random.below(4) {
        0 => [random.byte(), hidden[0], hidden[1], hidden[2]],
        1 => [random.byte(), random.byte(), hidden[0], hidden[1]],
        _ => [hidden[0], hidden[1], hidden[2], *random.pick(&[0, 0, 0, 0xff, 1])],
    }
}

fn relative(bytes: &mut Vec<u8>, random: &mut Random) {
    bytes.extend(&[0x48, 0x41, 0x66, 0xf2, 0xf3, 0x4c][..random.index(2)]);
    let opcodes = [0x8b, 0x89, 0x8d, 0x03, 0x3b, 0x85, 0x63, 0x81, 0xc7, 0xf7, 0x80, 0x83];
    let opcode = *random.pick(&opcodes);
    bytes.push(opcode);
    bytes.push(0x05 | (random.byte() & 7) << 3);
    bytes.extend(hiding(random));
    match opcode {
        0x81 | 0xc7 | 0xf7 => bytes.extend(hiding(random)),
        0x80 | 0x83 => bytes.push(random.byte()),
        _ => {}
    }
}

fn constant(bytes: &mut Vec<u8>, random: &mut Random) {
    let prefix = random.pick(&[&[][..], &[], &[0x48], &[0x49], &[0x41]]).to_vec();
    bytes.extend(&prefix);
    let operand = random.byte();
    match random.below(4) {
        0 => bytes.push(0xb8 | operand & 7),
        1 => bytes.push(0x05 | operand & 0x38),
        2 => bytes.extend([0x81, 0xc0 | operand & 63]),
        _ => bytes.extend([0xf7, 0xc0 | operand & 7]),
    }
    bytes.extend(hiding(random));
    // `MOV` with REX.W has an immediate of eight bytes. After other opcodes, these bytes are further
    // instructions.
    if prefix.iter().any(|byte| byte & 8 != 0) {
        bytes.extend(hiding(random));
    }
}

/// Appends some valid instruction, found by trial and error.
fn any_instruction(bytes: &mut Vec<u8>, random: &mut Random) {
    loop {
        let candidate = likely(random, LONGEST);
        let instruction = decode(&candidate, 0);
        if !instruction.is_invalid() {
            return bytes.extend(&candidate[..instruction.len()]);
        }
    }
}

#[test]
fn what_is_mended_does_the_same() {
    let (mut rewritten, mut kept) = (0_u64, 0_u64);
    fuzz("rewriting", 20_000, |random| {
        let bytes = some_function(random);
        let code = Code { address: START, bytes: &bytes };
        let elsewhere = Elsewhere {
            code: START + 0x0100_0000 + random.below(1 << 20) * 16,
            data: START + 0x0300_0000 + random.below(1 << 16) * 16,
        };
        for gadget in find(&[code], Kind::changes_keys) {
            match rewrite(&gadget, &code, &(START - (1 << 28)..START + (1 << 28)), elsewhere) {
                Ok(rewrite) => {
                    rewritten += 1;
                    check_rewrite(&gadget, &bytes, &rewrite, elsewhere);
                }
                Err(_) => kept += 1,
            }
        }
    });
    println!("rewriting: {rewritten} rewritten, {kept} not");
    assert!(rewritten > 0 || kept == 0, "nothing can be rewritten");
}

fn check_rewrite(gadget: &Gadget, bytes: &[u8], rewrite: &Rewrite, elsewhere: Elsewhere) {
    let offset = (rewrite.address - START) as usize;
    let before = decode(&bytes[offset..], rewrite.address);
    let told = || format!("{before} of {bytes:02x?}: {rewrite:02x?}");
    assert_eq!(before.len(), rewrite.bytes.len(), "{}", told());
    assert!(rewrite.code.len() <= LONGEST_DETOUR, "{}", told());
    let mut whole = bytes.to_vec();
    whole[offset..offset + rewrite.bytes.len()].copy_from_slice(&rewrite.bytes);
    // The gadget is gone, and no new one appeared.
    let found = |bytes| find(&[Code { address: START, bytes }], Kind::changes_keys);
    let places = |found: Vec<Gadget>| -> BTreeSet<u64> {
        found.iter().map(|gadget| gadget.address).collect()
    };
    let (old, new) = (places(found(bytes)), places(found(&whole)));
    assert!(!new.contains(&gadget.address) && new.is_subset(&old), "{}", told());
    assert!(find(&[Code { address: 0, bytes: &rewrite.code }], Kind::changes_keys).is_empty());
    assert!(is_same(&before, rewrite, elsewhere), "{}", told());
}

/// Returns all instructions in the bytes, except those without effect.
fn all(bytes: &[u8], address: u64) -> Vec<Instruction> {
    let decoded = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).into_iter();
    decoded.filter(|instruction| instruction.mnemonic() != Mnemonic::Nop).collect()
}

/// Returns true if the new instructions do the same as the old one.
fn is_same(before: &Instruction, rewrite: &Rewrite, elsewhere: Elsewhere) -> bool {
    let here = all(&rewrite.bytes, rewrite.address);
    let there = all(&rewrite.code, elsewhere.code);
    match (&*here, &*there) {
        // The two registers in the instruction's other encoding.
        ([one], []) => {
            one.mnemonic() == before.mnemonic()
                && (one.op0_register(), one.op1_register())
                    == (before.op0_register(), before.op1_register())
                && one.op_count() == before.op_count()
        }
        // The same branch, to a jump to the original target.
        ([one], [jump]) if before.near_branch_target() != 0 => {
            one.mnemonic() == before.mnemonic()
                && one.near_branch_target() == elsewhere.code
                && one.next_ip() == before.next_ip()
                && is_jump(jump, before.near_branch_target())
        }
        // An indirect branch through memory. A call returns to the same address.
        ([one], [jump]) => {
            one.near_branch_target() == elsewhere.code
                && jump.is_ip_rel_memory_operand()
                && jump.ip_rel_memory_address() == before.ip_rel_memory_address()
                && match before.code() {
                    Opcode::Call_rm64 => {
                        jump.code() == Opcode::Jmp_rm64
                            && one.mnemonic() == Mnemonic::Call
                            && one.next_ip() == before.next_ip()
                    }
                    // A far jump is allowed too, since it leaves no return address.
                    code => jump.code() == code && one.mnemonic() == Mnemonic::Jmp,
                }
        }
        // Moved away, and back.
        ([one], [moved, back]) => {
            is_jump(one, elsewhere.code)
                && is_jump(back, before.next_ip())
                && is_moved(before, moved, rewrite, elsewhere)
        }
        _ => false,
    }
}

fn is_jump(instruction: &Instruction, target: u64) -> bool {
    instruction.mnemonic() == Mnemonic::Jmp && instruction.near_branch_target() == target
}

/// Returns true if it is the same operation, on the same memory or with the same constant read from
/// memory.
fn is_moved(
    before: &Instruction,
    moved: &Instruction,
    rewrite: &Rewrite,
    elsewhere: Elsewhere,
) -> bool {
    if moved.mnemonic() != before.mnemonic() || !moved.is_ip_rel_memory_operand() {
        return false;
    }
    if rewrite.data.is_empty() {
        // Equal except for their addresses, which iced's equality ignores.
        return moved.ip_rel_memory_address() == before.ip_rel_memory_address()
            && moved.code() == before.code()
            && (0..before.op_count()).all(|operand| same_operand(before, moved, operand));
    }
    let size = before.op0_register().size();
    let constant = before.immediate(1).to_le_bytes();
    moved.ip_rel_memory_address() == elsewhere.data
        && moved.memory_size().size() == size
        && rewrite.data == constant[..size]
        && (0..2).any(|operand| moved.op_register(operand) == before.op0_register())
}

fn same_operand(before: &Instruction, moved: &Instruction, operand: u32) -> bool {
    let kind = before.op_kind(operand);
    if kind != moved.op_kind(operand) {
        return false;
    }
    match kind {
        OpKind::Register => before.op_register(operand) == moved.op_register(operand),
        OpKind::Memory => {
            before.memory_size() == moved.memory_size()
                && before.segment_prefix() == moved.segment_prefix()
                && before.has_lock_prefix() == moved.has_lock_prefix()
                && before.has_rep_prefix() == moved.has_rep_prefix()
                && before.has_repne_prefix() == moved.has_repne_prefix()
        }
        _ => before.immediate(operand) == moved.immediate(operand),
    }
}

/// Code at some address, and nothing around it.
struct Bytes(Vec<u8>);

impl LoadedCode for Bytes {
    fn read(&self, address: u64, into: &mut [u8]) -> usize {
        let code = Code { address: START, bytes: &self.0 };
        let rest = code.from(address).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        count
    }

    fn constant(&self, address: u64) -> Option<u64> {
        let mut word = [0; 8];
        (self.read(address, &mut word) == 8).then(|| u64::from_le_bytes(word))
    }
}

#[test]
fn any_code_is_looked_through_for_thread_locals() {
    fuzz("thread-pointer", 5_000, |random| {
        let bytes = if random.once_in(2) { some_function(random) } else { likely(random, 200) };
        let entry = START + random.below(4);
        let uses_it =
            |instruction: Instruction| instruction.segment_prefix() == iced_x86::Register::FS;
        let spares = spares_thread_pointer(&Bytes(bytes.clone()), entry);
        // The first instruction is certain to run.
        let first = decode(bytes.get((entry - START) as usize..).unwrap_or_default(), entry);
        assert!(!spares || !uses_it(first), "{first} of {bytes:02x?}");
    });
}

#[test]
fn no_file_makes_the_reader_panic() {
    let directory = tempfile::tempdir().unwrap();
    let original = support::small_library(directory.path());
    assert!(Image::parse(&original).is_ok());
    let headers = 64 + 56 * 12;
    let (mut parsed, mut refused) = (0_u64, 0_u64);
    fuzz("elf", 2_000, |random| {
        let mut bytes = original.clone();
        for _ in 0..=random.below(6) {
            // Half of the time among the headers, where small changes matter most.
            let end = if random.once_in(2) { headers } else { bytes.len() };
            let at = random.index(end);
            let number = random.edge().to_le_bytes();
            let size = *random.pick(&[1, 2, 4, 8]);
            bytes.iter_mut().skip(at).zip(number).take(size).for_each(|(into, from)| *into = from);
        }
        if random.once_in(20) {
            random.mutate(&mut bytes);
        }
        match look(&bytes) {
            true => parsed += 1,
            false => refused += 1,
        }
    });
    println!("elf: {parsed} parsed, {refused} refused");
}

/// Reads everything that the scanner can read from a file.
fn look(bytes: &[u8]) -> bool {
    let Ok(image) = Image::parse(bytes) else { return false };
    let code = image.code();
    let _ = (image.kind(), image.has_writable_code(), image.has_executable_stack());
    let _ = (image.thread_locals(), image.name(), image.needed(), image.search_path());
    let _ = (image.imports().len(), image.exports().len(), image.indirect_functions().len());
    for gadget in find(&code, |_| true).iter().take(50) {
        let symbol = image.place(gadget.address).map(|place| place.symbol);
        let setting = setting(gadget, &code, image.function_starts());
        let _ = known(gadget, setting, &code, symbol);
        let _ = code.first().map(|segment| function(segment, gadget.address & !7, gadget.address));
    }
    true
}
