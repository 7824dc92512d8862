//! Places the items of a section in lines of 32 bytes.
//!
//! Indirect branches lead to the beginnings of lines, so a place whose address is taken begins a
//! line. No item crosses lines. Calls end a line, so that they return to the next. All offsets
//! depend on the section alone, since it begins a line.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::item::{Fix, Item, Shape};
use crate::lower::Lowered;

const LINE: usize = omniglot_verify::LINE as usize;

/// A placed section, complete except for fields that depend on other sections.
pub(crate) struct Placed {
    pub(crate) bytes: Vec<u8>,
    /// The new offset of each instruction of the object, with one more for the end.
    pub(crate) starts: Vec<usize>,
    /// The targets of indirect jumps, where these differ from `starts`.
    pub(crate) entries: BTreeMap<usize, usize>,
    /// Fields to be filled in, each with the offset of its item in the section.
    pub(crate) fixes: Vec<(usize, Fix)>,
    /// The offset of each item, and the instruction that it was made from.
    pub(crate) origins: Vec<(usize, usize)>,
}

/// Places the items of a section.
pub(crate) fn place(code: &Code, lowered: &Lowered, taken: Option<&BTreeSet<u64>>) -> Placed {
    let Lowered { items, firsts, entries } = lowered;
    let mut is_taken = vec![false; items.len() + 1];
    for (number, source) in code.sources.iter().enumerate() {
        if taken.is_some_and(|taken| taken.contains(&source.instruction.ip())) {
            is_taken[*entries.get(&number).unwrap_or(&firsts[number])] = true;
        }
    }
    // Branches start short. A branch that turns out too far becomes long, and stays so.
    let mut is_long = vec![false; items.len()];
    let places = loop {
        let places = positions(items, &is_taken, &is_long);
        if !lengthen(items, firsts, &places, &mut is_long) {
            break places;
        }
    };
    write(lowered, &is_taken, &is_long, &places)
}

/// The start of an item, and the address of control that leads to it. The latter comes before any
/// padding if the item's address is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    item: usize,
    label: usize,
}

fn length(item: &Item, is_long: bool) -> usize {
    match (item.shape, is_long) {
        (Shape::Branch(..), false) => 2,
        (Shape::Branch(Some(_), _), true) => 6,
        (Shape::Branch(None, _), true) => 5,
        _ => item.bytes().len(),
    }
}

/// Computes the positions of all items. The last position is the end.
fn positions(items: &[Item], is_taken: &[bool], is_long: &[bool]) -> Vec<Position> {
    let mut at = 0_usize;
    let mut positions = Vec::with_capacity(items.len() + 1);
    for (number, item) in items.iter().enumerate() {
        let length = length(item, is_long[number]);
        if is_taken[number] {
            at = at.next_multiple_of(LINE);
        }
        let label = at;
        match item.shape {
            Shape::EndsLine => at = (at + length).next_multiple_of(LINE) - length,
            _ if at % LINE + length > LINE => at = at.next_multiple_of(LINE),
            _ => {}
        }
        let label = if is_taken[number] { label } else { at };
        positions.push(Position { item: at, label });
        at += length;
    }
    positions.push(Position { item: at, label: at });
    positions
}

/// Makes branches long whose targets are too far. Returns true if there were any.
fn lengthen(items: &[Item], firsts: &[usize], places: &[Position], is_long: &mut [bool]) -> bool {
    let mut is_more = false;
    for (number, item) in items.iter().enumerate() {
        let Shape::Branch(_, to) = item.shape else { continue };
        if is_long[number] {
            continue;
        }
        let end = places[number].item as i64 + 2;
        let distance = places[firsts[to]].label as i64 - end;
        if i8::try_from(distance).is_err() {
            is_long[number] = true;
            is_more = true;
        }
    }
    is_more
}

fn write(lowered: &Lowered, is_taken: &[bool], is_long: &[bool], places: &[Position]) -> Placed {
    let Lowered { items, firsts, entries } = lowered;
    let end = places.last().map_or(0, |place| place.item);
    let mut placed = Placed {
        bytes: Vec::with_capacity(end),
        starts: firsts.iter().map(|first| places[*first].label).collect(),
        entries: entries.iter().map(|(number, item)| (*number, places[*item].label)).collect(),
        fixes: Vec::new(),
        origins: Vec::with_capacity(items.len()),
    };
    debug_assert_eq!(is_taken.len(), places.len());
    for (number, item) in items.iter().enumerate() {
        let at = places[number].item;
        fill(&mut placed.bytes, at);
        placed.origins.push((at, item.source));
        match item.shape {
            Shape::Branch(condition, to) => {
                let end = at + length(item, is_long[number]);
                let distance = places[firsts[to]].label as i64 - end as i64;
                branch(&mut placed.bytes, condition, is_long[number], distance as i32);
            }
            Shape::Plain | Shape::EndsLine => placed.bytes.extend_from_slice(item.bytes()),
        }
        placed.fixes.extend(item.fixes.iter().flatten().map(|fix| (at, *fix)));
    }
    placed
}

fn branch(bytes: &mut Vec<u8>, condition: Option<u8>, is_long: bool, distance: i32) {
    match (condition, is_long) {
        (Some(condition), false) => bytes.extend([0x70 | condition, distance as u8]),
        (None, false) => bytes.extend([0xeb, distance as u8]),
        (Some(condition), true) => {
            bytes.extend([0x0f, 0x80 | condition]);
            bytes.extend(distance.to_le_bytes());
        }
        (None, true) => {
            bytes.push(0xe9);
            bytes.extend(distance.to_le_bytes());
        }
    }
}

/// The no-operations of the Intel SDM (volume 2, NOP), by length.
const NOTHING: [&[u8]; 10] = [
    &[],
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0],
    &[0x0f, 0x1f, 0x44, 0, 0],
    &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
    &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
    &[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
];

/// Pads with no-operations that do not cross lines.
fn fill(bytes: &mut Vec<u8>, end: usize) {
    while bytes.len() < end {
        let in_line = LINE - bytes.len() % LINE;
        let length = (end - bytes.len()).min(in_line).min(NOTHING.len() - 1);
        bytes.extend_from_slice(NOTHING[length]);
    }
}
