//! x86-64.
#![allow(unsafe_code)]

use std::arch::x86_64::{__cpuid, __cpuid_count, CpuidResult};

use object::elf::EM_X86_64;
use rustix::param::linux_hwcap;
use seccompiler::TargetArch;
use syscalls::{Sysno, syscall};

use crate::capabilities::machine::Processor;
use crate::enabled::in_process::features::has_unknown_registers;

pub(in crate::enabled) const TARGET: TargetArch = TargetArch::x86_64;
/// `AUDIT_ARCH_X86_64`.
pub(in crate::enabled) const AUDIT: u32 = 0xc000_003e;
pub(in crate::enabled) const ELF: object::elf::Machine = EM_X86_64;
pub(in crate::enabled) const OTHER_PROCESSOR: &str = "is for another processor than x86-64";

/// With five levels of page tables there are more addresses, but only for a caller that names one
/// of those above 2^47 (the kernel's Documentation/arch/x86/x86_64/5level-paging.rst).
pub(in crate::enabled) const MOST_NAMED: u64 = 0x7ffe_ffff_ffff;

/// Where the addresses end that a worker has.
pub(in crate::enabled) const fn address_space() -> usize {
    1 << 47
}

/// The call by which the thread pointer is set, and its command: `ARCH_SET_FS` of asm/prctl.h.
pub(in crate::enabled) const SET_THREAD_POINTER: Option<(Sysno, u64)> =
    Some((Sysno::arch_prctl, 0x1002));

// Calls that newer architectures do not have, by what becomes of them: `filters::policy`.
pub(in crate::enabled) const LOAD: &[Sysno] = &[Sysno::access, Sysno::lstat, Sysno::stat];
pub(in crate::enabled) const LOAD_ENDS: &[Sysno] = &[
    Sysno::chmod,
    Sysno::chown,
    Sysno::creat,
    Sysno::fork,
    Sysno::ioperm,
    Sysno::iopl,
    Sysno::lchown,
    Sysno::link,
    Sysno::mkdir,
    Sysno::mknod,
    Sysno::rename,
    Sysno::rmdir,
    Sysno::symlink,
    Sysno::unlink,
    Sysno::vfork,
];
pub(in crate::enabled) const ANSWERED: &[Sysno] = &[
    Sysno::access,
    Sysno::chmod,
    Sysno::dup2,
    Sysno::getpgrp,
    Sysno::lstat,
    Sysno::mkdir,
    Sysno::open,
    Sysno::pipe,
    Sysno::readlink,
    Sysno::rename,
    Sysno::rmdir,
    Sysno::stat,
    Sysno::time,
    Sysno::unlink,
];
pub(in crate::enabled) const STAT_AT: Sysno = Sysno::newfstatat;
pub(in crate::enabled) const LINKS: &[Sysno] = &[Sysno::readlink, Sysno::readlinkat];
pub(in crate::enabled) const CLOCK: &[Sysno] =
    &[Sysno::clock_getres, Sysno::clock_gettime, Sysno::gettimeofday, Sysno::time];

/// `HWCAP2_FSGSBASE` of asm/hwcap2.h.
const HWCAP2_FSGSBASE: usize = 1 << 1;
/// `ARCH_SHSTK_STATUS` and `ARCH_SHSTK_SHSTK` of asm/prctl.h, Linux 6.6.
const SHADOW_STACK_STATUS: usize = 0x5005;
const SHADOW_STACK: u64 = 1;
pub(in crate::enabled) fn processor() -> Processor {
    let leaf = if __cpuid(0).eax >= 7 { __cpuid_count(7, 0) } else { NOTHING };
    let has = |register: u32, bit: u32| register >> bit & 1 != 0;
    Processor {
        name: processor_name(),
        maker: processor_maker(),
        pku: has(leaf.ecx, 3),
        ospke: has(leaf.ecx, 4),
        fsgsbase: has(leaf.ebx, 0),
        fsgsbase_enabled: linux_hwcap().1 & HWCAP2_FSGSBASE != 0,
        shadow_stack: has(leaf.ecx, 7),
        shadow_stack_active: is_shadow_stack_active(),
        unknown_registers: has_unknown_registers(),
        branch_tracking: has(leaf.edx, 20),
    }
}

const NOTHING: CpuidResult = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/// The 48 bytes of leaves 0x80000002 to 0x80000004.
fn processor_name() -> String {
    const FIRST: u32 = 0x8000_0002;
    const LAST: u32 = 0x8000_0004;
    if __cpuid(0x8000_0000).eax < LAST {
        return String::new();
    }
    let registers = (FIRST..=LAST).map(__cpuid).flat_map(|it| [it.eax, it.ebx, it.ecx, it.edx]);
    let bytes: Vec<u8> = registers.flat_map(u32::to_le_bytes).collect();
    let name = String::from_utf8_lossy(&bytes);
    name.chars().filter(|character| !character.is_control()).collect::<String>().trim().to_owned()
}

/// The 12 bytes of leaf 0, in its order.
fn processor_maker() -> String {
    let leaf = __cpuid(0);
    let bytes: Vec<u8> =
        [leaf.ebx, leaf.edx, leaf.ecx].into_iter().flat_map(u32::to_le_bytes).collect();
    String::from_utf8_lossy(&bytes).chars().filter(char::is_ascii_alphanumeric).collect()
}

fn is_shadow_stack_active() -> bool {
    let mut features = 0_u64;
    let place = &raw mut features;
    // SAFETY: the kernel writes eight bytes at that address, which are ours (arch_prctl(2);
    // invariant 12).
    let asked = unsafe { syscall!(Sysno::arch_prctl, SHADOW_STACK_STATUS, place) };
    asked.is_ok() && features & SHADOW_STACK != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_says_who_made_it() {
        assert_eq!(processor_maker().len(), 12, "{}", processor_maker());
    }
}
