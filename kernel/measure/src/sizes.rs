//! Sizes of the foreign images, from their own headers (`omniglot-pmp`, `image.rs`).

use core::fmt::Write;

use omniglot::Description;
use omniglot_kernel::foreign::{littlefs, lwip, micro_ecc, monocypher, zlib};
use omniglot_kernel_hardware::Uart;

const LIBRARIES: [Description; 5] = [
    monocypher::DESCRIPTION,
    micro_ecc::DESCRIPTION,
    littlefs::DESCRIPTION,
    lwip::DESCRIPTION,
    zlib::DESCRIPTION,
];

/// Prints a table. "Code" includes the constants and the shims. "Variables" have initial values,
/// which are stored with the code too. The region is all the RAM that is reserved.
pub(crate) fn print(uart: &mut Uart) {
    let _ = writeln!(uart, "\n| library | shims | code | variables | image | region |");
    let _ = writeln!(uart, "|---|---:|---:|---:|---:|---:|");
    for Description { name, image, shims, .. } in LIBRARIES {
        let (start, end, code, data) =
            (word(image, 4), word(image, 6), word(image, 7), word(image, 9));
        let (image, region) = (image.len(), end.saturating_sub(start));
        let _ = writeln!(uart, "| {name} | {shims} | {code} | {data} | {image} | {region} |");
    }
}

fn word(image: &[u8], index: usize) -> u32 {
    let bytes = image.get(4 * index..).and_then(|bytes| bytes.first_chunk());
    bytes.copied().map_or(0, u32::from_le_bytes)
}
