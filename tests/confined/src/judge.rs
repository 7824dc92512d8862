//! Judges whether what was observed of a run is allowed, with the help of another decoder.

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, Register,
};
use omniglot_verify::{GUARD, LINE, REGION, TEXT_MIN};

use crate::region::{GATES, TEXT};
use crate::run::{FLAGS, LEFT, RIP, RSP, Registers, STEPS, Stop};

/// How far RSP may leave the region, and an operand relative to it.
const STRAY: u64 = 1 << 16;
const DIRECTION: u64 = 1 << 10;
const ALIGNMENT: u64 = 1 << 18;
/// The kernel's signal code for a general protection fault, which has no address.
const PROTECTION: i32 = 128;

/// Judges the runs of one region.
pub(crate) struct Judge {
    base: u64,
    info: InstructionInfoFactory,
    /// Where instructions of the text begin, decoding from its first byte.
    starts: Box<[bool; TEXT]>,
}

impl Judge {
    pub(crate) fn new(base: u64) -> Self {
        let starts = Box::new([false; TEXT]);
        Self { base, info: InstructionInfoFactory::new(), starts }
    }

    /// Decodes another text, from its first byte to its last.
    pub(crate) fn read(&mut self, text: &[u8; TEXT]) {
        self.starts.fill(false);
        let mut at = 0;
        for instruction in &mut Decoder::new(64, text, DecoderOptions::NONE) {
            self.starts[at] = true;
            at += instruction.len();
        }
    }

    /// Checks everything that was observed of a run of a text.
    ///
    /// # Errors
    /// A description of what is not allowed.
    pub(crate) fn judge(&mut self, text: &[u8; TEXT], stops: &[Stop]) -> Result<(), String> {
        let Some(last) = stops.last() else { return Err("nothing was seen".to_owned()) };
        if last.signal == libc::SIGTRAP && stops.len() < STEPS {
            return Err(format!("a trap that was no step: {last:x?}"));
        }
        stops.iter().try_for_each(|stop| self.stop(text, stop))
    }

    fn stop(&mut self, text: &[u8; TEXT], stop: &Stop) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{what}: {stop:x?}"));
        let at = stop.registers[RIP].wrapping_sub(self.base);
        if at >= REGION {
            return wrong("control is outside");
        }
        if stop.registers[FLAGS] & (DIRECTION | ALIGNMENT) != 0 {
            return wrong("the direction or alignment flag is set");
        }
        let is_memory = matches!(stop.signal, libc::SIGSEGV | libc::SIGBUS);
        if is_memory && stop.code != PROTECTION && !self.is_near(stop.address, GUARD) {
            return wrong("it reached outside");
        }
        if stop.signal == LEFT && !self.is_near(stop.registers[RSP], 0) {
            return wrong("the stack pointer is outside at the gate");
        }
        let offset = at.wrapping_sub(TEXT_MIN) as usize;
        if offset >= TEXT {
            // It jumped into a gate, which stops or leaves, or to an address that is not
            // executable.
            let is_gate = (GATES..GATES + 4096).contains(&at) && at.is_multiple_of(LINE);
            let is_jump = stop.signal == libc::SIGSEGV && stop.address == stop.registers[RIP];
            // Or it was interrupted before the instruction.
            let is_before = matches!(stop.signal, libc::SIGTRAP | libc::SIGALRM);
            return if is_gate || is_jump || is_before {
                Ok(())
            } else {
                wrong("it runs where no text is")
            };
        }
        if !self.starts[offset] {
            return wrong("control is within an instruction");
        }
        let ip = stop.registers[RIP];
        let instruction = Decoder::with_ip(64, &text[offset..], ip, DecoderOptions::NONE).decode();
        // Within a group RSP may be below 4 GiB for one instruction, which adds the base.
        let is_adding = instruction.mnemonic() == Mnemonic::Add
            && instruction.op0_register() == Register::RSP
            && instruction.memory_segment() == Register::GS;
        let rsp = stop.registers[RSP];
        let is_right = self.is_near(rsp, STRAY) || is_adding && rsp < REGION;
        if !is_right {
            return wrong("the stack pointer is outside");
        }
        self.accesses(&instruction, &stop.registers)
            .map_err(|what| format!("{what}: {instruction} {stop:x?}"))
    }

    fn is_near(&self, address: u64, around: u64) -> bool {
        address.wrapping_sub(self.base - around) < REGION + 2 * around
    }

    /// Checks that all memory that the next instruction accesses is in the region or its guard
    /// pages.
    fn accesses(&mut self, instruction: &Instruction, registers: &Registers) -> Result<(), String> {
        let base = self.base;
        let value = |register: Register, _, _| {
            if register.is_segment_register() {
                return Some(if register == Register::GS { base } else { 0 });
            }
            let full = register.full_register();
            let number = full.is_gpr64().then(|| full.number())?;
            let value = registers[number];
            Some(if register.is_gpr32() { u64::from(value as u32) } else { value })
        };
        let info = self.info.info(instruction);
        for used in info.used_memory() {
            if used.access() == OpAccess::NoMemAccess {
                continue;
            }
            let Some(address) = used.virtual_address(0, value) else {
                return Err("its address is not known".to_owned());
            };
            if address.wrapping_sub(base - GUARD) >= REGION + 2 * GUARD {
                return Err(format!("it would access {address:#x}"));
            }
        }
        Ok(())
    }
}
