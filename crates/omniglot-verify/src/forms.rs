//! The opcode forms that are allowed. All others are refused.
//!
//! A *form* is an opcode with its map, its mandatory prefix and, where the opcode is a group, the
//! digit in the middle field of the ModRM byte. It is never a mnemonic: the manuals list forms with
//! very different operands under one mnemonic (`movs`, for example). Each row contains what the
//! rules need: the form's length, which of its operands are general registers that it writes, and
//! whether it always accesses its memory operand.
//!
//! Opcodes and their operands are those of the Intel SDM, volume 2, appendix A.
//!
//! Left out on purpose, with what they would do:
//!
//! - `wrgsbase`, `wrfsbase`, `swapgs`, moves to segment registers: change what `%gs:` means;
//! - `std`, `popf`, `iret`: set the direction flag, so that string instructions run downwards, or
//!   the alignment-check and trap flags;
//! - `syscall`, `sysenter`, `int`, `in`, `out`, far calls and jumps, `xbegin`: leave the text;
//! - `bt`, `bts`, `btr`, `btc` of memory with a register: its bits reach 2^60 bytes away (the
//!   forms with registers only, and with an immediate, are here);
//! - `xlat`, `maskmovdqu`, gathers, `movdir64b`, `enqcmd`, `monitor`, `clzero`, `xsave`, `fnsave`,
//!   `enter`, moves with an address in the opcode (`A0` to `A3`): address memory in ways of their
//!   own;
//! - `leave`, `loop`, `jrcxz`, `pop %rsp`: need rules of their own, and gain too little;
//! - `rdtsc`, `rdpid`, `cpuid`, `xgetbv`, `rdrand`, `rdfsbase`, `sgdt` and similar ones, `fnstenv`:
//!   reveal facts about the host or the machine; `wrpkru`, `umwait`, `clflush`: change its state or
//!   timing;
//! - `ud0`, `ud1`: processors disagree on their length; `loop` and branches with an operand size
//!   prefix: processors disagree on their effect;
//! - MMX, 3DNow!, XOP, EVEX, APX: not needed so far.

/// The kind of a form, as the rules distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not allowed.
    Refused,
    /// An indirect jump or call, allowed only in a group.
    Indirect,
    /// A return, allowed only in a group.
    Return,
    /// A string instruction, allowed only in a group.
    String,
    /// Only its operands matter.
    Plain,
    /// Computes an address, without a memory access.
    Lea,
    /// A no-operation, allowed only as one of a few exact byte strings.
    Nop,
    /// `push`: writes at RSP - 8, which becomes RSP.
    Push,
    /// `pop`: reads at RSP, then adds 8 to it.
    Pop,
    /// A conditional jump.
    Branch,
    /// A jump.
    Jump,
    /// A call: a push and a jump.
    Call,
    /// Never continues with the next instruction.
    Stop,
    /// The form depends on the digit in the ModRM byte: see [`GROUPS`].
    Group,
    /// An x87 instruction: see [`x87`].
    X87,
}

/// An opcode's form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) kind: Kind,
    /// The allowed digits of the ModRM byte, one bit each. For a group, its number in [`GROUPS`].
    pub(crate) digits: u8,
    pub(crate) flags: u32,
}

/// There is a ModRM byte.
pub(crate) const MODRM: u32 = 1;
/// The middle field of the ModRM byte is a register. Otherwise it is a digit of the opcode.
pub(crate) const REG: u32 = 1 << 1 | MODRM;
/// That register is a general register, and is written.
pub(crate) const REG_W: u32 = 1 << 2 | REG;
/// A register in the register-or-memory field is a general register, and is written.
pub(crate) const RM_W: u32 = 1 << 3 | MODRM;
/// The low bits of the opcode are a register.
pub(crate) const OP: u32 = 1 << 4;
/// That register is written.
pub(crate) const OP_W: u32 = 1 << 5 | OP;
/// The register in the middle field or in the opcode has eight bits.
pub(crate) const BYTE_REG: u32 = 1 << 6;
/// The register in the register-or-memory field has eight bits.
pub(crate) const BYTE_RM: u32 = 1 << 7;
/// The operand must be memory.
pub(crate) const MEMORY: u32 = 1 << 8 | MODRM;
/// The operand must be a register.
pub(crate) const REGISTER: u32 = 1 << 9 | MODRM;
/// The operand size prefix makes the operands 16 bits wide.
pub(crate) const O16: u32 = 1 << 10;
/// REX.W (or VEX.W) makes the operands 64 bits wide.
pub(crate) const W: u32 = 1 << 11;
/// REX.W (or VEX.W) must be set.
pub(crate) const ALWAYS_W: u32 = 1 << 12 | W;
/// An immediate of one byte.
pub(crate) const IMM8: u32 = 1 << 13;
/// An immediate of four bytes.
pub(crate) const IMM32: u32 = 1 << 14;
/// An immediate of four bytes, or two with [`O16`].
pub(crate) const IMMZ: u32 = 1 << 15;
/// An immediate as wide as the operand.
pub(crate) const IMMV: u32 = 1 << 16;
/// May have a lock prefix, if it has memory.
pub(crate) const LOCK: u32 = 1 << 17;
/// Always accesses its memory operand. Not so: shifts (by 0), masked moves, hints.
pub(crate) const TOUCH: u32 = 1 << 18;
/// VEX.vvvv is an operand. Otherwise it must be unused.
pub(crate) const VVVV: u32 = 1 << 19;
/// VEX.vvvv is a general register, and is written.
pub(crate) const VVVV_W: u32 = 1 << 20 | VVVV;
/// VEX.L may be set.
pub(crate) const L1: u32 = 1 << 21;
/// VEX.L must be set.
pub(crate) const ALWAYS_L: u32 = 1 << 22 | L1;
/// The ModRM byte means one instruction, without operands.
pub(crate) const FIXED: u32 = 1 << 23 | REGISTER;
/// Uses the x87 unit.
pub(crate) const X87: u32 = 1 << 24;
/// Loads or stores MXCSR.
pub(crate) const MXCSR: u32 = 1 << 25;
/// The immediate holds a register in its upper four bits. The lower four must be 0.
pub(crate) const IMM_REG: u32 = 1 << 26 | IMM8;
/// VEX.vvvv is an operand if there is no memory operand.
pub(crate) const VVVV_REGISTERS: u32 = 1 << 27;
/// 16, 32 or 64 bits.
const SIZED: u32 = O16 | W;

impl Form {
    /// Returns true if all of `flags` hold.
    pub(crate) const fn has(self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    const fn digits(mut self, digits: u8) -> Self {
        self.digits = digits;
        self
    }
}

const fn form(kind: Kind, flags: u32) -> Form {
    Form { kind, digits: 0xff, flags }
}

const fn plain(flags: u32) -> Form {
    form(Kind::Plain, flags)
}

pub(crate) const REFUSED: Form = form(Kind::Refused, 0);

const fn group(number: u8) -> Form {
    Form { kind: Kind::Group, digits: number, flags: MODRM }
}

/// Opcode maps.
pub(crate) const ONE: usize = 0;
pub(crate) const TWO: usize = 1;
pub(crate) const THREE_38: usize = 2;
pub(crate) const THREE_3A: usize = 3;
/// The number of a map with VEX, less the number of the map without.
pub(crate) const VEX: usize = 3;
const MAPS: usize = 7;

/// Mandatory prefixes, numbered as in VEX.
pub(crate) const NP: usize = 0;
pub(crate) const P66: usize = 1;
pub(crate) const PF3: usize = 2;
pub(crate) const PF2: usize = 3;

type Map = [[Form; 256]; 4];

/// All forms, indexed by map, mandatory prefix and opcode.
pub(crate) static FORMS: [Map; MAPS] =
    [one_byte(), legacy(TWO), legacy(THREE_38), legacy(THREE_3A), vex(1), vex(2), vex(3)];

/// A row of the tables: its prefixes, its first and last opcode, and their form.
struct Row(&'static [usize], u8, u8, Form);

const fn fill(mut map: Map, rows: &[Row]) -> Map {
    let mut row = 0;
    while row < rows.len() {
        let Row(prefixes, first, last, form) = rows[row];
        let mut prefix = 0;
        while prefix < prefixes.len() {
            let mut opcode = first as usize;
            while opcode <= last as usize {
                let cell = &mut map[prefixes[prefix]][opcode];
                assert!(matches!(cell.kind, Kind::Refused), "two rows for one opcode");
                *cell = form;
                opcode += 1;
            }
            prefix += 1;
        }
        row += 1;
    }
    map
}

/// With and without the operand size prefix.
const SIZES: &[usize] = &[NP, P66];
const NONE: &[usize] = &[NP];

// Operands are named as in the SDM's opcode maps: E is the register or memory, G the register. b
// means 8 bits, v 16 to 64. The first one is written.
const EB_GB: u32 = REG | RM_W | BYTE_REG | BYTE_RM | TOUCH;
const EV_GV: u32 = REG | RM_W | SIZED | TOUCH;
const GB_EB: u32 = REG_W | BYTE_REG | BYTE_RM | TOUCH;
const GV_EV: u32 = REG_W | SIZED | TOUCH;
const EB: u32 = RM_W | BYTE_RM;
const EV: u32 = RM_W | SIZED;

const fn one_byte() -> Map {
    let mut map = fill([[REFUSED; 256]; 4], ONE_BYTE);
    // ADD, OR, ADC, SBB, AND, SUB, XOR, CMP: all but the last write their first operand.
    let mut operation = 0;
    while operation < 8 {
        let at = operation * 8;
        let (write, lock) = if operation == 7 { (!(RM_W | REG_W) | REG, 0) } else { (!0, LOCK) };
        let rows = [
            Row(NONE, at, at, plain(EB_GB & write | lock)),
            Row(SIZES, at + 1, at + 1, plain(EV_GV & write | lock)),
            Row(NONE, at + 2, at + 2, plain(GB_EB & write)),
            Row(SIZES, at + 3, at + 3, plain(GV_EV & write)),
            Row(NONE, at + 4, at + 4, plain(IMM8)),
            Row(SIZES, at + 5, at + 5, plain(IMMZ | SIZED)),
        ];
        map = fill(map, &rows);
        operation += 1;
    }
    map
}

const ONE_BYTE: &[Row] = &[
    Row(NONE, 0x50, 0x57, form(Kind::Push, OP)),
    Row(NONE, 0x58, 0x5f, form(Kind::Pop, OP_W)),
    Row(NONE, 0x63, 0x63, plain(REG_W | ALWAYS_W | TOUCH)), // MOVSXD
    Row(NONE, 0x68, 0x68, form(Kind::Push, IMM32)),
    Row(SIZES, 0x69, 0x69, plain(GV_EV | IMMZ)), // IMUL
    Row(NONE, 0x6a, 0x6a, form(Kind::Push, IMM8)),
    Row(SIZES, 0x6b, 0x6b, plain(GV_EV | IMM8)), // IMUL
    Row(NONE, 0x70, 0x7f, form(Kind::Branch, IMM8)),
    Row(NONE, 0x80, 0x80, group(G80)),
    Row(SIZES, 0x81, 0x81, group(G81)),
    Row(SIZES, 0x83, 0x83, group(G83)),
    Row(NONE, 0x84, 0x84, plain(EB_GB & !RM_W | REG)), // TEST
    Row(SIZES, 0x85, 0x85, plain(EV_GV & !RM_W | REG)),
    Row(NONE, 0x86, 0x86, plain(EB_GB | REG_W)), // XCHG writes both
    Row(SIZES, 0x87, 0x87, plain(EV_GV | REG_W)),
    Row(NONE, 0x88, 0x88, plain(EB_GB)), // MOV
    Row(SIZES, 0x89, 0x89, plain(EV_GV)),
    Row(NONE, 0x8a, 0x8a, plain(GB_EB)),
    Row(SIZES, 0x8b, 0x8b, plain(GV_EV)),
    Row(SIZES, 0x8d, 0x8d, form(Kind::Lea, REG_W | SIZED | MEMORY)),
    Row(NONE, 0x8f, 0x8f, form(Kind::Pop, MEMORY).digits(1)),
    Row(SIZES, 0x90, 0x90, form(Kind::Nop, O16)),
    Row(&[PF3], 0x90, 0x90, plain(0)),           // PAUSE
    Row(SIZES, 0x91, 0x97, plain(OP_W | SIZED)), // XCHG with the accumulator
    Row(SIZES, 0x98, 0x99, plain(SIZED)),        // CBW, CWD and their like
    Row(NONE, 0x9b, 0x9b, plain(X87)),           // FWAIT
    Row(NONE, 0x9e, 0x9f, plain(0)),             // SAHF, LAHF: no DF, no AC
    Row(&[NP, P66, PF3, PF2], 0xa4, 0xa7, form(Kind::String, 0)),
    Row(NONE, 0xa8, 0xa8, plain(IMM8)), // TEST
    Row(SIZES, 0xa9, 0xa9, plain(IMMZ | SIZED)),
    Row(&[NP, P66, PF3, PF2], 0xaa, 0xaf, form(Kind::String, 0)),
    Row(NONE, 0xb0, 0xb7, plain(OP_W | BYTE_REG | IMM8)), // MOV
    Row(SIZES, 0xb8, 0xbf, plain(OP_W | SIZED | IMMV)),
    Row(NONE, 0xc0, 0xc0, plain(EB | IMM8).digits(SHIFTS)),
    Row(SIZES, 0xc1, 0xc1, plain(EV | IMM8).digits(SHIFTS)),
    Row(NONE, 0xc2, 0xc3, form(Kind::Return, 0)),
    Row(NONE, 0xc6, 0xc6, plain(EB | IMM8 | TOUCH).digits(1)), // MOV
    Row(SIZES, 0xc7, 0xc7, plain(EV | IMMZ | TOUCH).digits(1)),
    Row(NONE, 0xd0, 0xd0, plain(EB).digits(SHIFTS)),
    Row(SIZES, 0xd1, 0xd1, plain(EV).digits(SHIFTS)),
    Row(NONE, 0xd2, 0xd2, plain(EB).digits(SHIFTS)),
    Row(SIZES, 0xd3, 0xd3, plain(EV).digits(SHIFTS)),
    Row(NONE, 0xd8, 0xdf, form(Kind::X87, MODRM | X87)),
    Row(NONE, 0xe8, 0xe8, form(Kind::Call, IMM32)),
    Row(NONE, 0xe9, 0xe9, form(Kind::Jump, IMM32)),
    Row(NONE, 0xeb, 0xeb, form(Kind::Jump, IMM8)),
    Row(NONE, 0xf4, 0xf4, form(Kind::Stop, 0)), // HLT, which faults
    Row(NONE, 0xf5, 0xf5, plain(0)),            // CMC
    Row(NONE, 0xf6, 0xf6, group(GF6)),
    Row(SIZES, 0xf7, 0xf7, group(GF7)),
    Row(NONE, 0xf8, 0xf9, plain(0)), // CLC, STC
    Row(NONE, 0xfe, 0xfe, plain(EB | LOCK | TOUCH).digits(0b11)), // INC, DEC
    Row(SIZES, 0xff, 0xff, group(GFF)),
];

/// ROL, ROR, RCL, RCR, SHL, SHR, SAR; not the second SHL.
const SHIFTS: u8 = !(1 << 6);

const G80: u8 = 0;
const G81: u8 = 1;
const G83: u8 = 2;
const GF6: u8 = 3;
const GF7: u8 = 4;
const GFF: u8 = 5;
const GBA: u8 = 6;
const GC7: u8 = 7;
const GAE: u8 = 8;
const GAE_F3: u8 = 9;

/// Seven operations that write their operand, and CMP.
const fn arithmetic(flags: u32) -> [Form; 8] {
    let write = plain(flags | LOCK | TOUCH);
    let compare = plain(flags & !RM_W | MODRM | TOUCH);
    [write, write, write, write, write, write, write, compare]
}

/// TEST, NOT, NEG, MUL, IMUL, DIV, IDIV; not the second TEST.
const fn unary(flags: u32, immediate: u32) -> [Form; 8] {
    let read = plain(flags & !RM_W | MODRM | TOUCH);
    let write = plain(flags | LOCK | TOUCH);
    let test = plain(flags & !RM_W | MODRM | immediate | TOUCH);
    [test, REFUSED, write, write, read, read, read, read]
}

/// The forms of groups, indexed by group and digit.
pub(crate) static GROUPS: [[Form; 8]; 10] = [
    arithmetic(EB | IMM8),
    arithmetic(EV | IMMZ),
    arithmetic(EV | IMM8),
    unary(EB, IMM8),
    unary(EV, IMMZ),
    // FF: INC, DEC, CALL, far CALL, JMP, far JMP, PUSH.
    {
        let count = plain(EV | LOCK | TOUCH);
        let indirect = form(Kind::Indirect, MODRM);
        let push = form(Kind::Push, MEMORY);
        [count, count, indirect, REFUSED, indirect, REFUSED, push, REFUSED]
    },
    // 0F BA: BT, BTS, BTR, BTC with an immediate, which addresses bits within the operand only.
    {
        let test = plain(MODRM | SIZED | IMM8 | TOUCH);
        let change = plain(EV | IMM8 | LOCK | TOUCH);
        [REFUSED, REFUSED, REFUSED, REFUSED, test, change, change, change]
    },
    // 0F C7: CMPXCHG8B, CMPXCHG16B; not RDRAND, RDSEED, RDPID, XSAVEC.
    {
        let exchange = plain(MEMORY | W | LOCK | TOUCH);
        [REFUSED, exchange, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED]
    },
    // 0F AE: LDMXCSR, STMXCSR, fences; not FXSAVE, XSAVE, CLFLUSH.
    {
        let control = plain(MEMORY | MXCSR | TOUCH);
        let fence = plain(FIXED);
        [REFUSED, REFUSED, control, control, REFUSED, fence, fence, fence]
    },
    // F3 0F AE: none (RDFSBASE, WRGSBASE, INCSSP, PTWRITE).
    [REFUSED; 8],
];

// Vector registers: V is the register, W the register or memory. Only plain moves count as accesses
// to the stack. The manuals do not say whether an operation reads an operand of which its immediate
// selects nothing.
const V_W: u32 = REG;
const V_MOVE: u32 = REG | TOUCH;
const V_M: u32 = REG | MEMORY;
const G_U: u32 = REG_W | REGISTER;
const G_W: u32 = REG_W | W;
const ALL: &[usize] = &[NP, P66, PF3, PF2];
const PACKED: &[usize] = &[NP, P66];
const SCALAR: &[usize] = &[PF3, PF2];

const fn legacy(map: usize) -> Map {
    let empty = [[REFUSED; 256]; 4];
    match map {
        TWO => fill(empty, TWO_BYTES),
        THREE_38 => fill(empty, MAP_38),
        _ => fill(empty, MAP_3A),
    }
}

const TWO_BYTES: &[Row] = &[
    Row(NONE, 0x0b, 0x0b, form(Kind::Stop, 0)), // UD2; its cousins have no certain length
    Row(NONE, 0x0d, 0x0d, plain(MEMORY).digits(0b10)), // PREFETCHW
    Row(ALL, 0x10, 0x11, plain(V_MOVE)),        // MOVUPS and its like
    Row(&[NP], 0x12, 0x12, plain(V_W)),         // MOVLPS, MOVHLPS
    Row(&[P66], 0x12, 0x12, plain(V_M)),
    Row(SCALAR, 0x12, 0x12, plain(V_W)), // MOVSLDUP, MOVDDUP
    Row(PACKED, 0x13, 0x13, plain(V_M)),
    Row(PACKED, 0x14, 0x15, plain(V_W)),
    Row(&[NP], 0x16, 0x16, plain(V_W)), // MOVHPS, MOVLHPS
    Row(&[P66], 0x16, 0x16, plain(V_M)),
    Row(&[PF3], 0x16, 0x16, plain(V_W)),
    Row(PACKED, 0x17, 0x17, plain(V_M)),
    Row(NONE, 0x18, 0x18, plain(MEMORY).digits(0b1111)), // PREFETCH
    Row(&[PF3], 0x1e, 0x1e, form(Kind::Nop, REGISTER)),  // ENDBR64 only
    Row(SIZES, 0x1f, 0x1f, form(Kind::Nop, MEMORY | O16).digits(1)),
    Row(PACKED, 0x28, 0x29, plain(V_MOVE)),  // MOVAPS
    Row(SCALAR, 0x2a, 0x2a, plain(V_W | W)), // CVTSI2SS
    Row(PACKED, 0x2b, 0x2b, plain(V_M)),     // MOVNTPS
    Row(SCALAR, 0x2c, 0x2d, plain(G_W)),     // CVTSS2SI
    Row(PACKED, 0x2e, 0x2f, plain(V_W)),     // UCOMISS
    Row(SIZES, 0x40, 0x4f, plain(GV_EV)),    // CMOV, which always reads
    Row(PACKED, 0x50, 0x50, plain(G_U)),     // MOVMSKPS
    Row(ALL, 0x51, 0x51, plain(V_W)),
    Row(&[NP, PF3], 0x52, 0x53, plain(V_W)),
    Row(PACKED, 0x54, 0x57, plain(V_W)),
    Row(ALL, 0x58, 0x5a, plain(V_W)),
    Row(&[NP, P66, PF3], 0x5b, 0x5b, plain(V_W)),
    Row(ALL, 0x5c, 0x5f, plain(V_W)),
    Row(&[P66], 0x60, 0x6d, plain(V_W)),
    Row(&[P66], 0x6e, 0x6e, plain(V_W | W)), // MOVD, MOVQ
    Row(&[P66, PF3], 0x6f, 0x6f, plain(V_MOVE)),
    Row(&[P66, PF3, PF2], 0x70, 0x70, plain(V_W | IMM8)),
    Row(&[P66], 0x71, 0x72, plain(REGISTER | IMM8).digits(0b0101_0100)),
    Row(&[P66], 0x73, 0x73, plain(REGISTER | IMM8).digits(0b1100_1100)),
    Row(&[P66], 0x74, 0x76, plain(V_W)),
    Row(&[P66, PF2], 0x7c, 0x7d, plain(V_W)),
    Row(&[P66], 0x7e, 0x7e, plain(V_W | RM_W | W)), // MOVD, MOVQ to a general register
    Row(&[PF3], 0x7e, 0x7e, plain(V_W)),
    Row(&[P66, PF3], 0x7f, 0x7f, plain(V_MOVE)),
    Row(NONE, 0x80, 0x8f, form(Kind::Branch, IMM32)),
    Row(NONE, 0x90, 0x9f, plain(EB | TOUCH).digits(1)), // SETcc
    Row(SIZES, 0xa3, 0xa3, plain(REG | REGISTER | SIZED)), // BT, of registers only
    Row(SIZES, 0xa4, 0xa4, plain((EV_GV | IMM8) & !TOUCH)), // SHLD, which may shift by 0
    Row(SIZES, 0xa5, 0xa5, plain(EV_GV & !TOUCH)),
    Row(SIZES, 0xab, 0xab, plain(EV_GV | REGISTER)), // BTS
    Row(SIZES, 0xac, 0xac, plain((EV_GV | IMM8) & !TOUCH)),
    Row(SIZES, 0xad, 0xad, plain(EV_GV & !TOUCH)),
    Row(NONE, 0xae, 0xae, group(GAE)),
    Row(&[PF3], 0xae, 0xae, group(GAE_F3)),
    Row(SIZES, 0xaf, 0xaf, plain(GV_EV)),       // IMUL
    Row(NONE, 0xb0, 0xb0, plain(EB_GB | LOCK)), // CMPXCHG
    Row(SIZES, 0xb1, 0xb1, plain(EV_GV | LOCK)),
    Row(SIZES, 0xb3, 0xb3, plain(EV_GV | REGISTER)), // BTR
    Row(SIZES, 0xb6, 0xb6, plain(GV_EV | BYTE_RM)),  // MOVZX
    Row(NONE, 0xb7, 0xb7, plain(REG_W | W | TOUCH)),
    Row(&[PF3], 0xb8, 0xb8, plain(GV_EV)), // POPCNT
    Row(SIZES, 0xba, 0xba, group(GBA)),
    Row(SIZES, 0xbb, 0xbb, plain(EV_GV | REGISTER)), // BTC
    Row(&[NP, P66, PF3], 0xbc, 0xbd, plain(GV_EV)),  // BSF, BSR, TZCNT, LZCNT
    Row(SIZES, 0xbe, 0xbe, plain(GV_EV | BYTE_RM)),  // MOVSX
    Row(NONE, 0xbf, 0xbf, plain(REG_W | W | TOUCH)),
    Row(NONE, 0xc0, 0xc0, plain(EB_GB | REG_W | LOCK)), // XADD writes both
    Row(SIZES, 0xc1, 0xc1, plain(EV_GV | REG_W | LOCK)),
    Row(ALL, 0xc2, 0xc2, plain(V_W | IMM8)),
    Row(NONE, 0xc3, 0xc3, plain(V_M | W)), // MOVNTI
    Row(&[P66], 0xc4, 0xc4, plain(V_W | IMM8)),
    Row(&[P66], 0xc5, 0xc5, plain(G_U | IMM8)),
    Row(PACKED, 0xc6, 0xc6, plain(V_W | IMM8)),
    Row(NONE, 0xc7, 0xc7, group(GC7)),
    Row(NONE, 0xc8, 0xcf, plain(OP_W | W)), // BSWAP
    Row(&[P66, PF2], 0xd0, 0xd0, plain(V_W)),
    Row(&[P66], 0xd1, 0xd5, plain(V_W)),
    Row(&[P66], 0xd6, 0xd6, plain(V_W)),
    Row(&[P66], 0xd7, 0xd7, plain(G_U)),
    Row(&[P66], 0xd8, 0xe5, plain(V_W)),
    Row(&[P66, PF3, PF2], 0xe6, 0xe6, plain(V_W)),
    Row(&[P66], 0xe7, 0xe7, plain(V_M)), // MOVNTDQ
    Row(&[P66], 0xe8, 0xef, plain(V_W)),
    Row(&[PF2], 0xf0, 0xf0, plain(V_M)), // LDDQU
    Row(&[P66], 0xf1, 0xf6, plain(V_W)), // F7, MASKMOVDQU, writes at %rdi
    Row(&[P66], 0xf8, 0xfe, plain(V_W)),
];

const MAP_38: &[Row] = &[
    Row(&[P66], 0x00, 0x0b, plain(V_W)),
    Row(&[P66], 0x10, 0x10, plain(V_W)),
    Row(&[P66], 0x14, 0x15, plain(V_W)),
    Row(&[P66], 0x17, 0x17, plain(V_W)),
    Row(&[P66], 0x1c, 0x1e, plain(V_W)),
    Row(&[P66], 0x20, 0x25, plain(V_W)),
    Row(&[P66], 0x28, 0x29, plain(V_W)),
    Row(&[P66], 0x2a, 0x2a, plain(V_M)), // MOVNTDQA
    Row(&[P66], 0x2b, 0x2b, plain(V_W)),
    Row(&[P66], 0x30, 0x35, plain(V_W)),
    Row(&[P66], 0x37, 0x41, plain(V_W)),
    Row(NONE, 0xc8, 0xcd, plain(V_W)),                        // SHA
    Row(&[P66], 0xdb, 0xdf, plain(V_W)),                      // AES
    Row(SIZES, 0xf0, 0xf0, plain((GV_EV | MEMORY) & !TOUCH)), // MOVBE
    Row(SIZES, 0xf1, 0xf1, plain(EV_GV & !(RM_W | TOUCH) | V_M)),
    Row(&[PF2], 0xf0, 0xf0, plain(REG_W | W | BYTE_RM)), // CRC32
    Row(&[PF2], 0xf1, 0xf1, plain(GV_EV & !TOUCH)),
    Row(&[P66, PF3], 0xf6, 0xf6, plain(REG_W | W)), // ADCX, ADOX
];

const MAP_3A: &[Row] = &[
    Row(&[P66], 0x08, 0x0f, plain(V_W | IMM8)),
    Row(&[P66], 0x14, 0x15, plain(V_W | RM_W | IMM8)), // PEXTRB, PEXTRW
    Row(&[P66], 0x16, 0x16, plain(V_W | RM_W | W | IMM8)),
    Row(&[P66], 0x17, 0x17, plain(V_W | RM_W | IMM8)),
    Row(&[P66], 0x20, 0x21, plain(V_W | IMM8)), // PINSRB, INSERTPS
    Row(&[P66], 0x22, 0x22, plain(V_W | W | IMM8)),
    Row(&[P66], 0x40, 0x42, plain(V_W | IMM8)),
    Row(&[P66], 0x44, 0x44, plain(V_W | IMM8)), // PCLMULQDQ
    Row(&[P66], 0x60, 0x63, plain(V_W | IMM8)), // PCMPESTRI, which writes ECX
    Row(NONE, 0xcc, 0xcc, plain(V_W | IMM8)),   // SHA
    Row(&[P66], 0xdf, 0xdf, plain(V_W | IMM8)), // AES
];

// With VEX: a third operand, and 256-bit registers.
const V_W256: u32 = V_W | L1;
const V_H_W: u32 = V_W | VVVV;
const V_H_W256: u32 = V_H_W | L1;
const V_M256: u32 = V_M | L1;

const fn vex(map: usize) -> Map {
    let empty = [[REFUSED; 256]; 4];
    match map {
        1 => fill(empty, VEX_1),
        2 => fill(empty, VEX_2),
        _ => fill(empty, VEX_3),
    }
}

const VEX_1: &[Row] = &[
    Row(PACKED, 0x10, 0x11, plain(V_MOVE | L1)),
    Row(SCALAR, 0x10, 0x11, plain(V_MOVE | VVVV_REGISTERS)), // VMOVSS, VMOVSD
    Row(PACKED, 0x12, 0x12, plain(V_H_W | MEMORY)),
    Row(&[PF3, PF2], 0x12, 0x12, plain(V_W256)),
    Row(PACKED, 0x13, 0x13, plain(V_M)),
    Row(PACKED, 0x14, 0x15, plain(V_H_W256)),
    Row(PACKED, 0x16, 0x16, plain(V_H_W | MEMORY)),
    Row(&[PF3], 0x16, 0x16, plain(V_W256)),
    Row(PACKED, 0x17, 0x17, plain(V_M)),
    Row(PACKED, 0x28, 0x29, plain(V_MOVE | L1)),
    Row(SCALAR, 0x2a, 0x2a, plain(V_H_W | W)),
    Row(PACKED, 0x2b, 0x2b, plain(V_M256)),
    Row(SCALAR, 0x2c, 0x2d, plain(G_W)),
    Row(PACKED, 0x2e, 0x2f, plain(V_W)),
    Row(PACKED, 0x50, 0x50, plain(G_U | L1)),
    Row(PACKED, 0x51, 0x51, plain(V_W256)),
    Row(SCALAR, 0x51, 0x51, plain(V_H_W)),
    Row(NONE, 0x52, 0x53, plain(V_W256)),
    Row(&[PF3], 0x52, 0x53, plain(V_H_W)),
    Row(PACKED, 0x54, 0x57, plain(V_H_W256)),
    Row(PACKED, 0x58, 0x59, plain(V_H_W256)),
    Row(SCALAR, 0x58, 0x5a, plain(V_H_W)),
    Row(PACKED, 0x5a, 0x5a, plain(V_W256)),
    Row(&[NP, P66, PF3], 0x5b, 0x5b, plain(V_W256)),
    Row(PACKED, 0x5c, 0x5f, plain(V_H_W256)),
    Row(SCALAR, 0x5c, 0x5f, plain(V_H_W)),
    Row(&[P66], 0x60, 0x6d, plain(V_H_W256)),
    Row(&[P66], 0x6e, 0x6e, plain(V_W | W)),
    Row(&[P66, PF3], 0x6f, 0x6f, plain(V_MOVE | L1)),
    Row(&[P66, PF3, PF2], 0x70, 0x70, plain(V_W256 | IMM8)),
    Row(&[P66], 0x71, 0x72, plain(REGISTER | IMM8 | VVVV | L1).digits(0b0101_0100)),
    Row(&[P66], 0x73, 0x73, plain(REGISTER | IMM8 | VVVV | L1).digits(0b1100_1100)),
    Row(&[P66], 0x74, 0x76, plain(V_H_W256)),
    Row(NONE, 0x77, 0x77, plain(L1)), // VZEROUPPER, VZEROALL
    Row(&[P66, PF2], 0x7c, 0x7d, plain(V_H_W256)),
    Row(&[P66], 0x7e, 0x7e, plain(V_W | RM_W | W)),
    Row(&[PF3], 0x7e, 0x7e, plain(V_W)),
    Row(&[P66, PF3], 0x7f, 0x7f, plain(V_MOVE | L1)),
    Row(NONE, 0xae, 0xae, plain(MEMORY | MXCSR).digits(0b1100)),
    Row(PACKED, 0xc2, 0xc2, plain(V_H_W256 | IMM8)),
    Row(SCALAR, 0xc2, 0xc2, plain(V_H_W | IMM8)),
    Row(&[P66], 0xc4, 0xc4, plain(V_H_W | IMM8)),
    Row(&[P66], 0xc5, 0xc5, plain(G_U | IMM8)),
    Row(PACKED, 0xc6, 0xc6, plain(V_H_W256 | IMM8)),
    Row(&[P66, PF2], 0xd0, 0xd0, plain(V_H_W256)),
    Row(&[P66], 0xd1, 0xd5, plain(V_H_W256)),
    Row(&[P66], 0xd6, 0xd6, plain(V_W)),
    Row(&[P66], 0xd7, 0xd7, plain(G_U | L1)),
    Row(&[P66], 0xd8, 0xe5, plain(V_H_W256)),
    Row(&[P66, PF3, PF2], 0xe6, 0xe6, plain(V_W256)),
    Row(&[P66], 0xe7, 0xe7, plain(V_M256)),
    Row(&[P66], 0xe8, 0xef, plain(V_H_W256)),
    Row(&[PF2], 0xf0, 0xf0, plain(V_M256)),
    Row(&[P66], 0xf1, 0xf6, plain(V_H_W256)), // F7, VMASKMOVDQU, writes at %rdi
    Row(&[P66], 0xf8, 0xfe, plain(V_H_W256)),
];

const VEX_2: &[Row] = &[
    Row(&[P66], 0x00, 0x0b, plain(V_H_W256)),
    Row(&[P66], 0x0c, 0x0d, plain(V_H_W256)), // VPERMILPS
    Row(&[P66], 0x0e, 0x0f, plain(V_W256)),   // VTESTPS
    Row(&[P66], 0x13, 0x13, plain(V_W256)),   // VCVTPH2PS
    Row(&[P66], 0x16, 0x16, plain(V_H_W | ALWAYS_L)), // VPERMPS
    Row(&[P66], 0x17, 0x17, plain(V_W256)),
    Row(&[P66], 0x18, 0x18, plain(V_W256)), // VBROADCASTSS
    Row(&[P66], 0x19, 0x19, plain(V_W | ALWAYS_L)),
    Row(&[P66], 0x1a, 0x1a, plain(V_M | ALWAYS_L)),
    Row(&[P66], 0x1c, 0x1e, plain(V_W256)),
    Row(&[P66], 0x20, 0x25, plain(V_W256)),
    Row(&[P66], 0x28, 0x29, plain(V_H_W256)),
    Row(&[P66], 0x2a, 0x2a, plain(V_M256)),
    Row(&[P66], 0x2b, 0x2b, plain(V_H_W256)),
    Row(&[P66], 0x2c, 0x2f, plain(V_M256 | VVVV | MEMORY)), // VMASKMOVPS
    Row(&[P66], 0x30, 0x35, plain(V_W256)),
    Row(&[P66], 0x36, 0x36, plain(V_H_W | ALWAYS_L)), // VPERMD
    Row(&[P66], 0x37, 0x40, plain(V_H_W256)),
    Row(&[P66], 0x41, 0x41, plain(V_W)),
    Row(&[P66], 0x45, 0x45, plain(V_H_W256 | W)), // VPSRLVD
    Row(&[P66], 0x46, 0x46, plain(V_H_W256)),
    Row(&[P66], 0x47, 0x47, plain(V_H_W256 | W)),
    Row(&[P66], 0x58, 0x59, plain(V_W256)), // VPBROADCASTD
    Row(&[P66], 0x5a, 0x5a, plain(V_M | ALWAYS_L)),
    Row(&[P66], 0x78, 0x79, plain(V_W256)),
    Row(&[P66], 0x8c, 0x8c, plain(V_M256 | VVVV | W | MEMORY)), // VPMASKMOVD
    Row(&[P66], 0x8e, 0x8e, plain(V_M256 | VVVV | W | MEMORY)),
    Row(&[P66], 0x96, 0x9f, plain(V_FMA)), // FMA, in three orders of operands
    Row(&[P66], 0xa6, 0xaf, plain(V_FMA)),
    Row(&[P66], 0xb6, 0xbf, plain(V_FMA)),
    Row(&[P66], 0xdb, 0xdb, plain(V_W)), // AES
    Row(&[P66], 0xdc, 0xdf, plain(V_H_W256)),
    Row(NONE, 0xf2, 0xf2, plain(REG_W | VVVV | W)), // ANDN
    Row(NONE, 0xf3, 0xf3, plain(MODRM | VVVV_W | W).digits(0b1110)), // BLSR, BLSMSK, BLSI
    Row(NONE, 0xf5, 0xf5, plain(REG_W | VVVV | W)), // BZHI
    Row(SCALAR, 0xf5, 0xf5, plain(REG_W | VVVV | W)), // PEXT, PDEP
    Row(&[PF2], 0xf6, 0xf6, plain(REG_W | VVVV_W | W)), // MULX writes both
    Row(ALL, 0xf7, 0xf7, plain(REG_W | VVVV | W)),  // BEXTR, SHLX, SARX, SHRX
];

/// Packed forms may have 256 bits. Scalar forms ignore VEX.L, so it must be 0 there: the decoder
/// checks that with [`is_scalar_fma`].
const V_FMA: u32 = V_H_W256 | W;

/// Returns true if an opcode in the rows for FMA is scalar.
pub(crate) const fn is_scalar_fma(map: usize, opcode: u8) -> bool {
    map == VEX + 2 && matches!(opcode >> 4, 9..=0xb) && opcode & 0xf >= 9 && opcode & 1 == 1
}

const VEX_3: &[Row] = &[
    Row(&[P66], 0x00, 0x01, plain(V_W | ALWAYS_L | ALWAYS_W | IMM8)), // VPERMQ
    Row(&[P66], 0x02, 0x02, plain(V_H_W256 | IMM8)),
    Row(&[P66], 0x04, 0x05, plain(V_W256 | IMM8)),
    Row(&[P66], 0x06, 0x06, plain(V_H_W | ALWAYS_L | IMM8)), // VPERM2F128
    Row(&[P66], 0x08, 0x09, plain(V_W256 | IMM8)),
    Row(&[P66], 0x0a, 0x0b, plain(V_H_W | IMM8)),
    Row(&[P66], 0x0c, 0x0f, plain(V_H_W256 | IMM8)),
    Row(&[P66], 0x14, 0x15, plain(V_W | RM_W | IMM8)),
    Row(&[P66], 0x16, 0x16, plain(V_W | RM_W | W | IMM8)),
    Row(&[P66], 0x17, 0x17, plain(V_W | RM_W | IMM8)),
    Row(&[P66], 0x18, 0x18, plain(V_H_W | ALWAYS_L | IMM8)), // VINSERTF128
    Row(&[P66], 0x19, 0x19, plain(V_W | ALWAYS_L | IMM8)),
    Row(&[P66], 0x1d, 0x1d, plain(V_W256 | IMM8)), // VCVTPS2PH
    Row(&[P66], 0x20, 0x21, plain(V_H_W | IMM8)),
    Row(&[P66], 0x22, 0x22, plain(V_H_W | W | IMM8)),
    Row(&[P66], 0x38, 0x38, plain(V_H_W | ALWAYS_L | IMM8)),
    Row(&[P66], 0x39, 0x39, plain(V_W | ALWAYS_L | IMM8)),
    Row(&[P66], 0x40, 0x40, plain(V_H_W256 | IMM8)),
    Row(&[P66], 0x41, 0x41, plain(V_H_W | IMM8)),
    Row(&[P66], 0x42, 0x42, plain(V_H_W256 | IMM8)),
    Row(&[P66], 0x44, 0x44, plain(V_H_W256 | IMM8)),
    Row(&[P66], 0x46, 0x46, plain(V_H_W | ALWAYS_L | IMM8)),
    Row(&[P66], 0x4a, 0x4c, plain(V_H_W256 | IMM_REG)), // VBLENDVPS
    Row(&[P66], 0x60, 0x63, plain(V_W | IMM8)),
    Row(&[P66], 0xdf, 0xdf, plain(V_W | IMM8)),
    Row(&[PF2], 0xf0, 0xf0, plain(REG_W | W | IMM8)), // RORX
];

/// For the opcodes D8 to DF, the digits that are allowed with memory. FLDENV, FNSTENV, FRSTOR and
/// FNSAVE are not: they read or write more than registers.
const X87_MEMORY: [u8; 8] = [0xff, 0b1010_1101, 0xff, 0b1010_1111, 0xff, 0b1000_1111, 0xff, 0xff];

/// The allowed ModRM bytes from C0 on, which name no memory, one bit each.
const X87_REGISTERS: [u64; 8] = [
    !0,
    // FLD, FXCH, FNOP, FCHS, FABS, FTST, FXAM, constants, functions.
    0xffff_7f33_0001_ffff,
    // FCMOV, FUCOMPP.
    0x0000_0200_ffff_ffff,
    // FCMOV, FNCLEX, FNINIT, FUCOMI, FCOMI.
    0x00ff_ff0c_ffff_ffff,
    // FADD, FMUL, FSUB, FDIV to a register.
    0xffff_ffff_0000_ffff,
    // FFREE, FST, FSTP, FUCOM, FUCOMP.
    0x0000_ffff_ffff_00ff,
    // FADDP and its like, FCOMPP.
    0xffff_ffff_0200_ffff,
    // FNSTSW, FUCOMIP, FCOMIP.
    0x00ff_ff01_0000_0000,
];

/// Returns true if an x87 instruction is allowed, given its opcode (D8 to DF) and ModRM byte.
pub(crate) fn is_x87_allowed(opcode: u8, modrm: u8) -> bool {
    let row = usize::from(opcode & 7);
    match modrm.checked_sub(0xc0) {
        Some(register) => X87_REGISTERS[row] >> register & 1 != 0,
        None => X87_MEMORY[row] >> (modrm >> 3 & 7) & 1 != 0,
    }
}
