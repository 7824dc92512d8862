//! What each runtime needs of a machine, and how to get it.

use omniglot_core::IsolationKind;

use super::machine::{Kernel, KeyTrial, Machine, MemfdExec};

/// The remedy where no runtime exists for a target.
pub(crate) const COMPILE_FOR_LINUX: &str = "compile for x86_64-unknown-linux-gnu, \
                                            x86_64-unknown-linux-musl or aarch64-unknown-linux-gnu";

/// Something that a runtime needs.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// What is needed.
    pub name: &'static str,
    /// The message if it is missing.
    pub lack: &'static str,
    /// Whether the machine has it.
    pub is_met: bool,
    /// What the probe found.
    pub found: String,
    /// What to do if it is missing.
    pub remedy: &'static str,
}

const fn yes_or_no(is_there: bool) -> &'static str {
    if is_there { "yes" } else { "no" }
}

fn requirement(
    name: &'static str,
    lack: &'static str,
    is_met: bool,
    found: impl Into<String>,
    remedy: &'static str,
) -> Requirement {
    Requirement { name, lack, is_met, found: found.into(), remedy }
}

impl Machine {
    /// What the runtime needs, met or not; empty for runtimes that are not Linux's.
    ///
    /// ```
    /// use omniglot_core::IsolationKind;
    /// use omniglot_linux::Machine;
    ///
    /// for requirement in Machine::this().requirements(IsolationKind::Process) {
    ///     println!("{}: {}", requirement.name, if requirement.is_met { "yes" } else { "no" });
    /// }
    /// ```
    #[must_use]
    pub fn requirements(&self, runtime: IsolationKind) -> Vec<Requirement> {
        match runtime {
            IsolationKind::Process => self.of_process(),
            // A worker loads the library there, too.
            IsolationKind::ProtectionKeys => {
                [self.built_in(), self.of_process(), self.of_this_process(), self.of_keys()]
                    .concat()
            }
            IsolationKind::Unprotected => {
                [self.built_in(), self.of_process(), self.of_this_process()].concat()
            }
            IsolationKind::Sfi => [self.built_in(), self.of_regions()].concat(),
            _ => Vec::new(),
        }
    }

    /// What is missing for the runtime, if anything.
    ///
    /// ```
    /// use omniglot_core::IsolationKind;
    /// use omniglot_linux::Machine;
    ///
    /// for requirement in Machine::this().missing(IsolationKind::ProtectionKeys) {
    ///     println!("{} is missing: {}", requirement.name, requirement.remedy);
    /// }
    /// ```
    #[must_use]
    pub fn missing(&self, runtime: IsolationKind) -> Vec<Requirement> {
        let mut requirements = self.requirements(runtime);
        requirements.retain(|requirement| !requirement.is_met);
        requirements
    }

    fn of_process(&self) -> Vec<Requirement> {
        let mechanisms = &self.mechanisms;
        let landlock = match mechanisms.landlock {
            Some(version) => format!("Landlock, version {version}"),
            None if mechanisms.user_notification => "seccomp user notification".to_owned(),
            None => "neither".to_owned(),
        };
        vec![
            requirement(
                "a target with worker processes",
                "the program was compiled for a target without worker processes",
                self.supported_target,
                yes_or_no(self.supported_target),
                COMPILE_FOR_LINUX,
            ),
            self.kernel_since("Linux 5.9 or newer", "the kernel is older than Linux 5.9", (5, 9)),
            requirement(
                "/proc",
                "there is no /proc",
                mechanisms.proc,
                yes_or_no(mechanisms.proc),
                "mount it: mount -t proc proc /proc",
            ),
            requirement(
                "programs that start from memory",
                "programs cannot be started from memory",
                mechanisms.memfd_exec != MemfdExec::Forbidden,
                match mechanisms.memfd_exec {
                    MemfdExec::Allowed => "yes",
                    MemfdExec::OnRequest => "yes, on request (vm.memfd_noexec=1)",
                    MemfdExec::Forbidden => "no (vm.memfd_noexec=2)",
                },
                "as root: sysctl vm.memfd_noexec=1",
            ),
            requirement(
                "seccomp filters",
                "this process cannot have seccomp filters",
                mechanisms.seccomp,
                yes_or_no(mechanisms.seccomp),
                "have the container or service permit seccomp(2), in systemd with \
                 SystemCallFilter=@system-service seccomp; the kernel needs CONFIG_SECCOMP_FILTER",
            ),
            requirement(
                "descriptors of processes (pidfd)",
                "this process cannot have descriptors of others (pidfd_open)",
                mechanisms.pidfd,
                yes_or_no(mechanisms.pidfd),
                "have the container or service permit pidfd_open(2) and pidfd_send_signal(2); old \
                 versions of valgrind do not know them",
            ),
            requirement(
                "Landlock, or seccomp user notification",
                "the kernel has neither Landlock nor seccomp user notification",
                mechanisms.landlock.is_some() || mechanisms.user_notification,
                landlock,
                "use Linux 5.13 or newer with landlock in its boot parameter lsm=, or 5.9 or newer",
            ),
        ]
    }

    /// What runs in the host's own process has to be a part of the program.
    fn built_in(&self) -> Vec<Requirement> {
        vec![requirement(
            "an x86-64 program with the feature `in-process`",
            "this program was compiled without runtimes in its own process, for which it would \
             have to be one for x86-64",
            self.mechanisms.in_process,
            yes_or_no(self.mechanisms.in_process),
            "switch the feature on: omniglot = { ..., features = [\"in-process\"] }",
        )]
    }

    /// What verified code needs: no worker, and nothing that keeps it from the kernel.
    fn of_regions(&self) -> Vec<Requirement> {
        let mechanisms = &self.mechanisms;
        vec![
            self.kernel_since("Linux 5.9 or newer", "the kernel is older than Linux 5.9", (5, 9)),
            self.segment_bases(),
            requirement(
                "executable files in memory",
                "executable files in memory are forbidden",
                mechanisms.memfd_exec != MemfdExec::Forbidden,
                yes_or_no(mechanisms.memfd_exec != MemfdExec::Forbidden),
                "as root: sysctl vm.memfd_noexec=1",
            ),
            // What returns does so to an address that it has pushed.
            self.plain_stack(),
            self.interposed(),
        ]
    }

    fn segment_bases(&self) -> Requirement {
        let processor = &self.processor;
        requirement(
            "instructions for the FS and GS bases that programs may use (FSGSBASE)",
            "the processor or the kernel has no FSGSBASE (Linux 5.9)",
            processor.fsgsbase && processor.fsgsbase_enabled,
            match (processor.fsgsbase, processor.fsgsbase_enabled) {
                (true, true) => "yes",
                (true, false) => "switched off by the kernel",
                (false, _) => "no",
            },
            "use Linux 5.9 or newer without nofsgsbase in its boot parameters",
        )
    }

    fn plain_stack(&self) -> Requirement {
        let has_shadow = self.processor.shadow_stack_active;
        requirement(
            "a stack without a shadow (CET)",
            "the process has a shadow stack (CET)",
            !has_shadow,
            yes_or_no(!has_shadow),
            "start the program with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off",
        )
    }

    fn interposed(&self) -> Requirement {
        requirement(
            "signal handlers and mappings that go through this crate",
            "the program's sigaction and mmap are not those of this crate, which is in a \
             library that was opened later",
            self.mechanisms.interposed,
            yes_or_no(self.mechanisms.interposed),
            "link the library into the program, or preload it",
        )
    }

    /// What foreign code needs in the host's own process.
    fn of_this_process(&self) -> Vec<Requirement> {
        let mechanisms = &self.mechanisms;
        vec![
            self.segment_bases(),
            requirement(
                "Syscall User Dispatch",
                "the kernel has no Syscall User Dispatch (Linux 5.11)",
                mechanisms.user_dispatch,
                yes_or_no(mechanisms.user_dispatch),
                "use a kernel with CONFIG_GENERIC_ENTRY, Linux 5.11 or newer",
            ),
            self.interposed(),
        ]
    }

    fn of_keys(&self) -> Vec<Requirement> {
        let (processor, mechanisms) = (&self.processor, &self.mechanisms);
        vec![
            requirement(
                "a processor with protection keys (PKU)",
                "the processor has no protection keys (PKU)",
                processor.pku,
                yes_or_no(processor.pku),
                "use Intel Xeon Scalable or Core of the 11th generation, AMD Zen 3, or newer; in a \
                 virtual machine, have the host pass the flag pku on",
            ),
            requirement(
                "protection keys switched on by the kernel (OSPKE)",
                "the kernel does not use protection keys (OSPKE)",
                processor.ospke,
                yes_or_no(processor.ospke),
                "use a kernel with CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS, without nopku in its \
                 boot parameters",
            ),
            requirement(
                "a protection key for this process (pkey_alloc)",
                "the kernel gives this process no protection keys (pkey_alloc)",
                // The number of free keys changes from moment to moment.
                mechanisms.keys != KeyTrial::None,
                match mechanisms.keys {
                    KeyTrial::Allocated => "yes, tried",
                    KeyTrial::AllInUse => "all in use",
                    KeyTrial::None => "no, tried",
                },
                "see above; or have the filters of the container permit pkey_alloc(2)",
            ),
            requirement(
                "registers that can all be cleared",
                "the processor has registers that this version cannot clear",
                !processor.unknown_registers,
                yes_or_no(!processor.unknown_registers),
                "update omniglot, or have the kernel switch the new registers off",
            ),
            self.kernel_since(
                "Linux 6.12 or newer, for signals on stacks with a key",
                "the kernel is older than Linux 6.12",
                (6, 12),
            ),
            self.kernel_with_rights_of_handlers(),
            requirement(
                "glibc 2.35 or newer, which says what dlmopen loads",
                "the C library is older than glibc 2.35",
                mechanisms.libc >= (2, 35),
                format!("glibc {}.{}", mechanisms.libc.0, mechanisms.libc.1),
                "update the system",
            ),
            self.plain_stack(),
            requirement(
                "a program above 4 GiB",
                // Below, 32-bit code, which foreign code can change to, reaches the gate, whose
                // bytes are other instructions to it.
                "the program lies below 4 GiB (it is no PIE)",
                !mechanisms.low_program,
                yes_or_no(!mechanisms.low_program),
                "link it as a position-independent executable, which is the default",
            ),
        ]
    }

    /// A signal handler's rights are not those of the code that it interrupted. Before Linux commit
    /// ae6012d72fa6 ("x86/pkeys: Ensure updated PKRU value is XRSTOR'd"), on AMD's processors the
    /// kernel's saved state counted as the state after a reset, in which everything is allowed.
    fn kernel_with_rights_of_handlers(&self) -> Requirement {
        let Kernel { version, patch, release } = &self.kernel;
        let is_amds = matches!(&*self.processor.maker, "AuthenticAMD" | "HygonGenuine");
        let is_fixed = *version >= (6, 13) || (*version == (6, 12) && *patch >= 5);
        requirement(
            "on processors of AMD Linux 6.13, or 6.12.5, where signals leave rights as they were",
            "signals change rights to memory on processors of AMD (before Linux 6.12.5)",
            !is_amds || is_fixed,
            if is_amds { release.clone() } else { "another processor".to_owned() },
            "update the kernel",
        )
    }

    fn kernel_since(
        &self,
        name: &'static str,
        lack: &'static str,
        version: (u32, u32),
    ) -> Requirement {
        let is_met = self.kernel.version >= version;
        requirement(name, lack, is_met, self.kernel.release.clone(), "update the kernel")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::capabilities::machine::{Mechanisms, Processor};

    /// A machine that has everything.
    pub(crate) fn full() -> Machine {
        Machine {
            supported_target: true,
            processor: Processor {
                pku: true,
                ospke: true,
                fsgsbase: true,
                fsgsbase_enabled: true,
                ..Processor::default()
            },
            kernel: Kernel { release: "6.12.5".to_owned(), version: (6, 12), patch: 5 },
            mechanisms: Mechanisms {
                memfd_exec: MemfdExec::Allowed,
                seccomp: true,
                pidfd: true,
                user_notification: true,
                landlock: Some(6),
                user_dispatch: true,
                keys: KeyTrial::Allocated,
                rseq: true,
                proc: true,
                low_program: false,
                interposed: true,
                in_process: true,
                libc: (2, 36),
                sealed_clock: false,
            },
        }
    }

    fn missing(runtime: IsolationKind, change: impl FnOnce(&mut Machine)) -> Vec<&'static str> {
        let mut machine = full();
        change(&mut machine);
        machine.missing(runtime).iter().map(|requirement| requirement.name).collect()
    }

    #[test]
    fn a_full_machine_lacks_nothing() {
        for runtime in [IsolationKind::Process, IsolationKind::ProtectionKeys] {
            assert_eq!(missing(runtime, |_| ()), [""; 0]);
        }
    }

    #[test]
    fn each_requirement_of_keys_is_one() {
        type Change = fn(&mut Machine);
        let lacking: [(Change, &str); 13] = [
            (|machine| machine.processor.pku = false, "a processor with protection keys (PKU)"),
            (|machine| machine.processor.ospke = false, "switched on by the kernel"),
            (|machine| machine.mechanisms.keys = KeyTrial::None, "pkey_alloc"),
            (|machine| machine.processor.fsgsbase = false, "FSGSBASE"),
            (|machine| machine.processor.fsgsbase_enabled = false, "FSGSBASE"),
            (|machine| machine.processor.unknown_registers = true, "registers"),
            (|machine| machine.kernel.version = (6, 11), "Linux 6.12"),
            (|machine| machine.mechanisms.user_dispatch = false, "Syscall User Dispatch"),
            (|machine| machine.processor.shadow_stack_active = true, "without a shadow"),
            (|machine| machine.mechanisms.low_program = true, "above 4 GiB"),
            (|machine| machine.mechanisms.interposed = false, "go through this crate"),
            (|machine| machine.mechanisms.libc = (2, 34), "glibc 2.35"),
            (as_amds_before_the_fix, "processors of AMD"),
        ];
        for (change, name) in lacking {
            let missing_for_keys = missing(IsolationKind::ProtectionKeys, change);
            assert!(matches!(missing_for_keys[..], [one] if one.contains(name)), "{name}");
            assert_eq!(missing(IsolationKind::Process, change), [""; 0], "{name}");
        }
    }

    fn as_amds_before_the_fix(machine: &mut Machine) {
        machine.processor.maker = "AuthenticAMD".to_owned();
        machine.kernel.patch = 4;
    }

    #[test]
    fn kernels_whose_signals_leave_rights_alone_are_known() {
        let with = |maker: &str, version, patch| {
            let change = |machine: &mut Machine| {
                machine.processor.maker = maker.to_owned();
                (machine.kernel.version, machine.kernel.patch) = (version, patch);
            };
            missing(IsolationKind::ProtectionKeys, change).len()
        };
        assert_eq!(with("GenuineIntel", (6, 12), 0), 0);
        assert_eq!(with("AuthenticAMD", (6, 12), 4), 1);
        assert_eq!(with("AuthenticAMD", (6, 12), 5), 0);
        assert_eq!(with("AuthenticAMD", (6, 13), 0), 0);
    }

    /// Keys are freed when a domain is dropped; a start that finds none reports that.
    #[test]
    fn keys_that_are_in_use_are_there() {
        let in_use = |machine: &mut Machine| machine.mechanisms.keys = KeyTrial::AllInUse;
        assert_eq!(missing(IsolationKind::ProtectionKeys, in_use), [""; 0]);
    }

    #[test]
    fn files_are_guarded_by_one_of_two_mechanisms() {
        let process = IsolationKind::Process;
        assert_eq!(missing(process, |machine| machine.mechanisms.landlock = None), [""; 0]);
        let neither = |machine: &mut Machine| {
            machine.mechanisms.landlock = None;
            machine.mechanisms.user_notification = false;
        };
        assert_eq!(missing(process, neither), ["Landlock, or seccomp user notification"]);
    }
}
