//! Puts a section's items into lines of 32 bytes.
//!
//! Indirect branches lead to lines' beginnings, so what is reached by its address begins one;
//! nothing lies across two; calls end one, so that they return to the next. All places in a
//! section depend on the section alone, since it begins a line.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::item::{Fix, Item, Shape};
use crate::lower::Lowered;

const LINE: usize = omniglot_verify::LINE as usize;

/// A section as it will be, but for the numbers that depend on others.
pub(crate) struct Placed {
    pub(crate) bytes: Vec<u8>,
    /// Where each instruction of the object is now; one more, for the end.
    pub(crate) starts: Vec<usize>,
    /// Where indirect jumps are to lead, if not there.
    pub(crate) entries: BTreeMap<usize, usize>,
    /// Numbers to be filled in: where in the section the item begins, and which.
    pub(crate) fixes: Vec<(usize, Fix)>,
    /// Where each item is, and the instruction that it was made of.
    pub(crate) origins: Vec<(usize, usize)>,
}

/// Places a section's items.
pub(crate) fn place(code: &Code, lowered: &Lowered, taken: Option<&BTreeSet<u64>>) -> Placed {
    let Lowered { items, firsts, entries } = lowered;
    let mut is_taken = vec![false; items.len() + 1];
    for (number, source) in code.sources.iter().enumerate() {
        if taken.is_some_and(|taken| taken.contains(&source.instruction.ip())) {
            is_taken[*entries.get(&number).unwrap_or(&firsts[number])] = true;
        }
    }
    // Branches are short until it is seen that one leads too far; then it is long for good.
    let mut is_long = vec![false; items.len()];
    let places = loop {
        let places = positions(items, &is_taken, &is_long);
        if !lengthen(items, firsts, &places, &mut is_long) {
            break places;
        }
    };
    write(lowered, &is_taken, &is_long, &places)
}

/// Where an item begins, and where control goes that leads to it: before what fills its line up,
/// if it is reached by its address.
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

/// Goes through all items once; the last position is the end.
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

/// Makes those branches long that lead too far; whether there were any.
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

/// Fills up with no-operations, none of which lies across lines.
fn fill(bytes: &mut Vec<u8>, end: usize) {
    while bytes.len() < end {
        let in_line = LINE - bytes.len() % LINE;
        let length = (end - bytes.len()).min(in_line).min(NOTHING.len() - 1);
        bytes.extend_from_slice(NOTHING[length]);
    }
}
