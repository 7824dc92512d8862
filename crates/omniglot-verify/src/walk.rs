//! Compares what is accepted with another decoder: for every form, with every prefix and every
//! operand, and for random bytes.
//!
//! The other decoder, iced-x86, knows for each instruction which registers it writes, which memory
//! it accesses and how, which flags it changes, and how it would be encoded. So an independent
//! implementation confirms the claims that the proof rests on.

use iced_x86::{
    Code, Decoder, DecoderOptions, Encoder, EncodingKind, FlowControl, InstructionInfoFactory,
    OpAccess, Register, RflagsBits,
};
use omniglot_fuzz::fuzz;

use crate::decode::{Instruction, decode};
use crate::region::{LINE, REGION, TEXT_MIN, Text};
use crate::verify::{Item, Stack, Sweep};

/// Compares accepted items with the other decoder.
struct Judge {
    info: InstructionInfoFactory,
    encoder: Encoder,
    /// The number of times that each form was accepted.
    seen: Vec<u64>,
    accepted: u64,
    tried: u64,
}

const HLT: u8 = 0xf4;

impl Judge {
    fn new() -> Self {
        let seen = vec![0; Code::values().len()];
        let (info, encoder) = (InstructionInfoFactory::new(), Encoder::new(64));
        Self { info, encoder, seen, accepted: 0, tried: 0 }
    }

    /// Verifies the item that these bytes begin with, at the beginning of a line.
    fn look(&mut self, bytes: &[u8]) {
        let mut line = [HLT; LINE as usize];
        line.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let text = Text { bytes: &line, at: TEXT_MIN, gates: 0..0 };
        let mut sweep = Sweep::new(&text);
        let Ok(item) = sweep.item(0) else { return };
        self.accepted += 1;
        self.judge(&line, &item);
    }

    /// The number of forms that were accepted.
    fn forms(&self) -> usize {
        self.seen.iter().filter(|seen| **seen > 0).count()
    }

    fn tell(&self, what: &str) {
        let Self { tried, accepted, .. } = self;
        println!("{what}: {tried} tried, {accepted} accepted, of {} forms", self.forms());
    }

    fn judge(&mut self, line: &[u8], item: &Item) {
        let mut decoder = Decoder::with_ip(64, line, TEXT_MIN, DecoderOptions::NONE);
        let first = decoder.decode();
        self.seen[first.code() as usize] += 1;
        let told = format!("{first} {:02x?}: {item:?}", &line[..item.length]);
        if first.len() == item.length {
            return self.single(&first, line, item, &told);
        }
        if item.stack == Stack::Set {
            self.sets_esp(&first, item, &told);
        }
        // Groups are exact byte strings apart from the register. So this checks only that they end
        // where one of their instructions does.
        let mut end = first.len();
        while end < item.length {
            end += decoder.decode().len();
        }
        assert_eq!(end, item.length, "{told}");
    }

    fn single(
        &mut self,
        instruction: &iced_x86::Instruction,
        line: &[u8],
        item: &Item,
        told: &str,
    ) {
        assert!(!instruction.is_invalid(), "invalid: {told}");
        self.spelling(instruction, &line[..item.length], told);
        self.flow(instruction, item, told);
        let info = self.info.info(instruction);
        assert!(
            matches!(instruction.code().encoding(), EncodingKind::Legacy | EncodingKind::VEX),
            "{told}"
        );
        for used in info.used_registers() {
            let is_write = !matches!(
                used.access(),
                OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
            );
            let register = used.register();
            if is_write && register.full_register() == Register::RSP {
                let does = match item.stack {
                    Stack::Step => register == Register::RSP,
                    Stack::Access => instruction.is_stack_instruction(),
                    Stack::Unchanged | Stack::Set => false,
                };
                assert!(does, "writes RSP: {told}");
            }
            let is_special = register.is_segment_register() || register.is_cr() || register.is_dr();
            assert!(!is_write || !is_special, "writes {register:?}: {told}");
        }
        let flags = instruction.rflags_modified();
        let special = RflagsBits::DF | RflagsBits::AC | RflagsBits::IF | RflagsBits::UIF;
        assert_eq!(flags & special, 0, "changes flags: {told}");
        self.accesses(instruction, item, told);
    }

    /// Checks that the first instruction of a group that sets RSP writes ESP, whatever it reads,
    /// and nothing else.
    fn sets_esp(&mut self, instruction: &iced_x86::Instruction, item: &Item, told: &str) {
        assert_eq!(instruction.op0_register(), Register::ESP, "{told}");
        let info = self.info.info(instruction);
        let is_read = |access| matches!(access, OpAccess::Read | OpAccess::CondRead);
        let written = info.used_registers().iter().filter(|used| !is_read(used.access()));
        for used in written {
            assert_eq!(used.register().full_register(), Register::RSP, "{told}");
            let is_certain = matches!(used.access(), OpAccess::Write | OpAccess::ReadWrite);
            assert!(is_certain || used.access() == OpAccess::NoMemAccess, "{told}");
        }
        self.accesses(instruction, item, told);
    }

    /// Checks that the encoding is the other encoder's, apart from the order of prefixes.
    fn spelling(&mut self, instruction: &iced_x86::Instruction, bytes: &[u8], told: &str) {
        let encoded = self.encoder.encode(instruction, instruction.ip());
        assert!(encoded.is_ok(), "{told}: {encoded:?}");
        let again = self.encoder.take_buffer();
        let split = |bytes: &[u8]| {
            let count = bytes
                .iter()
                .take_while(|byte| matches!(byte, 0x65..=0x67 | 0xf0 | 0xf2 | 0xf3))
                .count();
            let mut prefixes = bytes[..count].to_vec();
            prefixes.sort_unstable();
            (prefixes, bytes[count..].to_vec())
        };
        assert_eq!(split(bytes), split(&again), "another spelling of {told}");
    }

    fn flow(&self, instruction: &iced_x86::Instruction, item: &Item, told: &str) {
        let target = || {
            let distance = item.distance.expect("a branch has a distance");
            (TEXT_MIN + item.length as u64).wrapping_add_signed(distance.into())
        };
        match instruction.flow_control() {
            FlowControl::Next => assert!(item.distance.is_none(), "{told}"),
            FlowControl::UnconditionalBranch => {
                assert!(item.jumps && instruction.is_jmp_short_or_near(), "{told}");
                assert_eq!(instruction.near_branch_target(), target(), "{told}");
            }
            FlowControl::ConditionalBranch => {
                assert!(instruction.is_jcc_short_or_near(), "{told}");
                assert_eq!(instruction.near_branch_target(), target(), "{told}");
            }
            FlowControl::Call => {
                assert!(instruction.is_call_near() && item.stack == Stack::Access, "{told}");
                assert_eq!(instruction.near_branch_target(), target(), "{told}");
            }
            FlowControl::Exception => {
                assert!(instruction.code() == Code::Ud2 && item.jumps, "{told}");
            }
            other => panic!("{other:?}: {told}"),
        }
        let may_fault = instruction.code() == Code::Hlt;
        assert!(!instruction.is_privileged() || may_fault && item.jumps, "privileged: {told}");
    }

    /// Checks that every memory access is a confined one, according to the other decoder.
    fn accesses(&mut self, instruction: &iced_x86::Instruction, item: &Item, told: &str) {
        let info = self.info.info(instruction);
        let is_no_access = |access| access == OpAccess::NoMemAccess;
        let mut touches = false;
        for used in info.used_memory().iter().filter(|used| !is_no_access(used.access())) {
            assert_eq!(used.vsib_size(), 0, "{told}");
            assert!(used.memory_size().size() <= 64, "{told}");
            let registers = [used.base(), used.index()];
            let displacement = used.displacement().cast_signed();
            let is_32_bits = |register: Register| register == Register::None || register.is_gpr32();
            match used.segment() {
                Register::GS if registers == [Register::None; 2] => {
                    let limit = REGION.cast_signed();
                    assert!((0..limit).contains(&displacement), "{told}");
                }
                Register::GS => assert!(registers.into_iter().all(is_32_bits), "{told}"),
                // The decoder reports the address of a relative operand as its displacement.
                _ if registers == [Register::None; 2] => {
                    assert!(instruction.is_ip_rel_memory_operand(), "{told}");
                    assert_eq!(instruction.memory_base(), Register::RIP, "{told}");
                    let limit = REGION.cast_signed() - 64;
                    assert!((0..=limit).contains(&displacement), "{told}");
                }
                _ => {
                    assert_eq!(registers, [Register::RSP, Register::None], "{told}");
                    assert!(displacement.abs() < 1 << 16, "{told}");
                    let is_certain = matches!(
                        used.access(),
                        OpAccess::Read
                            | OpAccess::Write
                            | OpAccess::ReadWrite
                            | OpAccess::ReadCondWrite
                    );
                    touches |= is_certain;
                }
            }
        }
        assert!(item.stack != Stack::Access || touches, "accesses nothing: {told}");
    }
}

/// The bytes behind an opcode: a ModRM byte, for forms that have one, then SIB byte, displacement
/// and immediate.
fn tails() -> impl Iterator<Item = [u8; 11]> {
    let behind = [0x10, 0, 0, 0, 0x11, 0, 0, 0, 0];
    let tail = move |modrm, sib| {
        let mut tail = [0; 11];
        tail[0] = modrm;
        // Without a SIB byte this is part of the displacement.
        tail[1] = sib;
        tail[2..].copy_from_slice(&behind);
        tail
    };
    (0..=u8::MAX).flat_map(move |modrm| {
        let has_sib = modrm & 7 == 4 && modrm < 0xc0;
        let sibs: &[u8] = if has_sib { &[0x24, 0x25, 0x04, 0x61, 0xe0] } else { &[0x20] };
        sibs.iter().map(move |sib| tail(modrm, *sib))
    })
}

/// Verifies all instructions with these prefixes and this opcode, with each ModRM byte. If no digit
/// is accepted, with memory and with registers, no other ModRM byte is.
fn look_at_opcode(judge: &mut Judge, start: &[u8], tails: &[[u8; 11]]) {
    let mut bytes = [0; 32];
    bytes[..start.len()].copy_from_slice(start);
    let mut look = |judge: &mut Judge, tail: &[u8; 11]| {
        bytes[start.len()..start.len() + tail.len()].copy_from_slice(tail);
        judge.tried += 1;
        let is_one = bytes
            .first_chunk()
            .is_some_and(|window| decode(window, &mut { Instruction::EMPTY }).is_ok());
        if is_one {
            judge.look(&bytes);
        }
        is_one
    };
    let is_x87 = matches!(start.last(), Some(0xd8..=0xdf));
    let few = tails.iter().filter(|tail| tail[0] & 6 == 0 && tail[0] >> 6 != 1);
    let mut is_any = is_x87;
    for tail in few {
        is_any |= look(judge, tail);
    }
    if is_any {
        for tail in tails {
            look(judge, tail);
        }
    }
}

#[test]
fn every_form_is_what_another_decoder_says() {
    let mut judge = Judge::new();
    let tails: Vec<_> = tails().collect();
    let rexes: Vec<Option<u8>> = [None].into_iter().chain((0x40..=0x4f).map(Some)).collect();
    let maps: [&[u8]; 4] = [&[], &[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a]];
    let segments: [&[u8]; 4] = [&[], &[0x65, 0x67], &[0x65], &[0x67]];
    let repeats: [&[u8]; 4] = [&[], &[0xf0], &[0xf2], &[0xf3]];
    for (segment, size) in segments.iter().flat_map(|segment| [(segment, false), (segment, true)]) {
        for (repeat, rex) in
            repeats.iter().flat_map(|repeat| rexes.iter().map(move |rex| (repeat, rex)))
        {
            for (map, opcode) in
                maps.iter().flat_map(|map| (0..=u8::MAX).map(move |opcode| (map, opcode)))
            {
                let is_prefix = map.is_empty()
                    && matches!(opcode, 0x40..=0x4f | 0xc4 | 0xc5 | 0x65..=0x67 | 0xf0 | 0xf2 | 0xf3);
                if is_prefix {
                    continue;
                }
                let size: &[u8] = if size { &[0x66] } else { &[] };
                let rex: &[u8] = rex.as_slice();
                let start = [segment, *repeat, size, rex, map, &[opcode]].concat();
                look_at_opcode(&mut judge, &start, &tails);
            }
        }
    }
    judge.tell("legacy forms");
    assert!(judge.forms() > 700, "{} forms", judge.forms());
}

#[test]
fn every_form_with_vex_is_what_another_decoder_says() {
    let mut judge = Judge::new();
    let tails: Vec<_> = tails().collect();
    // VEX.vvvv takes only some values, since it is a register like others: none, RSP, RAX and the
    // one next to it.
    let registers = [0b1111, !4 & 15, 0, 0b1110];
    for (segment, opcode) in [&[][..], &[0x65, 0x67]]
        .iter()
        .flat_map(|segment| (0..=u8::MAX).map(move |opcode| (segment, opcode)))
    {
        for (high, register, low) in (0..2)
            .flat_map(|high| registers.map(|register| (high, register)))
            .flat_map(|(high, register)| (0..8).map(move |low| (high, register, low)))
        {
            let last = high << 7 | register << 3 | low;
            let short = [segment, &[0xc5, last, opcode][..]].concat();
            look_at_opcode(&mut judge, &short, &tails);
            for (rxb, map) in (0..8).flat_map(|rxb| (0..4).map(move |map| (rxb, map))) {
                let long = [segment, &[0xc4, rxb << 5 | map, last, opcode][..]].concat();
                look_at_opcode(&mut judge, &long, &tails);
            }
        }
    }
    judge.tell("forms with VEX");
    assert!(judge.forms() > 500, "{} forms", judge.forms());
}

#[test]
fn whatever_is_accepted_is_what_another_decoder_says() {
    let mut judge = Judge::new();
    fuzz("verifier", 300, |random| {
        for _ in 0..1000 {
            judge.tried += 1;
            let bytes = if random.once_in(8) { random.bytes(32) } else { random.instruction() };
            judge.look(&bytes);
        }
    });
    judge.tell("random bytes");
    assert!(judge.accepted > judge.tried / 100, "{} of {}", judge.accepted, judge.tried);
}
