//! Tests zlib on a third party's file that another implementation compressed.

use crc::{CRC_32_ISO_HDLC, Crc};
use omniglot_kernel::{Kernel, sample};
use static_cell::ConstStaticCell;

use crate::report::{Outcome, Report, Test, because, check, equal, unexpected};

const TESTS: &[Test] = &[
    ("zlib::a_file_is_decompressed", whole),
    ("zlib::a_file_that_is_cut_off_is_an_error", cut_off),
    ("zlib::a_damaged_file_is_an_error", damaged),
];

/// Room for a copy of the compressed file that is then damaged.
const ROOM: usize = 128 << 10;
static COPY: ConstStaticCell<[u8; ROOM]> = ConstStaticCell::new([0; ROOM]);

pub(crate) fn run(kernel: &mut Kernel, report: &mut Report) {
    report.run(kernel, TESTS);
}

/// Returns the CRC-32 and the length of the output.
fn inflate(kernel: &mut Kernel, packed: &[u8]) -> Result<(u32, usize), crate::report::Why> {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    let service = &mut kernel.services.compression;
    let len = service.inflate(packed, |bytes| digest.update(bytes)).map_err(unexpected)?;
    Ok((digest.finalize(), len))
}

fn whole(kernel: &mut Kernel) -> Outcome {
    equal(&inflate(kernel, sample::PACKED)?, &(sample::CRC32, sample::LENGTH))
}

fn cut_off(kernel: &mut Kernel) -> Outcome {
    for len in [0, 1, 10, 1000, sample::PACKED.len() - 1] {
        let part = sample::PACKED.get(..len).unwrap_or(&[]);
        check(inflate(kernel, part).is_err(), format_args!("{len} bytes of it are good"))?;
    }
    // None of them leaked memory.
    whole(kernel)
}

/// Flips one bit in each of many places, but none in gzip's header, where some do not matter.
fn damaged(kernel: &mut Kernel) -> Outcome {
    const HEADER: usize = 10;
    let copy = COPY.try_take().and_then(|copy| copy.get_mut(..sample::PACKED.len()));
    let copy = copy.ok_or_else(|| because(format_args!("there is no room")))?;
    copy.copy_from_slice(sample::PACKED);
    for place in (HEADER..copy.len()).step_by(2999) {
        flip(copy, place);
        let found = inflate(kernel, copy);
        flip(copy, place);
        check(found.is_err(), format_args!("a bit of byte {place} does not matter"))?;
    }
    equal(&inflate(kernel, copy)?, &(sample::CRC32, sample::LENGTH))
}

fn flip(bytes: &mut [u8], place: usize) {
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 0x10;
    }
}
