//! The kinds of instructions that are looked for.

/// What an instruction can do.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `WRPKRU`: writes the register that says what protection keys allow.
    Wrpkru,
    /// `XRSTOR`, `XRSTOR64`: loads registers from memory, that one included.
    Xrstor,
    /// `XRSTORS`, `XRSTORS64`: the same for kernels; faults in user mode.
    Xrstors,
    /// `WRFSBASE`: writes the address of the thread's own data.
    Wrfsbase,
    /// `WRGSBASE`: writes the address that no compiled code uses.
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

    /// Whether user code that reaches the instruction can change what protection keys allow.
    ///
    /// `XRSTORS` cannot: it raises `#GP` outside the kernel (Intel SDM volume 2).
    #[must_use]
    pub const fn changes_keys(self) -> bool {
        matches!(self, Self::Wrpkru | Self::Xrstor)
    }

    /// Whether the instruction calls the kernel.
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
