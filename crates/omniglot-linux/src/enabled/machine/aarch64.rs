//! AArch64.

use std::fs;

use object::elf::EM_AARCH64;
use rustix::param::linux_execfn;
use seccompiler::TargetArch;
use syscalls::Sysno;

use crate::capabilities::machine::Processor;

pub(in crate::enabled) const TARGET: TargetArch = TargetArch::aarch64;
/// `AUDIT_ARCH_AARCH64`.
pub(in crate::enabled) const AUDIT: u32 = 0xc000_00b7;
pub(in crate::enabled) const ELF: object::elf::Machine = EM_AARCH64;
pub(in crate::enabled) const OTHER_PROCESSOR: &str = "is for another processor than AArch64";

/// With 52 bits of address there are more addresses, but only for a caller that names one of those
/// above 2^48 (the kernel's Documentation/arch/arm64/memory.rst).
pub(in crate::enabled) const MOST_NAMED: u64 = 0xfffe_ffff_ffff;

/// Where the addresses end that a worker has. That depends on how the kernel was built: 2^36, 2^39,
/// 2^42, 2^47 or 2^48. A program's first stack, where the kernel put its name, is near the end.
pub(in crate::enabled) fn address_space() -> usize {
    let most = 1 << 48;
    let name = linux_execfn().as_ptr().addr();
    name.checked_next_power_of_two().map_or(most, |end| end.clamp(1 << 36, most))
}

/// No call sets the thread pointer: an instruction does.
pub(in crate::enabled) const SET_THREAD_POINTER: Option<(Sysno, u64)> = None;

// Of the calls that only some architectures have there are none.
pub(in crate::enabled) const LOAD: &[Sysno] = &[];
pub(in crate::enabled) const LOAD_ENDS: &[Sysno] = &[];
pub(in crate::enabled) const ANSWERED: &[Sysno] = &[];
/// `newfstatat`, which the crate calls by another name here.
pub(in crate::enabled) const STAT_AT: Sysno = Sysno::fstatat;
pub(in crate::enabled) const LINKS: &[Sysno] = &[Sysno::readlinkat];
pub(in crate::enabled) const CLOCK: &[Sysno] =
    &[Sysno::clock_getres, Sysno::clock_gettime, Sysno::gettimeofday];

/// What `/proc/cpuinfo` says of the first processor: who made it, and which part it is.
pub(in crate::enabled) fn processor() -> Processor {
    let said = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    Processor { name: name(&said), ..Processor::default() }
}

fn name(said: &str) -> String {
    let field = |key: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_start_matches(|sign: char| sign.is_whitespace() || sign == ':').trim())
    };
    match (field("CPU implementer"), field("CPU part")) {
        (Some(maker), Some(part)) => format!("implementer {maker}, part {part}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_a_name() {
        let said = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
        assert_eq!(name(said), "implementer 0x41, part 0xd0c");
        assert_eq!(name(""), "");
    }

    #[test]
    fn addresses_of_this_program_are_below_their_end() {
        let here = 0;
        let end = address_space();
        assert!(end.is_power_of_two() && (&raw const here).addr() < end, "{end:#x}");
    }
}
