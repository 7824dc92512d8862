//! The architectures that guests can have, and what executes their instructions.

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Accelerator {
    /// QEMU's emulation, which has protection keys on every machine
    #[default]
    Tcg,
    /// The same, with interrupts between any two instructions instead of only at the end of a
    /// block; several times slower
    TcgSteps,
    /// This machine's processor, which may lack protection keys
    Kvm,
}

/// A guest's architecture, and the size of its pages where that can differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    /// This machine's
    #[default]
    #[value(name = "x86_64")]
    X86_64,
    /// 64-bit Arm, with pages of 4 KiB
    Aarch64,
    /// 64-bit Arm, with pages of 16 KiB
    #[value(name = "aarch64-16k")]
    Aarch64Pages16k,
}

/// The kernel's parameters everywhere: little output; no checks of ciphers, which take time; an
/// unforeseen event ends the machine.
const PARAMETERS: &str = "quiet cryptomgr.notests oops=panic panic=-1";

impl Arch {
    /// Whether programs for it run on this machine, too.
    pub(crate) fn is_this(self) -> bool {
        self == Self::X86_64
    }

    pub(super) fn qemu(self) -> &'static str {
        if self.is_this() { "qemu-system-x86_64" } else { "qemu-system-aarch64" }
    }

    /// The emulated board, where QEMU has no default.
    pub(super) fn board(self) -> &'static [&'static str] {
        if self.is_this() { &[] } else { &["-M", "virt"] }
    }

    /// The processor: all that QEMU can emulate. Signatures of pointers by another algorithm than
    /// Arm's take an emulator a tenth of the time.
    pub(super) fn processor(self, accelerator: Accelerator) -> &'static str {
        match accelerator {
            Accelerator::Kvm => "host",
            _ if self.is_this() => "max",
            _ => "max,pauth-impdef=on",
        }
    }

    /// The kernel's parameters. An x86-64 kernel starts on one processor, to which `init.sh` adds
    /// the others.
    pub(super) fn parameters(self) -> String {
        let own = if self.is_this() {
            "console=ttyS0 maxcpus=1 tsc=reliable lpj=10000000"
        } else {
            "console=ttyAMA0"
        };
        format!("{own} {PARAMETERS}")
    }
}
