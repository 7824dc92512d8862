//! Adds accesses to the stack after steps that no access follows soon enough.

use super::state::{Lower, Lowered};
use super::{Unknown, stack};
use crate::effects::Set;
use crate::error::Problem;
use crate::item::{Item, Stack};

/// Adds an access after each step that needs one, and adjusts the indices of first items.
pub(super) fn add(
    lower: &mut Lower<'_>,
    lowered: &mut Lowered,
    unknown: Unknown,
    problems: &mut Vec<Problem>,
) {
    let items = std::mem::take(&mut lower.items);
    let mut kept = Vec::with_capacity(items.len());
    let mut places = Vec::with_capacity(items.len() + 1);
    for (at, item) in items.iter().enumerate() {
        places.push(kept.len());
        kept.push(item.clone());
        if item.stack != Stack::Step || is_followed(&items[at + 1..]) {
            continue;
        }
        lower.at = item.source;
        match stack::touch(lower.needed(), lower.spare(Set::NONE)) {
            Some(bytes) => {
                let mut touch = Item::new(item.source);
                touch.push(&bytes);
                touch.stack = Stack::Access;
                kept.push(touch);
            }
            None => {
                let source = lower.code.sources.get(item.source);
                let offset = source.map_or(0, |source| source.instruction.ip());
                problems.push(lower.linked.problem(
                    lower.code.id,
                    offset,
                    "the stack pointer is moved where all registers and flags are needed",
                    "compile it with other options, such as -O2",
                ));
                if unknown == Unknown::Trap {
                    kept.pop();
                    lower.stop();
                    kept.append(&mut lower.items);
                }
            }
        }
    }
    places.push(kept.len());
    for place in lowered.firsts.iter_mut().chain(lowered.entries.values_mut()) {
        *place = places.get(*place).copied().unwrap_or(kept.len());
    }
    lowered.items = kept;
}

/// Returns true if the stack is always accessed, or its pointer set anew, before the pointer is
/// moved again or control goes elsewhere. This is the verifier's rule.
fn is_followed(items: &[Item]) -> bool {
    for item in items {
        match item.stack {
            Stack::Access | Stack::Set => return true,
            Stack::Step => return false,
            Stack::Unchanged if item.branches => return false,
            Stack::Unchanged => {}
        }
    }
    false
}
