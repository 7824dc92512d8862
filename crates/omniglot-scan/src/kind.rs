//! The kinds of instructions that are searched for.

/// A kind of instruction that affects isolation.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `WRPKRU`: writes PKRU, the register that holds the rights of protection keys.
    Wrpkru,
    /// `XRSTOR`, `XRSTOR64`: loads registers from memory, PKRU included.
    Xrstor,
    /// `XRSTORS`, `XRSTORS64`: the same for kernels. Faults in user mode.
    Xrstors,
    /// `WRFSBASE`: writes the FS base, the thread pointer.
    Wrfsbase,
    /// `WRGSBASE`: writes the GS base, which compiled code does not use.
    Wrgsbase,
    /// `SYSCALL`: calls the kernel.
    Syscall,
    /// `SYSENTER`: calls the kernel as 32-bit programs do.
    Sysenter,
    /// `INT 0x80`: calls the kernel as old 32-bit programs do.
    Int80,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Wrpkru,
        Self::Xrstor,
        Self::Xrstors,
        Self::Wrfsbase,
        Self::Wrgsbase,
        Self::Syscall,
        Self::Sysenter,
        Self::Int80,
    ];

    /// Returns true if the instruction can change PKRU when user code executes it.
    ///
    /// `XRSTORS` cannot: it raises `#GP` outside the kernel (Intel SDM volume 2).
    #[must_use]
    pub const fn changes_keys(self) -> bool {
        matches!(self, Self::Wrpkru | Self::Xrstor)
    }

    /// Returns true if the instruction calls the kernel.
    #[must_use]
    pub const fn calls_kernel(self) -> bool {
        matches!(self, Self::Syscall | Self::Sysenter | Self::Int80)
    }

    /// The instruction's name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wrpkru => "wrpkru",
            Self::Xrstor => "xrstor",
            Self::Xrstors => "xrstors",
            Self::Wrfsbase => "wrfsbase",
            Self::Wrgsbase => "wrgsbase",
            Self::Syscall => "syscall",
            Self::Sysenter => "sysenter",
            Self::Int80 => "int 0x80",
        }
    }
}
