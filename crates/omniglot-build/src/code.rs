//! The generated C, and which part of it belongs to which item of the header, so that items which a
//! C compiler rejects can be left out alone.

use std::ops::Range;

/// The macro that is defined when C that was generated ahead is compiled: other versions of the
/// headers may have other constants.
pub(crate) const AHEAD: &str = "OMNIGLOT_GENERATED_AHEAD";

/// Something of a header that generated C is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    /// A struct, union or enum, by its Rust name.
    Type(String),
    /// A function, by its C name.
    Function(String),
    /// A global, by its C name.
    Global(String),
    /// A function pointer's type.
    Signature(String),
    /// A macro.
    Constant(String),
}

/// The text that is about one item.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) item: Item,
    pub(crate) bytes: Range<usize>,
}

/// Generated C.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) text: String,
    /// In the order of the text. Text that belongs to no unit is the same for every header.
    pub(crate) units: Vec<Unit>,
}

impl Code {
    /// The item of a line; the first line is 1.
    pub(crate) fn item_at(&self, line: usize) -> Option<&Item> {
        let place = match line.checked_sub(2) {
            None => 0,
            Some(before) => self.text.match_indices('\n').nth(before)?.0 + 1,
        };
        let unit = self.units.iter().find(|unit| unit.bytes.contains(&place));
        unit.map(|unit| &unit.item)
    }

    /// What comes before the first unit: the headers.
    pub(crate) fn prologue(&self) -> &str {
        self.up_to(0)
    }

    /// The text before the unit with this index, or all of it.
    pub(crate) fn up_to(&self, index: usize) -> &str {
        let end = self.units.get(index).map_or(self.text.len(), |unit| unit.bytes.start);
        self.text.get(..end).unwrap_or(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Item, Unit};

    #[test]
    fn lines_are_found_in_their_units() {
        let item = Item::Function("f".to_owned());
        let unit = Unit { item: item.clone(), bytes: 4..10 };
        let code = Code { text: "one\ntwo\nx\nthree\n".to_owned(), units: vec![unit] };
        let items = [1, 2, 3, 4, 9].map(|line| code.item_at(line));
        assert_eq!(items, [None, Some(&item), Some(&item), None, None]);
        assert_eq!((code.prologue(), code.up_to(1)), ("one\n", code.text.as_str()));
    }
}
