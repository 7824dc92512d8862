//! Finds places in code that are reached other than by a direct branch, and jump tables whose
//! entries are relative to the table.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{Instruction, OpKind};
use object::elf;

use crate::code::{Code, Meaning, Source};
use crate::error::Problem;
use crate::linked::{Id, Linked, Target};
use crate::objects::{At, Kind};

/// An entry of a jump table in position-independent code: the distance from the table to the
/// target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The section of the table, and the entry's offset in it.
    pub(crate) section: Id,
    pub(crate) offset: u64,
    /// The table's offset in the same section.
    pub(crate) table: i64,
    /// The target of the jump.
    pub(crate) target: Target,
}

/// Places in code whose address is taken.
#[derive(Default)]
pub(crate) struct Labels {
    /// Offsets by section: functions, and what data or operands refer to.
    pub(crate) taken: BTreeMap<Id, BTreeSet<u64>>,
    pub(crate) entries: Vec<Entry>,
}

/// Returns true if an instruction's only operand is a branch target.
pub(crate) fn is_near_branch(instruction: &Instruction) -> bool {
    instruction.op_count() > 0 && instruction.op0_kind() == OpKind::NearBranch64
}

/// The target of a direct branch, within the section or by a relocation.
pub(crate) fn branch_target(id: Id, source: &Source) -> Option<Target> {
    if !is_near_branch(&source.instruction) {
        return None;
    }
    match source.immediate {
        Some(Meaning::Address(target) | Meaning::Slot(target)) => Some(target),
        Some(_) => None,
        None => {
            let offset = source.instruction.near_branch64().cast_signed();
            Some(Target::Section(id, offset))
        }
    }
}

/// The target of an operand other than a branch target: its displacement, relocated or not.
pub(crate) fn operand_target(id: Id, source: &Source) -> Option<Target> {
    match source.displacement {
        Some(Meaning::Address(target) | Meaning::Slot(target)) => Some(target),
        Some(_) => None,
        None if source.instruction.is_ip_rel_memory_operand() => {
            let offset = source.instruction.ip_rel_memory_address().cast_signed();
            Some(Target::Section(id, offset))
        }
        None => None,
    }
}

/// Collects the labels.
pub(crate) fn collect(
    linked: &Linked,
    reached: &BTreeSet<Id>,
    codes: &[Code],
    problems: &mut Vec<Problem>,
) -> Labels {
    let mut labels = Labels::default();
    let mut referred: BTreeMap<Id, BTreeSet<i64>> = BTreeMap::new();
    let is_code = |id: Id| linked.section(id).kind == Kind::Code;
    let mut refer = |labels: &mut Labels, target: Option<Target>| {
        let Some(Target::Section(id, offset)) = target else { return };
        match u64::try_from(offset) {
            Ok(offset) if is_code(id) => {
                labels.taken.entry(id).or_default().insert(offset);
            }
            _ => {
                referred.entry(id).or_default().insert(offset);
            }
        }
    };
    for code in codes {
        for source in &code.sources {
            refer(&mut labels, operand_target(code.id, source));
            if !is_near_branch(&source.instruction)
                && let Some(Meaning::Address(target)) = source.immediate
            {
                refer(&mut labels, Some(target));
            }
        }
    }
    functions(linked, reached, &mut labels);
    for &id in reached.iter().filter(|id| !is_code(**id)) {
        in_data(linked, id, &referred, &mut labels, problems);
    }
    labels
}

/// Adds functions, which can be reached from anywhere by name.
fn functions(linked: &Linked, reached: &BTreeSet<Id>, labels: &mut Labels) {
    for (object, contents) in linked.objects.iter().enumerate() {
        for symbol in contents.symbols.iter().filter(|symbol| symbol.is_function) {
            if let At::Section(section, offset) = symbol.at {
                let id = Id { object, section };
                if reached.contains(&id) {
                    labels.taken.entry(id).or_default().insert(offset);
                }
            }
        }
    }
}

/// Adds addresses of code in data.
fn in_data(
    linked: &Linked,
    id: Id,
    referred: &BTreeMap<Id, BTreeSet<i64>>,
    labels: &mut Labels,
    problems: &mut Vec<Problem>,
) {
    for relocation in &linked.section(id).relocations {
        let Some(symbol) = linked.resolve(id.object, relocation.symbol) else { continue };
        let absolute = symbol.plus(relocation.addend);
        let Target::Section(code, _) = absolute else { continue };
        if linked.section(code).kind != Kind::Code {
            continue;
        }
        let is_relative = matches!(relocation.kind, elf::R_X86_64_PC32 | elf::R_X86_64_PC64);
        let target = if is_relative {
            // The assembler made the distance relative to the entry. It is meant relative to the
            // table.
            let offset = relocation.offset.cast_signed();
            let table = referred.get(&id).and_then(|places| places.range(..=offset).next_back());
            let Some(&table) = table else {
                let what = "the distance of code from a place that no instruction names";
                problems.push(linked.problem(id, relocation.offset, what, TABLE));
                continue;
            };
            let target = absolute.plus(table.wrapping_sub(offset));
            labels.entries.push(Entry { section: id, offset: relocation.offset, table, target });
            target
        } else {
            absolute
        };
        if let Target::Section(code, offset) = target
            && let Ok(offset) = u64::try_from(offset)
        {
            labels.taken.entry(code).or_default().insert(offset);
        }
    }
}

const TABLE: &str = "compile with -fno-pic -fno-pie, or with -fno-jump-tables";

/// Reports labels that are not at the beginning of an instruction.
pub(crate) fn check(linked: &Linked, codes: &[Code], labels: &Labels, problems: &mut Vec<Problem>) {
    for code in codes {
        let length = linked.section(code.id).size;
        for &offset in labels.taken.get(&code.id).into_iter().flatten() {
            if code.index_of(offset).is_none() && offset != length {
                let what = "an address that something names is within an instruction";
                problems.push(linked.problem(code.id, offset, what, TABLE));
            }
        }
    }
}
