use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

use super::Sample;

const LINE: u64 = 32;

fn instructions(bytes: &[u8]) -> Vec<Instruction> {
    Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).into_iter().collect()
}

/// A load that takes 9 bytes when rewritten.
const LOAD: [u8; 7] = [0x48, 0x8b, 0x87, 0x11, 0x22, 0x33, 0x04];

#[test]
fn nothing_lies_across_lines() {
    let code = [&LOAD.repeat(50)[..], &[0xc3]].concat();
    let placed = Sample::new(&code, &[0], &[]).placed();
    let instructions = instructions(&placed.bytes);
    for instruction in &instructions {
        let (first, last) = (instruction.ip() / LINE, (instruction.next_ip() - 1) / LINE);
        assert_eq!(first, last, "{instruction} at {:#x}", instruction.ip());
    }
    assert!(instructions.len() > 50);
}

#[test]
fn calls_end_lines() {
    // call of the section's start, after some bytes of loads.
    let mut code = Vec::new();
    for count in 0..12 {
        code.extend(LOAD.repeat(count % 5));
        let distance = -(code.len() as i32 + 5);
        code.push(0xe8);
        code.extend(distance.to_le_bytes());
    }
    code.push(0xc3);
    let placed = Sample::new(&code, &[0], &[]).placed();
    let calls = instructions(&placed.bytes)
        .into_iter()
        .filter(|instruction| instruction.flow_control() == FlowControl::Call);
    let ends: Vec<u64> = calls.map(|call| call.next_ip() % LINE).collect();
    assert_eq!(ends, [0; 12]);
}

#[test]
fn what_is_reached_by_its_address_begins_a_line_also_if_it_is_a_call() {
    // nop; call 0; ret: with the address of the call in a table.
    let code = [0x31, 0xc0, 0xe8, 0xf9, 0xff, 0xff, 0xff, 0xc3];
    let sample = Sample::new(&code, &[0], &[2]);
    let placed = sample.placed();
    let start = placed.starts[sample.number(2)];
    assert_eq!(start % LINE as usize, 0);
    // There it is padded, so that the call ends a line.
    let first = instructions(&placed.bytes).into_iter().find(|at| at.ip() == start as u64);
    assert_eq!(first.map(|first| first.mnemonic()), Some(iced_x86::Mnemonic::Nop));
    // Otherwise its label is the call itself.
    let sample = Sample::new(&code, &[0], &[]);
    let placed = sample.placed();
    assert_eq!(placed.starts[sample.number(2)] % LINE as usize, LINE as usize - 5);
}

/// `1: movq …; …; jne 1b`, with this many loads in between, and the same forwards.
fn branches(count: usize) -> (Vec<u8>, u64) {
    let mut code = LOAD.repeat(count);
    let distance = -(code.len() as i32 + 6);
    code.extend([0x0f, 0x85]);
    code.extend(distance.to_le_bytes());
    let forwards = code.len() as u64;
    code.push(0xe9);
    code.extend(((count * LOAD.len()) as i32).to_le_bytes());
    code.extend(LOAD.repeat(count));
    code.push(0xc3);
    (code, forwards)
}

#[test]
fn branches_are_short_where_they_reach_and_lead_where_they_led() {
    let mut lengths = Vec::new();
    for count in 0..30 {
        let (code, forwards) = branches(count);
        let sample = Sample::new(&code, &[0], &[]);
        let placed = sample.placed();
        let instructions = instructions(&placed.bytes);
        let find = |kind| instructions.iter().find(|at| at.flow_control() == kind).copied();
        let back = find(FlowControl::ConditionalBranch).expect("there is one");
        assert_eq!(back.near_branch64() as usize, placed.starts[0], "{count} loads");
        let ahead = find(FlowControl::UnconditionalBranch).expect("there is one");
        let end = sample.number(code.len() as u64 - 1);
        assert_eq!(ahead.near_branch64() as usize, placed.starts[end], "{count} loads");
        assert_eq!(ahead.ip() as usize, placed.starts[sample.number(forwards)]);
        lengths.push((back.len(), ahead.len()));
    }
    // Three loads of 9 bytes fit into a line, so 12 of them take the 128 bytes of four.
    assert_eq!(lengths[..11], [(2, 2); 11]);
    assert_eq!(lengths[14..], [(6, 5); 16]);
}
