//! The sweep over a text, with the rules about operands, the stack pointer and branches.

use alloc::vec;
use alloc::vec::Vec;

use crate::decode::{self, A32, GS, Instruction, Memory, Window, decode};
use crate::forms::{self, Kind};
use crate::group::{self, Group};
use crate::refusal::{Refusal, Rule};
use crate::region::{LARGEST, LINE, REGION, STACK_REACH, Text};

/// What a verified text uses, as far as its host needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The x87 unit: its registers and control word may have changed.
    pub x87: bool,
    /// MXCSR, the control register of SSE, may have changed.
    pub mxcsr: bool,
    /// 256-bit registers: their upper halves may have changed.
    pub avx: bool,
    /// The number of instructions. A group counts as one.
    pub instructions: u64,
}

/// Proves that a text stays in its region, whatever it does there.
///
/// The bytes must be those that will run: sealed memory, not a file that somebody can write or that
/// is read again. The crate's documentation says what is proved, and what the host must ensure.
///
/// ```
/// use omniglot_verify::{Rule, TEXT_MIN, Text, verify};
///
/// // movl %gs:(%edi), %eax; then nothing but hlt.
/// let mut code = vec![0xf4; 4096];
/// code[..4].copy_from_slice(&[0x65, 0x67, 0x8b, 0x07]);
/// let text = Text { bytes: &code, at: TEXT_MIN, gates: 0..0 };
/// assert!(verify(&text).is_ok());
///
/// // movl (%rdi), %eax
/// code[..4].copy_from_slice(&[0x90, 0x90, 0x8b, 0x07]);
/// let text = Text { bytes: &code, at: TEXT_MIN, gates: 0..0 };
/// let refusal = verify(&text).unwrap_err();
/// assert_eq!((refusal.rule, refusal.at), (Rule::Memory, TEXT_MIN + 2));
/// ```
///
/// # Errors
/// The first place that breaks a rule. Branch targets are checked after everything else.
pub fn verify(text: &Text<'_>) -> Result<Uses, Refusal> {
    let mut sweep = Sweep::new(text);
    match sweep.run() {
        Ok(()) => Ok(sweep.uses),
        Err((rule, offset)) => Err(refusal(text, rule, offset)),
    }
}

fn refusal(text: &Text<'_>, rule: Rule, offset: usize) -> Refusal {
    let at = text.at.saturating_add(offset as u64);
    Refusal { rule, at, bytes: window(text.bytes, offset) }
}

/// The bytes from an offset on, padded with zeros behind the end.
#[inline]
fn window(bytes: &[u8], offset: usize) -> Window {
    let rest = bytes.get(offset..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return *whole;
    }
    let mut window = [0; 16];
    window.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    window
}

/// A set of offsets into the text, one bit for each byte.
struct Places(Vec<u64>);

impl Places {
    fn new(length: usize) -> Self {
        Self(vec![0; length.div_ceil(64)])
    }

    #[inline]
    fn add(&mut self, offset: usize) {
        if let Some(word) = self.0.get_mut(offset / 64) {
            *word |= 1 << (offset % 64);
        }
    }

    fn has(&self, offset: usize) -> bool {
        self.0.get(offset / 64).is_some_and(|word| word >> (offset % 64) & 1 != 0)
    }

    fn is_within(&self, others: &Self) -> bool {
        self.0.iter().zip(&others.0).all(|(own, other)| own & !other == 0)
    }
}

pub(crate) struct Sweep<'a> {
    text: &'a Text<'a>,
    /// Where instructions and groups begin.
    starts: Places,
    /// Where branches lead.
    targets: Places,
    uses: Uses,
}

/// A decoded instruction or group.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) length: usize,
    /// True if control does not continue behind it.
    pub(crate) jumps: bool,
    /// Its effect on the stack pointer.
    pub(crate) stack: Stack,
    /// The distance of a branch from the item's end.
    pub(crate) distance: Option<i32>,
}

/// The effect of an item on the invariant that RSP is in the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// Does not change RSP, and may not access memory relative to it.
    Unchanged,
    /// Accesses memory less than 64 KiB from RSP, and so faults if RSP has left the region.
    Access,
    /// Moves RSP by less than 64 KiB.
    Step,
    /// Sets RSP to an address in the region.
    Set,
}

/// The broken rule, and the offset in the text.
type Broken = (Rule, usize);

impl<'a> Sweep<'a> {
    pub(crate) fn new(text: &'a Text<'a>) -> Self {
        let length = text.bytes.len();
        Self {
            text,
            starts: Places::new(length),
            targets: Places::new(length),
            uses: Uses::default(),
        }
    }

    /// Decodes one instruction after another, from the first to the last byte.
    fn run(&mut self) -> Result<(), Broken> {
        if !self.text.is_well_placed() {
            return Err((Rule::Layout, 0));
        }
        let mut offset = 0;
        // The offset of a step of RSP that no access to the stack has followed yet.
        let mut step = None;
        while offset < self.text.bytes.len() {
            self.starts.add(offset);
            let item = self.item(offset).map_err(|rule| (rule, offset))?;
            step = after(step, &item, offset)?;
            if let Some(distance) = item.distance {
                self.branch(offset + item.length, distance).map_err(|rule| (rule, offset))?;
            }
            self.uses.instructions += 1;
            offset += item.length;
            if !item.jumps && offset == self.text.bytes.len() {
                return Err((Rule::End, offset - item.length));
            }
        }
        if self.targets.is_within(&self.starts) { Ok(()) } else { Err(self.wrong_target()) }
    }

    /// Decodes the instruction or group at an offset, and checks all rules that concern it alone.
    #[inline]
    pub(crate) fn item(&mut self, offset: usize) -> Result<Item, Rule> {
        let bytes = self.text.bytes;
        let window = window(bytes, offset);
        let in_line = offset % LINE as usize;
        // The text consists of whole pages, so its last line is complete.
        let line = bytes.get(offset..offset - in_line + LINE as usize).unwrap_or_default();
        if let Some(group) = group_at(&window, line) {
            let stack = if group.pushes { Stack::Access } else { Stack::Unchanged };
            return Ok(Item { length: group.length, jumps: group.jumps, stack, distance: None });
        }
        let mut instruction = Instruction::EMPTY;
        decode(&window, &mut instruction)?;
        let length = usize::from(instruction.length);
        if length > bytes.len() - offset {
            return Err(Rule::Truncated);
        }
        if length > line.len() {
            return Err(Rule::Line);
        }
        self.note(&instruction);
        self.operand(&instruction, offset + length)?;
        let mut item = Item { length, jumps: false, stack: Stack::Unchanged, distance: None };
        if instruction.memory == Memory::Stack
            && instruction.prefixes & (GS | A32) == 0
            && instruction.form.has(forms::TOUCH)
        {
            item.stack = Stack::Access;
        }
        match instruction.form.kind {
            Kind::String => return Err(Rule::String),
            Kind::Nop if !is_usual_nop(&window[..length]) => return Err(Rule::Nop),
            Kind::Push | Kind::Pop => item.stack = Stack::Access,
            Kind::Stop => item.jumps = true,
            Kind::Branch => item.distance = Some(instruction.immediate),
            Kind::Jump => {
                item.distance = Some(instruction.immediate);
                item.jumps = true;
            }
            Kind::Call => {
                item.distance = Some(instruction.immediate);
                item.stack = Stack::Access;
            }
            _ => {}
        }
        if instruction.writes_sp {
            self.stack_write(&instruction, &window, line, &mut item)?;
        }
        Ok(item)
    }

    fn note(&mut self, instruction: &Instruction) {
        self.uses.x87 |= instruction.form.has(forms::X87);
        self.uses.mxcsr |= instruction.form.has(forms::MXCSR);
        self.uses.avx |= usize::from(instruction.map) > forms::VEX;
    }

    /// Checks that a memory operand is of a confined kind.
    #[inline]
    fn operand(&self, instruction: &Instruction, end: usize) -> Result<(), Rule> {
        let segment = instruction.prefixes & (GS | A32);
        let displacement = instruction.displacement;
        match (instruction.form.kind, instruction.memory) {
            (_, Memory::None) => return Ok(()),
            // There is no access, so any address may be computed. Prefixes would have no meaning.
            (Kind::Lea | Kind::Nop, _) => {
                return if segment == 0 { Ok(()) } else { Err(Rule::Prefix) };
            }
            _ => {}
        }
        match (segment, instruction.memory) {
            // Relative to the next instruction, so an immediate of this one counts. Computed in 64
            // bits with sign: modulo 2^32, an address before the region would seem to be in it.
            (0, Memory::Relative) => {
                let target = self.text.at.cast_signed() + end as i64 + i64::from(displacement);
                let is_inside = 0 <= target && target <= REGION.cast_signed() - LARGEST;
                if is_inside { Ok(()) } else { Err(Rule::Relative) }
            }
            (0, Memory::Stack) => {
                let is_near = -STACK_REACH < displacement && displacement < STACK_REACH;
                if is_near { Ok(()) } else { Err(Rule::StackOffset) }
            }
            // A 32-bit displacement is sign-extended, unless the address has 32 bits, too.
            (GS, Memory::Absolute) => {
                if displacement >= 0 {
                    Ok(())
                } else {
                    Err(Rule::Absolute)
                }
            }
            // The address is computed in 32 bits, and the base is added. With EIP as a register the
            // address would depend on the text's address in the host.
            (GS_A32, Memory::Absolute | Memory::Stack | Memory::Registers) => Ok(()),
            _ => Err(Rule::Memory),
        }
    }

    /// Checks an instruction that writes RSP or a part of it, ESP included. Two ways are allowed.
    fn stack_write(
        &self,
        instruction: &Instruction,
        window: &Window,
        line: &[u8],
        item: &mut Item,
    ) -> Result<(), Rule> {
        if is_small_step(&window[..item.length]) {
            item.stack = Stack::Step;
            return Ok(());
        }
        if !clears_upper_half(instruction) {
            return Err(Rule::StackWrite);
        }
        let rest = line.get(item.length..).unwrap_or_default();
        item.length += group::stack_end(rest).ok_or(Rule::StackWrite)?;
        item.stack = Stack::Set;
        Ok(())
    }

    /// Records the target of a branch, `distance` bytes behind `end`.
    #[inline]
    fn branch(&mut self, end: usize, distance: i32) -> Result<(), Rule> {
        let offset = end as i64 + i64::from(distance);
        match usize::try_from(offset) {
            Ok(offset) if offset < self.text.bytes.len() => self.targets.add(offset),
            _ => {
                let target = u64::try_from(self.text.at.cast_signed() + offset);
                let is_gate =
                    |target: &u64| self.text.gates.contains(target) && target.is_multiple_of(LINE);
                target.ok().filter(is_gate).ok_or(Rule::Outside)?;
            }
        }
        Ok(())
    }

    /// Finds the first branch to a wrong target by a second sweep, since the first one records only
    /// the targets and not the branches.
    fn wrong_target(&mut self) -> Broken {
        let mut offset = 0;
        while let Ok(item) = self.item(offset) {
            let target =
                item.distance.map(|distance| (offset + item.length) as i64 + i64::from(distance));
            let target = target.and_then(|target| usize::try_from(target).ok());
            if target.is_some_and(|target| self.targets.has(target) && !self.starts.has(target)) {
                break;
            }
            offset += item.length;
        }
        (Rule::Target, offset)
    }
}

/// `%gs:` with a 32-bit address.
const GS_A32: u8 = GS | A32;

/// Returns the group that begins here, if there is one. Most instructions cannot begin a group.
#[inline]
fn group_at(window: &Window, line: &[u8]) -> Option<Group> {
    match window {
        [0x83, ..] | [0x41, 0x83, ..] => group::branch(line),
        [0x89, 0xff | 0xf6, ..] => group::string(line),
        _ => None,
    }
}

/// The state of the stack pointer behind an item, given the state `step` before it: the offset of a
/// step that no access to the stack has followed yet.
///
/// So the stack pointer is in the region at every branch, and leaves it by one step at most. An
/// instruction between a step and the access may also be reached from elsewhere. That does no harm,
/// since RSP is then in the region.
#[inline]
fn after(step: Option<usize>, item: &Item, offset: usize) -> Result<Option<usize>, Broken> {
    let Some(at) = step else {
        return Ok((item.stack == Stack::Step).then_some(offset));
    };
    match item.stack {
        Stack::Access | Stack::Set => Ok(None),
        Stack::Step => Err((Rule::StackStep, at)),
        Stack::Unchanged if item.jumps || item.distance.is_some() => Err((Rule::StackStep, at)),
        Stack::Unchanged => Ok(step),
    }
}

/// Returns true for `addq`, `subq` and `leaq` with a constant of less than 64 KiB, and for `andq`
/// with one from -4096 to -1, which moves RSP down by less.
fn is_small_step(bytes: &[u8]) -> bool {
    let is_small = |number: i32| -STACK_REACH < number && number < STACK_REACH;
    match *bytes {
        [0x48, 0x83, 0xc4 | 0xec, _] | [0x48, 0x8d, 0x64, 0x24, _] => true,
        [0x48, 0x83, 0xe4, number] => number >= 0x80,
        [0x48, 0x81, 0xc4 | 0xec, a, b, c, d] | [0x48, 0x8d, 0xa4, 0x24, a, b, c, d] => {
            is_small(i32::from_le_bytes([a, b, c, d]))
        }
        [0x48, 0x81, 0xe4, a, b, c, d] => (-4096..0).contains(&i32::from_le_bytes([a, b, c, d])),
        _ => false,
    }
}

/// Returns true if an instruction that writes RSP always writes ESP, and so clears the upper half
/// of RSP: MOV, LEA, ADD, SUB, AND of 32 bits. Other instructions may leave it unchanged, as BSF
/// does for zero, or write two registers, as XADD does.
fn clears_upper_half(instruction: &Instruction) -> bool {
    let is_one = usize::from(instruction.map) == forms::ONE;
    let is_32_bits = !instruction.is_wide && instruction.prefixes & decode::O16 == 0;
    let is_right = match instruction.opcode {
        0x89 | 0x8b | 0x8d | 0x01 | 0x03 | 0x21 | 0x23 | 0x29 | 0x2b => true,
        // ADD, AND, SUB.
        0x81 | 0x83 => matches!(instruction.digit, 0 | 4 | 5),
        _ => false,
    };
    is_one && is_32_bits && is_right
}

/// Returns true for the no-operations of the Intel SDM (volume 2, NOP), and ENDBR64.
fn is_usual_nop(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0x90]
            | [0x66, 0x90]
            | [0x0f, 0x1f, 0x00]
            | [0x0f, 0x1f, 0x40, 0]
            | [0x0f, 0x1f, 0x44, 0, 0]
            | [0x66, 0x0f, 0x1f, 0x44, 0, 0]
            | [0x0f, 0x1f, 0x80, 0, 0, 0, 0]
            | [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0]
            | [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0]
            | [0xf3, 0x0f, 0x1e, 0xfa]
    )
}
