//! Tables of lines (DWARF 5, chapter 6.2; 2 to 4 differ in the header only).
//!
//! They are read from the first to the last, without the units of `.debug_info` that refer to
//! them: so each is read once, whatever a file says.

use gimli::{AttributeValue, DebugLine, DebugLineOffset, EndianSlice, LineRow, LittleEndian};

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

/// The longest table that is read: there is no looking at the clock in it while it makes no rows.
const LONGEST: usize = 2 << 20;
/// The longest header. For each of its bytes space for a file's entry may be reserved.
const LONGEST_HEADER: usize = 256 << 10;
/// How many rows are looked at between two looks at the clock.
const STRETCH: usize = 1024;
/// Starts a length of eight bytes.
const EIGHT_BYTES: u32 = 0xffff_ffff;
const ADDRESS_SIZE: u8 = 8;

/// The path of the source and the line that an address belongs to.
pub(super) fn find(
    lines: &[u8],
    strings: &[u8],
    address: u64,
    is_late: impl Fn() -> bool,
) -> Option<(Vec<u8>, u64)> {
    let mut offset = 0;
    while !is_late() {
        let extent = Extent::at(lines, offset)?;
        if extent.is_read()
            && let Some(found) = find_in_table(lines, strings, offset, address, &is_late)
        {
            return Some(found);
        }
        offset = extent.end;
    }
    None
}

/// What a table takes.
struct Extent {
    length: usize,
    header: usize,
    /// Behind it.
    end: usize,
}

impl Extent {
    /// Reads the lengths, so that also tables of an unknown version are passed over.
    fn at(lines: &[u8], offset: usize) -> Option<Self> {
        let short = number(lines, offset, 4)?;
        let (start, width) =
            if short == u64::from(EIGHT_BYTES) { (offset + 12, 8) } else { (offset + 4, 4) };
        let length = if width == 8 { number(lines, offset + 4, 8)? } else { short };
        let length = usize::try_from(length).ok()?;
        let end = start.checked_add(length).filter(|end| *end <= lines.len())?;
        // The version; from 5 on the sizes of addresses and of segment selectors.
        let before = if number(lines, start, 2)? >= 5 { 4 } else { 2 };
        let header = usize::try_from(number(lines, start + before, width)?).ok()?;
        Some(Self { length, header, end })
    }

    const fn is_read(&self) -> bool {
        self.length <= LONGEST && self.header <= LONGEST_HEADER
    }
}

/// A number of so many bytes, at most eight.
fn number(bytes: &[u8], offset: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A row is about what is from its address on to the next row's.
fn find_in_table(
    lines: &[u8],
    strings: &[u8],
    offset: usize,
    address: u64,
    is_late: impl Fn() -> bool,
) -> Option<(Vec<u8>, u64)> {
    let section = DebugLine::new(lines, LittleEndian);
    let program = section.program(DebugLineOffset(offset), ADDRESS_SIZE, None, None).ok()?;
    let mut rows = program.rows();
    let mut before: Option<LineRow> = None;
    for count in 1_usize.. {
        let (_, row) = rows.next_row().ok()??;
        if before.is_some_and(|before| before.address() <= address && address < row.address()) {
            break;
        }
        before = (!row.end_sequence()).then_some(*row);
        if count.is_multiple_of(STRETCH) && is_late() {
            return None;
        }
    }
    let row = before?;
    let file = rows.header().file(row.file_index())?.path_name();
    Some((path(file, strings)?.to_owned(), row.line()?.get()))
}

fn path<'a>(file: AttributeValue<Bytes<'a>>, strings: &'a [u8]) -> Option<&'a [u8]> {
    match file {
        AttributeValue::String(path) => Some(path.slice()),
        AttributeValue::DebugLineStrRef(at) => strings.get(at.0..)?.split(|byte| *byte == 0).next(),
        _ => None,
    }
}
