//! Replaces code that contains a gadget by accident.
//!
//! In a large program, the distance of some call or a constant occasionally contains such bytes. If
//! the surrounding instructions are known, one of them can be replaced by an equivalent of the same
//! length, in most cases by a jump to equivalent code elsewhere.

use std::ops::Range;

use iced_x86::{
    Code as Opcode, Encoder, FlowControl, Instruction, MemoryOperand, Mnemonic, OpKind, Register,
};

use crate::find;
use crate::find::{Code, Gadget};
use crate::function::instructions;
use crate::kind::Kind;

/// The replacement of one instruction, with the code and data that it needs elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The instruction's address.
    pub address: u64,
    /// The replacement, of the same length.
    pub bytes: Vec<u8>,
    /// Code to put at [`Elsewhere::code`]. May be empty.
    pub code: Vec<u8>,
    /// Constants to put at [`Elsewhere::data`], which must not be executable. May be empty.
    pub data: Vec<u8>,
}

/// Addresses for the code and data of a [`Rewrite`], within reach of near jumps.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    /// The address for code.
    pub code: u64,
    /// The address for constants.
    pub data: u64,
}

/// Why there is no [`Rewrite`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The instruction boundaries there are not certain.
    Unclear,
    /// No instruction there has a known equivalent.
    Needed,
    /// Code at that address would contain a gadget again, or is out of reach. Another address may
    /// do.
    Place,
}

/// The maximum length of code elsewhere, in bytes.
pub const LONGEST_DETOUR: usize = 32;
/// Opcodes of a jump and a call with a 32-bit distance.
const JUMP: u8 = 0xe9;
const CALL: u8 = 0xe8;
const JUMP_LENGTH: usize = 5;
const NOP: u8 = 0x90;
/// The number of bytes on each side of a change that are scanned again.
const AROUND: u64 = 16;

/// Replaces an instruction that contains or overlaps `gadget`, so that the gadget is gone.
///
/// `function` is the whole function that contains it ([`function`](crate::function())). `image` is
/// the memory of its file, which must contain whatever the instruction refers to. No code may jump
/// into the middle of an instruction of that function; compiled code never does.
///
/// ```
/// use omniglot_scan::{Code, Elsewhere, Kind, find, rewrite};
/// // A call with a distance of 0x28ae0f bytes, and a return.
/// let bytes = [0xe8, 0x0f, 0xae, 0x28, 0x00, 0xc3];
/// let function = Code { address: 0x1000_0000, bytes: &bytes };
/// let gadget = find(&[function], Kind::changes_keys)[0];
/// let elsewhere = Elsewhere { code: 0x1100_0040, data: 0x1100_1000 };
/// let rewritten = rewrite(&gadget, &function, &(0x1000_0000..0x1200_0000), elsewhere)?;
/// // It is still a call, now of a jump to the old target.
/// assert_eq!((rewritten.bytes[0], rewritten.code[0]), (0xe8, 0xe9));
/// # Ok::<(), omniglot_scan::Obstacle>(())
/// ```
///
/// # Errors
/// [`Obstacle`] says why not. After [`Obstacle::Place`] another address may work.
pub fn rewrite(
    gadget: &Gadget,
    function: &Code<'_>,
    image: &Range<u64>,
    elsewhere: Elsewhere,
) -> Result<Rewrite, Obstacle> {
    let all = instructions(function).ok_or(Obstacle::Unclear)?;
    let touched = gadget.address..gadget.address.wrapping_add(3);
    let candidates = all.iter().filter(|instruction| {
        instruction.ip() < touched.end && touched.start < instruction.next_ip()
    });
    let mut obstacle = Obstacle::Needed;
    for instruction in candidates {
        let original = original(function, instruction).ok_or(Obstacle::Unclear)?;
        match equivalent(instruction, original, image, elsewhere) {
            Ok(rewrite) if is_clean(&rewrite, function) => return Ok(rewrite),
            Ok(rewrite) if rewrite.code.is_empty() => {}
            Ok(_) | Err(Obstacle::Place) => obstacle = Obstacle::Place,
            Err(_) => {}
        }
    }
    Err(obstacle)
}

fn original<'a>(function: &Code<'a>, instruction: &Instruction) -> Option<&'a [u8]> {
    function.from(instruction.ip())?.get(..instruction.len())
}

/// Returns true if no gadget overlaps the change or lies in the code elsewhere.
fn is_clean(rewrite: &Rewrite, function: &Code<'_>) -> bool {
    let end = rewrite.address.wrapping_add(rewrite.bytes.len() as u64);
    let start = rewrite.address.saturating_sub(AROUND).max(function.address);
    let before =
        function.from(start).and_then(|rest| rest.get(..(rewrite.address - start) as usize));
    let after = function.from(end).unwrap_or_default();
    let after = after.get(..AROUND as usize).unwrap_or(after);
    let bytes = [before.unwrap_or_default(), &rewrite.bytes, after].concat();
    let here = find(&[Code { address: start, bytes: &bytes }], Kind::changes_keys);
    let touches = |gadget: &Gadget| gadget.address < end && rewrite.address < gadget.address + 3;
    let there = find(&[Code { address: 0, bytes: &rewrite.code }], Kind::changes_keys);
    !here.iter().any(touches) && there.is_empty()
}

/// An equivalent, which may itself contain a gadget.
fn equivalent(
    instruction: &Instruction,
    original: &[u8],
    image: &Range<u64>,
    elsewhere: Elsewhere,
) -> Result<Rewrite, Obstacle> {
    if let Some(bytes) = swapped(original) {
        return Ok(Rewrite {
            address: instruction.ip(),
            bytes,
            code: Vec::new(),
            data: Vec::new(),
        });
    }
    if original.len() < JUMP_LENGTH {
        return Err(Obstacle::Needed);
    }
    if is_near(instruction) {
        return branch(instruction, original, image, elsewhere);
    }
    if instruction.is_ip_rel_memory_operand() {
        return relative(instruction, original, image, elsewhere);
    }
    constant(instruction, original, elsewhere)
}

/// Converts between the two encodings `OP r/m, r` and `OP r, r/m` of an instruction on two
/// registers without a prefix (Intel SDM volume 2, appendix A), such as `add edi, ebp`.
fn swapped(original: &[u8]) -> Option<Vec<u8>> {
    let [opcode, operands] = *original else {
        return None;
    };
    let has_both = opcode & 0xc4 == 0 || (0x88..=0x8b).contains(&opcode);
    let registers = operands >> 6 == 3;
    let exchanged = 0xc0 | operands >> 3 & 7 | (operands & 7) << 3;
    (has_both && registers).then(|| vec![opcode ^ 2, exchanged])
}

/// Returns true for a direct call or jump that ends in a 32-bit distance.
fn is_near(instruction: &Instruction) -> bool {
    instruction.is_call_near() || instruction.is_jmp_near() || instruction.is_jcc_near()
}

/// Redirects a call or jump to a jump elsewhere that leads to its target. A call still returns to
/// the same address.
fn branch(
    instruction: &Instruction,
    original: &[u8],
    image: &Range<u64>,
    elsewhere: Elsewhere,
) -> Result<Rewrite, Obstacle> {
    let target = instruction.near_branch_target();
    if !image.contains(&target) {
        return Err(Obstacle::Unclear);
    }
    let mut bytes = original.to_vec();
    let start = bytes.len() - 4;
    bytes.splice(start.., distance(instruction.next_ip(), elsewhere.code)?);
    let mut code = Vec::new();
    jump(&mut code, elsewhere, target)?;
    Ok(Rewrite { address: instruction.ip(), bytes, code, data: Vec::new() })
}

/// Moves an instruction with a RIP-relative operand elsewhere, which changes the operand's
/// distance.
fn relative(
    instruction: &Instruction,
    original: &[u8],
    image: &Range<u64>,
    elsewhere: Elsewhere,
) -> Result<Rewrite, Obstacle> {
    if !image.contains(&instruction.ip_rel_memory_address()) {
        return Err(Obstacle::Unclear);
    }
    let mut moved = *instruction;
    match instruction.flow_control() {
        FlowControl::Next => return moved_away(instruction, &moved, original, elsewhere),
        FlowControl::IndirectBranch => {}
        // The call stays, so that its return address stays the same. Only the jump is elsewhere.
        FlowControl::IndirectCall if instruction.code() == Opcode::Call_rm64 => {
            moved.set_code(Opcode::Jmp_rm64);
        }
        _ => return Err(Obstacle::Needed),
    }
    let is_call = instruction.flow_control() == FlowControl::IndirectCall;
    let padding = original.len() - JUMP_LENGTH;
    let mut bytes = vec![NOP; padding];
    bytes.push(if is_call { CALL } else { JUMP });
    bytes.extend(distance(instruction.next_ip(), elsewhere.code)?);
    let code = encoded(&moved, elsewhere.code)?;
    Ok(Rewrite { address: instruction.ip(), bytes, code, data: Vec::new() })
}

/// Replaces an instruction by a jump to `moved`, which is followed by a jump back.
fn moved_away(
    instruction: &Instruction,
    moved: &Instruction,
    original: &[u8],
    elsewhere: Elsewhere,
) -> Result<Rewrite, Obstacle> {
    let mut bytes = vec![JUMP];
    let after = instruction.ip().wrapping_add(JUMP_LENGTH as u64);
    bytes.extend(distance(after, elsewhere.code)?);
    bytes.resize(original.len(), NOP);
    let mut code = encoded(moved, elsewhere.code)?;
    jump(&mut code, elsewhere, instruction.next_ip())?;
    Ok(Rewrite { address: instruction.ip(), bytes, code, data: Vec::new() })
}

/// Moves an instruction with an immediate elsewhere, and makes it load the value from memory.
fn constant(
    instruction: &Instruction,
    original: &[u8],
    elsewhere: Elsewhere,
) -> Result<Rewrite, Obstacle> {
    let register = instruction.op0_register();
    let is_wide = register.is_gpr64();
    let fits = instruction.op_count() == 2
        && instruction.op0_kind() == OpKind::Register
        && (is_wide || register.is_gpr32())
        && matches!(
            instruction.op1_kind(),
            OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64
        );
    let form = with_memory(instruction.mnemonic(), is_wide).filter(|_| fits);
    let form = form.ok_or(Obstacle::Needed)?;
    let memory = MemoryOperand::with_base_displ(Register::RIP, elsewhere.data.cast_signed());
    let moved = match instruction.mnemonic() {
        Mnemonic::Test => Instruction::with2(form, memory, register),
        _ => Instruction::with2(form, register, memory),
    };
    let moved = moved.map_err(|_| Obstacle::Needed)?;
    let size = if is_wide { 8 } else { 4 };
    let mut rewrite = moved_away(instruction, &moved, original, elsewhere)?;
    rewrite.data = instruction.immediate(1).to_le_bytes().into_iter().take(size).collect();
    Ok(rewrite)
}

/// The opcode with a memory operand in place of an immediate, and the same effect on registers and
/// flags.
const fn with_memory(mnemonic: Mnemonic, is_wide: bool) -> Option<Opcode> {
    Some(match (mnemonic, is_wide) {
        (Mnemonic::Mov, false) => Opcode::Mov_r32_rm32,
        (Mnemonic::Mov, true) => Opcode::Mov_r64_rm64,
        (Mnemonic::Add, false) => Opcode::Add_r32_rm32,
        (Mnemonic::Add, true) => Opcode::Add_r64_rm64,
        (Mnemonic::Or, false) => Opcode::Or_r32_rm32,
        (Mnemonic::Or, true) => Opcode::Or_r64_rm64,
        (Mnemonic::And, false) => Opcode::And_r32_rm32,
        (Mnemonic::And, true) => Opcode::And_r64_rm64,
        (Mnemonic::Sub, false) => Opcode::Sub_r32_rm32,
        (Mnemonic::Sub, true) => Opcode::Sub_r64_rm64,
        (Mnemonic::Xor, false) => Opcode::Xor_r32_rm32,
        (Mnemonic::Xor, true) => Opcode::Xor_r64_rm64,
        (Mnemonic::Cmp, false) => Opcode::Cmp_r32_rm32,
        (Mnemonic::Cmp, true) => Opcode::Cmp_r64_rm64,
        (Mnemonic::Test, false) => Opcode::Test_rm32_r32,
        (Mnemonic::Test, true) => Opcode::Test_rm64_r64,
        _ => return None,
    })
}

fn encoded(instruction: &Instruction, at: u64) -> Result<Vec<u8>, Obstacle> {
    let mut encoder = Encoder::new(64);
    // Only the distance can be out of range.
    encoder.encode(instruction, at).map_err(|_| Obstacle::Place)?;
    Ok(encoder.take_buffer())
}

/// Appends a jump to `target` to code that lies elsewhere.
fn jump(code: &mut Vec<u8>, elsewhere: Elsewhere, target: u64) -> Result<(), Obstacle> {
    let after = elsewhere.code.wrapping_add((code.len() + JUMP_LENGTH) as u64);
    code.push(JUMP);
    code.extend(distance(after, target)?);
    Ok(())
}

fn distance(from: u64, to: u64) -> Result<[u8; 4], Obstacle> {
    let distance = to.wrapping_sub(from).cast_signed();
    i32::try_from(distance).map(i32::to_le_bytes).map_err(|_| Obstacle::Place)
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions};

    use super::{Elsewhere, LONGEST_DETOUR, Obstacle, Rewrite, rewrite};
    use crate::find;
    use crate::find::Code;
    use crate::kind::Kind;

    const START: u64 = 0x7000_0000;
    const ELSEWHERE: Elsewhere = Elsewhere { code: 0x7100_0040, data: 0x7100_1000 };

    fn mended_at(bytes: &[u8], elsewhere: Elsewhere) -> Result<Rewrite, Obstacle> {
        let function = Code { address: START, bytes };
        let gadgets = find(&[function], Kind::changes_keys);
        assert_eq!(gadgets.len(), 1, "{bytes:02x?}");
        rewrite(&gadgets[0], &function, &(0x6000_0000..0x8000_0000), elsewhere)
    }

    fn rewritten(bytes: &[u8]) -> Result<Rewrite, Obstacle> {
        mended_at(bytes, ELSEWHERE)
    }

    fn text(bytes: &[u8], at: u64) -> String {
        let decoder = Decoder::with_ip(64, bytes, at, DecoderOptions::NONE);
        let all: Vec<_> = decoder.into_iter().map(|instruction| instruction.to_string()).collect();
        all.join("; ")
    }

    /// Disassembles the replacement of a function's first instruction, and its code elsewhere.
    fn first(bytes: &[u8]) -> (String, String) {
        let rewrite = rewritten(bytes).unwrap();
        assert_eq!(rewrite.address, START);
        assert!(rewrite.code.len() <= LONGEST_DETOUR);
        let mut whole = rewrite.bytes.clone();
        whole.extend(&bytes[rewrite.bytes.len()..]);
        let code = Code { address: START, bytes: &whole };
        assert_eq!(find(&[code], Kind::changes_keys), []);
        (text(&rewrite.bytes, START), text(&rewrite.code, ELSEWHERE.code))
    }

    #[test]
    fn calls_and_jumps_go_by_another_jump() {
        // Distances of 2.6 MiB, and of 1.1 MiB backwards.
        let call = first(&[0xe8, 0x0f, 0xae, 0x28, 0x00, 0xc3]);
        assert_eq!(call, ("call 0000000071000040h".into(), "jmp 000000007028AE14h".into()));
        let jump = first(&[0xe9, 0x0f, 0x01, 0xef, 0xff]);
        assert_eq!(jump, ("jmp 0000000071000040h".into(), "jmp 000000006FEF0114h".into()));
        let branch = first(&[0x0f, 0x84, 0x0f, 0xae, 0x6f, 0x00, 0xc3]);
        assert_eq!(branch, ("je 0000000071000040h".into(), "jmp 00000000706FAE15h".into()));
    }

    #[test]
    fn what_finds_memory_by_its_place_is_moved() {
        let (here, there) = first(&[0x48, 0x8d, 0x05, 0x0f, 0xae, 0x2f, 0x00, 0xc3]);
        assert_eq!(here, "jmp 0000000071000040h; nop; nop");
        assert_eq!(there, "lea rax,[702FAE16h]; jmp 0000000070000007h");
        // An immediate follows the distance.
        let (here, there) = first(&[0xc7, 0x05, 0x0f, 0xae, 0x2f, 0x00, 7, 0, 0, 0, 0xc3]);
        assert_eq!(here, "jmp 0000000071000040h; nop; nop; nop; nop; nop");
        assert_eq!(there, "mov dword ptr [702FAE19h],7; jmp 000000007000000Ah");
        let (here, there) = first(&[0xff, 0x15, 0x0f, 0xae, 0x2f, 0x00, 0xc3]);
        assert_eq!(here, "nop; call 0000000071000040h");
        assert_eq!(there, "jmp qword ptr [702FAE15h]");
        let (here, there) = first(&[0xff, 0x25, 0x0f, 0xae, 0x2f, 0x00]);
        assert_eq!(here, "nop; jmp 0000000071000040h");
        assert_eq!(there, "jmp qword ptr [702FAE15h]");
    }

    #[test]
    fn constants_go_to_memory() {
        let bytes = [0x25, 0x0f, 0x01, 0xef, 0x00, 0xc3];
        assert_eq!(first(&bytes).1, "and eax,[71001000h]; jmp 0000000070000005h");
        assert_eq!(rewritten(&bytes).unwrap().data, [0x0f, 0x01, 0xef, 0x00]);
        let bytes = [0x48, 0xb8, 1, 2, 0x0f, 0x01, 0xef, 0, 0, 0, 0xc3];
        assert_eq!(first(&bytes).1, "mov rax,[71001000h]; jmp 000000007000000Ah");
        assert_eq!(rewritten(&bytes).unwrap().data, bytes[2..10]);
        // The immediate is sign-extended.
        let bytes = [0x48, 0x81, 0xff, 0x0f, 0x01, 0xef, 0xff, 0xc3];
        assert_eq!(first(&bytes).1, "cmp rdi,[71001000h]; jmp 0000000070000007h");
        assert_eq!(
            rewritten(&bytes).unwrap().data,
            [0x0f, 0x01, 0xef, 0xff, 0xff, 0xff, 0xff, 0xff]
        );
        let bytes = [0xf7, 0xc7, 0x0f, 0xae, 0x28, 0x01, 0xc3];
        assert_eq!(first(&bytes).1, "test [71001000h],edi; jmp 0000000070000006h");
    }

    #[test]
    fn what_spans_two_instructions_goes_with_either() {
        // and eax, 0xf; add edi, ebp
        let rewrite = rewritten(&[0x83, 0xe0, 0x0f, 0x01, 0xef, 0xc3]).unwrap();
        assert_eq!((rewrite.address, text(&rewrite.bytes, 0)), (START + 3, "add edi,ebp".into()));
        assert!(rewrite.code.is_empty() && rewrite.data.is_empty());
        // mov eax, 0xae0f0000; sub al, bl
        let rewrite = rewritten(&[0xb8, 0x00, 0x00, 0x0f, 0xae, 0x28, 0xd8, 0xc3]).unwrap();
        assert_eq!(rewrite.address, START);
    }

    #[test]
    fn what_is_meant_stays() {
        // wrpkru; xrstor [rsp]; xrstor [rip + 5]
        assert_eq!(rewritten(&[0x0f, 0x01, 0xef, 0xc3]), Err(Obstacle::Needed));
        assert_eq!(rewritten(&[0x0f, 0xae, 0x2c, 0x24, 0xc3]), Err(Obstacle::Needed));
        assert!(rewritten(&[0x0f, 0xae, 0x2d, 5, 0, 0, 0, 0xc3]).is_err());
    }

    #[test]
    fn what_is_not_certain_stays() {
        let call = [0xe8, 0x0f, 0xae, 0x28, 0x00];
        // An invalid instruction in 64-bit code, a truncated one, and a jump into another.
        for around in [(&[0x06][..], &[0xc3][..]), (&[], &[0xe8, 1]), (&[0xeb, 0x01], &[0xc3])] {
            let bytes = [around.0, &call, around.1].concat();
            assert_eq!(rewritten(&bytes), Err(Obstacle::Unclear), "{bytes:02x?}");
        }
        // The target lies outside the image.
        let far = rewritten(&[0xe8, 0x0f, 0xae, 0x28, 0x30, 0xc3]);
        assert_eq!(far, Err(Obstacle::Needed));
    }

    #[test]
    fn another_place_may_do() {
        // The distance of the jump back, or there, contains a gadget again.
        let call = [0xe8, 0x0f, 0xae, 0x28, 0x00, 0xc3];
        let bad = Elsewhere { code: START + 5 + 0x0068_ae0f, ..ELSEWHERE };
        assert_eq!(mended_at(&call, bad), Err(Obstacle::Place));
        let far = Elsewhere { code: START + (1 << 32), ..ELSEWHERE };
        assert_eq!(mended_at(&call, far), Err(Obstacle::Place));
        assert!(mended_at(&call, ELSEWHERE).is_ok());
    }
}
