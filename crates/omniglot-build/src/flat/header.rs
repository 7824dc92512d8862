//! The header of a flat image, which crates/omniglot-pmp (`image.rs`) checks.

use crc::{CRC_32_ISO_HDLC, Crc};

use super::elf::Linked;
use crate::error::{Error, Result};

const MAGIC: u32 = u32::from_le_bytes(*b"OMNI");
/// Changes with the header and with the protocol between image and host.
const VERSION: u32 = 1;
/// How many words the header has; the last ones are reserved.
const WORDS: usize = 24;
/// Magic, version and checksum itself are not in the checksum.
const CHECKED_FROM: usize = 12;

/// `struct omniglot_image` of the generated C.
struct Table {
    shim_count: u32,
    slot_count: u32,
    shims: u32,
    trampolines: u32,
    callback: u32,
}

impl Table {
    fn new(linked: &Linked) -> Result<Self> {
        let start = linked.symbol("omniglot_image")?;
        let field = |index: u32| linked.word(start + 4 * index);
        Ok(Self {
            shim_count: field(1)?,
            slot_count: field(2)?,
            shims: field(4)?,
            trampolines: field(5)?,
            callback: field(6)?,
        })
    }
}

/// The image: header, code, initial values of variables.
pub(crate) fn image(linked: &Linked) -> Result<Vec<u8>> {
    let symbol = |name: &str| linked.symbol(name);
    let (start, ram) = (symbol("omniglot_region_start")?, symbol("omniglot_ram")?);
    let (data_start, data_end) = (symbol("omniglot_data")?, symbol("omniglot_data_end")?);
    let code = linked.contents(start, ram);
    let data = linked.contents(data_start, data_end.max(data_start));
    let table = Table::new(linked)?;
    let length = WORDS * 4 + code.len() + data.len();
    let words = [
        MAGIC,
        VERSION,
        0, // the checksum
        size(length)?,
        start,
        ram,
        symbol("omniglot_region_end")?,
        size(code.len())?,
        data_start,
        size(data.len())?,
        symbol("omniglot_stack_top")?,
        symbol("omniglot_exchange")?,
        symbol("omniglot_tdata")?,
        symbol("omniglot_start")?,
        symbol("omniglot_return")?,
        symbol("omniglot_call_back")?,
        table.callback,
        table.shims,
        table.shim_count,
        table.trampolines,
        table.slot_count,
    ];
    let mut image: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    image.resize(WORDS * 4, 0);
    image.extend(code);
    image.extend(data);
    Ok(with_checksum(image))
}

fn with_checksum(mut image: Vec<u8>) -> Vec<u8> {
    let checked = image.get(CHECKED_FROM..).unwrap_or(&[]);
    let checksum = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(checked).to_le_bytes();
    if let Some(room) = image.get_mut(CHECKED_FROM - checksum.len()..CHECKED_FROM) {
        room.copy_from_slice(&checksum);
    }
    image
}

fn size(bytes: usize) -> Result<u32> {
    u32::try_from(bytes).map_err(|_| Error::Region { message: "it exceeds 32 bits".to_owned() })
}
