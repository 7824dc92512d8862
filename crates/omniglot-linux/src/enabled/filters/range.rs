//! The part of the filter for loading that keeps changes of the address space within a range of
//! addresses. `seccompiler` compares arguments with constants only; here two arguments are added
//! first, so this part is written by hand.

use std::ops::Range;

use seccompiler::sock_filter;
use syscalls::Sysno;

use super::policy::ENOMEM;
use crate::enabled::machine;

// Codes of linux/bpf_common.h.
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_SAVED: u16 = 0x60; // BPF_LD | BPF_MEM
const SAVE: u16 = 0x02; // BPF_ST
const TO_X: u16 = 0x07; // BPF_MISC | BPF_TAX
const ADD: u16 = 0x04; // BPF_ALU | BPF_ADD | BPF_K
const ADD_X: u16 = 0x0c; // BPF_ALU | BPF_ADD | BPF_X
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_ABOVE: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const IF_AT_LEAST_X: u16 = 0x3d; // BPF_JMP | BPF_JGE | BPF_X
const IF_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ADDRESS: u32 = 16;
const LENGTH: u32 = 24;
const FLAGS: u32 = 40;
/// The upper half of an argument follows the lower one.
const UPPER: u32 = 4;

/// `SECCOMP_RET_ERRNO`, and the flags with which `mmap` maps where it is told to: `MAP_FIXED`,
/// `MAP_FIXED_NOREPLACE`.
const ERRNO: u32 = 0x0005_0000;
const FIXED: u32 = 0x10_0010;
/// No address of a process has more than 48 bits, so no sum of two such overflows.
const MOST_UPPER: u32 = 0xffff;

/// The upper half of the last addresses that `mmap` may be asked for.
const MOST_NAMED: u32 = (machine::MOST_NAMED >> 32) as u32;

/// Where a jump goes.
#[derive(Clone, Copy)]
enum Goto {
    Next,
    /// That many instructions beyond the next.
    Skip(u8),
    /// The check of address and length.
    Check,
    /// The error number.
    Refuse,
    /// What is appended to this part.
    GoOn,
}

use Goto::{Check, GoOn, Next, Refuse, Skip};

type Step = (u16, u32, Goto, Goto);

/// Which calls are checked: those that replace, protect or remove mappings at an address. Other
/// calls of `mmap` take free addresses, and only the window has any. Some processors have more, but
/// only for a caller that names such an address ([`machine::MOST_NAMED`]).
const CHOICE: &[Step] = &[
    (LOAD, ARCHITECTURE, Next, Next),
    (IF_EQUAL, machine::AUDIT, Next, GoOn),
    (LOAD, NUMBER, Next, Next),
    (IF_EQUAL, Sysno::mprotect as u32, Check, Next),
    (IF_EQUAL, Sysno::munmap as u32, Check, Next),
    (IF_EQUAL, Sysno::madvise as u32, Check, Next),
    (IF_EQUAL, Sysno::mmap as u32, Next, GoOn),
    (LOAD, ADDRESS + UPPER, Next, Next),
    (IF_ABOVE, MOST_NAMED, Refuse, Next),
    (LOAD, FLAGS, Next, Next),
    (IF_ANY_BIT, FIXED, Next, GoOn),
];

/// Whether address and length lie within the range.
fn check(range: &Range<u64>) -> Vec<Step> {
    let halves = |value: u64| (value as u32, (value >> 32) as u32);
    let (start, start_upper) = halves(range.start);
    let (end, end_upper) = halves(range.end);
    vec![
        (LOAD, LENGTH + UPPER, Next, Next),
        (IF_ABOVE, MOST_UPPER, Refuse, Next),
        (LOAD, ADDRESS + UPPER, Next, Next),
        (IF_ABOVE, MOST_UPPER, Refuse, Next),
        // The address is at least the start.
        (IF_ABOVE, start_upper, Skip(3), Next),
        (IF_EQUAL, start_upper, Next, Refuse),
        (LOAD, ADDRESS, Next, Next),
        (IF_AT_LEAST, start, Next, Refuse),
        // Their sum, lower half first: it is less than a part of it if there is a carry.
        (LOAD, ADDRESS, Next, Next),
        (TO_X, 0, Next, Next),
        (LOAD, LENGTH, Next, Next),
        (ADD_X, 0, Next, Next),
        (SAVE, 0, Next, Next),
        (IF_AT_LEAST_X, 0, Next, Skip(2)),
        (LOAD, ADDRESS + UPPER, Next, Next),
        (IF_AT_LEAST, 0, Skip(2), Skip(2)),
        (LOAD, ADDRESS + UPPER, Next, Next),
        (ADD, 1, Next, Next),
        (TO_X, 0, Next, Next),
        (LOAD, LENGTH + UPPER, Next, Next),
        (ADD_X, 0, Next, Next),
        // The sum is at most the end.
        (IF_ABOVE, end_upper, Refuse, Next),
        (IF_EQUAL, end_upper, Next, GoOn),
        (LOAD_SAVED, 0, Next, Next),
        (IF_ABOVE, end, Refuse, GoOn),
    ]
}

/// The start of a program that refuses what would change mappings out of the range.
pub(super) fn refuse_outside(range: &Range<u64>) -> Vec<sock_filter> {
    let mut steps = CHOICE.to_vec();
    steps.extend(check(range));
    let end = steps.len();
    let mut program: Vec<_> = (1..)
        .zip(steps)
        .map(|(next, (code, k, yes, no))| {
            let distance = |goto| match goto {
                Next => 0,
                Skip(count) => count,
                Check => (CHOICE.len() - next) as u8,
                Refuse => (end - next) as u8,
                GoOn => (end + 1 - next) as u8,
            };
            sock_filter { code, jt: distance(yes), jf: distance(no), k }
        })
        .collect();
    program.push(sock_filter { code: RETURN, jt: 0, jf: 0, k: ERRNO | ENOMEM });
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do: whether a call continues.
    fn goes_on(program: &[sock_filter], data: [u32; 16]) -> bool {
        let (mut at, mut a, mut x, mut saved) = (0, 0_u32, 0_u32, 0_u32);
        while let Some(step) = program.get(at) {
            let jump = |yes: bool| usize::from(if yes { step.jt } else { step.jf });
            at += 1;
            match step.code {
                LOAD => a = data[step.k as usize / 4],
                LOAD_SAVED => a = saved,
                SAVE => saved = a,
                TO_X => x = a,
                ADD => a = a.wrapping_add(step.k),
                ADD_X => a = a.wrapping_add(x),
                IF_EQUAL => at += jump(a == step.k),
                IF_ABOVE => at += jump(a > step.k),
                IF_AT_LEAST => at += jump(a >= step.k),
                IF_AT_LEAST_X => at += jump(a >= x),
                IF_ANY_BIT => at += jump(a & step.k != 0),
                RETURN => return false,
                other => unreachable!("code {other}"),
            }
        }
        true
    }

    fn call(number: Sysno, address: u64, length: u64, flags: u32) -> [u32; 16] {
        let mut data = [0; 16];
        data[0] = number as u32;
        data[1] = machine::AUDIT;
        (data[4], data[5]) = (address as u32, (address >> 32) as u32);
        (data[6], data[7]) = (length as u32, (length >> 32) as u32);
        data[10] = flags;
        data
    }

    #[test]
    fn what_lies_within_the_range_goes_on_and_nothing_else_does() {
        let ranges = [0x3000_0000_0000..0x3000_0400_0000, 0x3fff_ff00_0000..0x4001_0000_0000];
        for range in ranges {
            let program = refuse_outside(&range);
            let near = |value: u64| [value - 1, value, value + 1];
            let half = |value: u64| [value & !0xffff_ffff, value | 0xffff_ffff, value ^ (1 << 32)];
            let size = range.end - range.start;
            let addresses = [range.start, range.end, range.start + size / 2, 1 << 16, u64::MAX - 1];
            let lengths = [1, size, size / 2, 1 << 32, u64::MAX - 1, u64::MAX - range.start];
            for address in
                addresses.into_iter().flat_map(near).flat_map(|at| [[at; 3], half(at)].concat())
            {
                for length in lengths.into_iter().flat_map(near) {
                    let end = u128::from(address) + u128::from(length);
                    let within = address >= range.start && end <= u128::from(range.end);
                    for (number, flags, checked) in [
                        (Sysno::mprotect, 0, true),
                        (Sysno::munmap, 0, true),
                        (Sysno::madvise, 0, true),
                        (Sysno::mmap, 0x32, true),
                        (Sysno::mmap, 0x10_0022, true),
                        (Sysno::mmap, 0x22, address >> 32 > u64::from(MOST_NAMED)),
                        (Sysno::read, 0x32, false),
                    ] {
                        let went = goes_on(&program, call(number, address, length, flags));
                        assert_eq!(went, within || !checked, "{number} {address:#x} {length:#x}");
                    }
                }
            }
        }
    }
}
