//! Rewrites instructions one by one into what the verifier allows.
//!
//! Two rules make the result correct, not only safe. *Pointers are low*: foreign code's registers
//! and memory hold offsets from the region's base, so addresses have 32 bits. Only RSP and return
//! addresses contain the base. And *only dead registers are used*:
//! [`Liveness`](crate::flow::Liveness) says which are live.

mod branch;
mod flags;
mod lea;
mod memory;
mod special;
mod stack;
mod state;
mod string;
mod touch;

use std::collections::BTreeMap;

use iced_x86::{Encoder, FlowControl, Formatter, IntelFormatter, Mnemonic};

use crate::code::{Code, Source};
use crate::error::Problem;
use crate::flow::Liveness;
use crate::linked::Linked;
use crate::processor::Processor;

pub(crate) use state::Lowered;
use state::{Lower, Result, Unsupported};

/// What to do about instructions that cannot be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Report an error.
    Refuse,
    /// Replace the instruction by one that stops the library, and list it.
    Trap,
}

/// Rewrites a section. Instructions that cannot be rewritten are added to `problems`.
pub(crate) fn lower(
    linked: &Linked,
    code: &Code,
    liveness: &Liveness,
    unknown: Unknown,
    processor: &mut Processor,
    problems: &mut Vec<Problem>,
) -> Lowered {
    let mut lower = Lower {
        linked,
        code,
        liveness,
        live_after: liveness.live_after(code.id),
        encoder: Encoder::new(64),
        items: Vec::with_capacity(code.sources.len()),
        at: 0,
        skips_call: false,
    };
    let mut firsts = Vec::with_capacity(code.sources.len() + 1);
    let mut entries = BTreeMap::new();
    let mut formatter = IntelFormatter::new();
    for (at, source) in code.sources.iter().enumerate() {
        lower.at = at;
        let (flags, r11) = (liveness.restores(code.id, at), liveness.restores_r11(code.id, at));
        if flags || r11 {
            // Control from the previous instruction already has them, and skips the restoring.
            lower.push_branch(None, at);
            entries.insert(at, lower.items.len());
            if flags {
                lower.restore_flags();
            }
            if r11 {
                lower.restore_r11();
            }
        }
        let first = lower.items.len();
        firsts.push(first);
        if let Err(Unsupported(what, remedy)) = lower.one(source) {
            let offset = source.instruction.ip();
            let mut problem = linked.problem(code.id, offset, what, remedy);
            let mut text = String::new();
            formatter.format(&source.instruction, &mut text);
            problem.instruction = Some(text);
            problems.push(problem);
            processor.note_trap(source.instruction.cpuid_features());
            lower.items.truncate(first);
            if unknown == Unknown::Trap {
                lower.stop();
            }
        }
    }
    // Ends the section with a stop if control could leave it there, so that it does not enter other
    // code.
    lower.at = code.sources.len();
    firsts.push(lower.items.len());
    lower.stop();
    let mut lowered = Lowered { items: Vec::new(), firsts, entries };
    touch::add(&mut lower, &mut lowered, unknown, problems);
    lowered
}

impl Lower<'_> {
    /// Rewrites one instruction.
    fn one(&mut self, source: &Source) -> Result<()> {
        let instruction = &source.instruction;
        let skips_call = std::mem::take(&mut self.skips_call);
        if skips_call
            && matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
        {
            return Ok(());
        }
        if special::is_nothing(instruction) {
            return Ok(());
        }
        if let Some(result) = self.special(source) {
            return result;
        }
        match instruction.flow_control() {
            FlowControl::Next => {}
            FlowControl::Exception => return self.stop_here(),
            FlowControl::Interrupt if instruction.mnemonic() == Mnemonic::Int3 => {
                return self.stop_here();
            }
            _ => return self.branch(source),
        }
        if instruction.is_string_instruction() {
            return self.string(source);
        }
        if instruction.mnemonic() == Mnemonic::Lea {
            return self.lea(source);
        }
        if stack::names_sp(instruction) {
            return self.stack(source);
        }
        self.plain(source)
    }

    /// Rewrites an instruction of which only the operands matter.
    fn plain(&mut self, source: &Source) -> Result<()> {
        let mut item = self.item();
        let mut instruction = source.instruction;
        let using = self.confine(&mut instruction, source)?;
        self.encode(&mut item, &instruction, using, source.immediate)?;
        item.stack = stack::effect(&instruction);
        self.items.push(item);
        Ok(())
    }
}
