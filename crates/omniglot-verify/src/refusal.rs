//! Reasons for refusing code, and their remedies.

use core::fmt;

/// A rule that code can break. `docs/sfi.md` lists them in a table.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The text does not have an allowed address or length.
    Layout,
    /// The opcode form is not in the list of allowed forms.
    Opcode,
    /// The form is allowed with a register only, and this operand is memory, or the other way
    /// round.
    Operand,
    /// A prefix occurs twice, contradicts another, or has no meaning for the instruction.
    Prefix,
    /// A bit of REX has no meaning for the instruction, or a bit that it needs is missing.
    Rex,
    /// A field of VEX has no meaning for the instruction, or a shorter prefix is equivalent.
    Vex,
    /// The operand has a shorter encoding, or one without redundant fields.
    Spelling,
    /// A no-operation that is not one of the few exact byte strings.
    Nop,
    /// An instruction extends beyond the end of the text.
    Truncated,
    /// An instruction or a group crosses the boundary of a line.
    Line,
    /// A memory operand is not of a confined kind.
    Memory,
    /// The 32-bit displacement of a `%gs:` operand is in the upper half, and would be negative.
    Absolute,
    /// A RIP-relative operand lies outside the region.
    Relative,
    /// The displacement of an operand on the stack is too large.
    StackOffset,
    /// RSP is written other than by small steps and in groups.
    StackWrite,
    /// No access to the stack follows a step of RSP before another change, a branch or the end of a
    /// function.
    StackStep,
    /// A string instruction outside its group.
    String,
    /// An indirect jump or call outside its group.
    Indirect,
    /// A return outside its group.
    Return,
    /// A branch leads into an instruction or a group.
    Target,
    /// A branch leads out of the text, but not to a gate.
    Outside,
    /// The last instruction may continue behind the end of the text.
    End,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Layout,
        Self::Opcode,
        Self::Operand,
        Self::Prefix,
        Self::Rex,
        Self::Vex,
        Self::Spelling,
        Self::Nop,
        Self::Truncated,
        Self::Line,
        Self::Memory,
        Self::Absolute,
        Self::Relative,
        Self::StackOffset,
        Self::StackWrite,
        Self::StackStep,
        Self::String,
        Self::Indirect,
        Self::Return,
        Self::Target,
        Self::Outside,
        Self::End,
    ];

    /// A description of the problem, in one line.
    #[must_use]
    pub const fn wrong(self) -> &'static str {
        match self {
            Self::Layout => "the text or the gates do not lie where they may",
            Self::Opcode => "this instruction is not in the list of those that are allowed",
            Self::Operand => "this instruction is allowed with the other kind of operand only",
            Self::Prefix => "a prefix is repeated, contradicts another, or has no meaning here",
            Self::Rex => "a bit of REX has no meaning here, or one is missing",
            Self::Vex => "a field of VEX has no meaning here, or a shorter VEX prefix would do",
            Self::Spelling => "there is another, usual way to encode this operand",
            Self::Nop => "this no-operation is none of the usual byte strings",
            Self::Truncated => "the text ends within this instruction",
            Self::Line => "this crosses from one line of 32 bytes into the next",
            Self::Memory => "this memory operand may lie outside the region",
            Self::Absolute => "this %gs: displacement is negative",
            Self::Relative => "this operand relative to RIP lies outside the region",
            Self::StackOffset => "this operand is too far from the stack pointer",
            Self::StackWrite => "this writes the stack pointer in a way that is not allowed",
            Self::StackStep => "no access to the stack follows this step of the stack pointer",
            Self::String => "this string instruction is not in its group",
            Self::Indirect => "this indirect jump or call is not in its group",
            Self::Return => "this return is not in its group",
            Self::Target => "this branch leads into an instruction or a group",
            Self::Outside => "this branch leads out of the text, but not to a gate",
            Self::End => "control may leave the text behind its last instruction",
        }
    }

    /// The remedy, for whoever made the code.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Layout => {
                "put text and gates on page boundaries between TEXT_MIN and TEXT_MAX, apart from \
                 each other, and fill the text's last page with 0xf4 (hlt)"
            }
            Self::Opcode => {
                "compile for a processor without this extension, avoid the intrinsic or the inline \
                 assembly that it comes from, or have the rewriter replace it"
            }
            Self::Operand => {
                "have the rewriter load or store the operand by an instruction of its own"
            }
            Self::Prefix | Self::Rex | Self::Vex | Self::Spelling => {
                "encode the instruction again, as an assembler would"
            }
            Self::Nop => "use a no-operation of 1 to 9 bytes from the Intel SDM's table",
            Self::Truncated | Self::End => {
                "end the text with a jump, a return, ud2 or hlt, and fill the rest with 0xf4 (hlt)"
            }
            Self::Line => "insert no-operations before it, so that it begins in the next line",
            Self::Memory => {
                "write it as %gs:disp(base32, index32, scale), %gs:disp32, disp(%rsp), or \
                 disp32(%rip)"
            }
            Self::Absolute => "add the address size prefix, or put the datum below 2 GiB",
            Self::Relative => "link the image within its 4 GiB",
            Self::StackOffset => "use %gs:disp(%esp) where the distance is 64 KiB or more",
            Self::StackWrite => {
                "move it by a constant below 64 KiB, or write the lower half and add the base: \
                 movl SOURCE, %esp; addq %gs:BASE, %rsp"
            }
            Self::StackStep => {
                "access the stack behind the step (orq $0, (%rsp) does), or make the step with the \
                 group that adds the base"
            }
            Self::String => {
                "put movl %edi, %edi; addq %gs:BASE, %rdi before it (the same for %rsi), in one line"
            }
            Self::Indirect => {
                "put andl $-32, %REG32; addq %gs:BASE, %REG64 before a jump or call to a register, \
                 in one line"
            }
            Self::Return => {
                "pop the address, then, in one line: andl $-32, %r11d; addq %gs:BASE, %r11; \
                 pushq %r11; ret"
            }
            Self::Target => "let it lead to the beginning of an instruction or of a whole group",
            Self::Outside => "let it lead into the text or to the first byte of a gate's line",
        }
    }
}

/// A problem in the code, and its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that is broken.
    pub rule: Rule,
    /// The offset from the region's base, in bytes.
    pub at: u64,
    /// The bytes there. Zeros stand for bytes behind the end of the text.
    pub bytes: [u8; 16],
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "at {:#x} (", self.at)?;
        for (place, byte) in self.bytes.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(formatter, "{space}{byte:02x}")?;
        }
        write!(formatter, "): {} ({:?}); {}", self.rule.wrong(), self.rule, self.rule.remedy())
    }
}

impl core::error::Error for Refusal {}
