//! A foreign image: a C library with its shims, linked to a domain's memory.
//!
//! `omniglot-build` writes the image, and the kernel embeds it. It begins with a header of
//! [`WORDS`] little-endian words. The code (with constants) follows, then the initial values of
//! variables. The header is checked before any of it is used.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use omniglot_core::zerocopy::FromBytes;
use omniglot_core::{Error, Result, Text};

/// "OMNI" in byte order.
const MAGIC: u32 = u32::from_le_bytes(*b"OMNI");
/// The version of the header and of the protocol between image and host.
const VERSION: u32 = 1;
/// The number of words in the header.
const WORDS: usize = 24;
/// Offset of the first byte that the checksum covers: all but magic, version and the checksum
/// itself.
const CHECKED_FROM: usize = 12;
/// Alignment of C's stack pointer (RISC-V calling convention).
const STACK_ALIGN: usize = 16;

/// Alignment of PMP bounds.
const PROTECTED_IN: usize = 4;

/// A checked image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlatImage<'image> {
    /// Code and constants.
    pub(crate) code: &'image [u8],
    /// The initial values of variables.
    pub(crate) data: &'image [u8],
    /// The domain's first address, where its code starts.
    pub(crate) start: usize,
    /// The first address of its RAM.
    pub(crate) ram: usize,
    /// The address behind its end.
    pub(crate) end: usize,
    /// The address to which `data` is copied.
    pub(crate) data_start: usize,
    /// The initial stack pointer. The stack starts with the RAM and grows down.
    pub(crate) stack_top: usize,
    /// The start of the exchange area, which extends to the domain's end.
    pub(crate) exchange: usize,
    /// The value of C's `tp`.
    pub(crate) thread_pointer: usize,
    /// The entry that runs the library's constructors.
    pub(crate) initialise: usize,
    /// The stub that shims return to.
    pub(crate) return_stub: usize,
    /// The address of the variable that holds [`call_back_stub`](Self::call_back_stub).
    pub(crate) callback_variable: usize,
    /// The stub that trampolines call.
    pub(crate) call_back_stub: usize,
    /// Tables of addresses in the code.
    shims: &'image [u32],
    trampolines: &'image [u32],
}

/// A check's result, with what is wrong as text. It becomes an [`Error`] in one place, since errors
/// are large.
type Checked<T> = core::result::Result<T, &'static str>;

/// The checksum of an image: CRC-32 as in zlib, which finds every burst of errors up to 32 bits.
fn checksum(bytes: &[u8]) -> u32 {
    Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC).checksum(bytes)
}

impl<'image> FlatImage<'image> {
    /// Checks an image.
    ///
    /// # Errors
    /// [`Error::Load`] says what is wrong with the image.
    pub(crate) fn new(bytes: &'image [u8]) -> Result<Self> {
        let image = header(bytes).and_then(|(header, behind)| {
            let image = Self::read(header, behind).ok_or("its sizes do not fit together")?;
            if image.is_in_its_region() {
                Ok(image)
            } else {
                Err("its parts are not in its region")
            }
        });
        image.map_err(|what| Error::Load(Text::fixed(what)))
    }

    /// Reads the fields of the header, and splits what follows it.
    fn read(header: &[u32; WORDS], behind: &'image [u8]) -> Option<Self> {
        // The last three words are reserved.
        let [
            _magic,
            _version,
            _checksum,
            _len,
            start,
            ram,
            end,
            code_len,
            data_start,
            data_len,
            stack_top,
            exchange,
            thread_pointer,
            initialise,
            return_stub,
            call_back_stub,
            callback_variable,
            shims,
            shim_count,
            trampolines,
            trampoline_count,
            ..,
        ] = header.map(|word| u32::from_le(word) as usize);
        let (code, data) = behind.split_at_checked(code_len)?;
        let table = |address: usize, len: usize| {
            let part = code.get(address.checked_sub(start)?..)?;
            let (table, _) = <[u32]>::ref_from_prefix_with_elems(part, len).ok()?;
            Some(table)
        };
        let (shims, trampolines) =
            (table(shims, shim_count)?, table(trampolines, trampoline_count)?);
        (data.len() == data_len).then_some(Self {
            code,
            data,
            start,
            ram,
            end,
            data_start,
            stack_top,
            exchange,
            thread_pointer,
            initialise,
            return_stub,
            callback_variable,
            call_back_stub,
            shims,
            trampolines,
        })
    }

    /// Returns true if every part lies in its range. The tool that made the image ensured that, and
    /// the checksum shows that nothing has changed since. A wrong address could not harm the host
    /// either: foreign code is confined from its first instruction on.
    fn is_in_its_region(&self) -> bool {
        let in_ram = |start: usize, len: usize| {
            start >= self.ram && start <= self.end && len <= self.end - start
        };
        let bounds = [self.start, self.ram, self.end];
        bounds.iter().all(|bound| bound.is_multiple_of(PROTECTED_IN))
            && self.start < self.ram
            && self.ram < self.end
            && self.code.len() <= self.ram - self.start
            && in_ram(self.data_start, self.data.len())
            && in_ram(self.stack_top, 0)
            && in_ram(self.exchange, 0)
            && in_ram(self.callback_variable, 4)
            && self.stack_top.is_multiple_of(STACK_ALIGN)
            && self.exchange.is_multiple_of(STACK_ALIGN)
    }

    /// The entry address of a shim.
    #[inline(always)]
    pub(crate) fn shim(&self, index: u32) -> Option<usize> {
        address(self.shims, index)
    }

    /// The address of a slot's trampoline.
    pub(crate) fn trampoline(&self, slot: u32) -> Option<usize> {
        address(self.trampolines, slot)
    }

    /// The numbers of shims and of callback slots.
    pub(crate) const fn counts(&self) -> (usize, usize) {
        (self.shims.len(), self.trampolines.len())
    }
}

#[inline(always)]
fn address(table: &[u32], index: u32) -> Option<usize> {
    table.get(index as usize).map(|address| u32::from_le(*address) as usize)
}

/// Splits the bytes into header and body, and checks that they are one complete image.
fn header(bytes: &[u8]) -> Checked<(&[u32; WORDS], &[u8])> {
    if bytes.is_empty() {
        return Err("nothing was built for this target: name a .region(...) in build.rs");
    }
    if !bytes.as_ptr().addr().is_multiple_of(align_of::<u32>()) {
        return Err("the image is not aligned to 4 bytes: embed it as the bindings do");
    }
    let (header, behind) =
        <[u32; WORDS]>::ref_from_prefix(bytes).map_err(|_| "this is no foreign image")?;
    let [magic, version, sum, len, ..] = header.map(u32::from_le);
    if magic != MAGIC {
        return Err("this is no foreign image");
    }
    if version != VERSION {
        return Err("another version of omniglot-build made this image: build it anew");
    }
    if len as usize != bytes.len() {
        return Err("the image is cut off, or something was added");
    }
    if sum != checksum(bytes.get(CHECKED_FROM..).unwrap_or(&[])) {
        return Err("the image is damaged: its checksum is wrong");
    }
    Ok((header, behind))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use omniglot_core::zerocopy::IntoBytes;

    use omniglot_fuzz::{Random, fuzz};

    use super::{CHECKED_FROM, Error, FlatImage, WORDS, checksum};

    const HEADER: usize = WORDS * 4;

    const START: u32 = 0x8000_0000;

    /// An image with two shims and one trampoline, with these header words changed.
    fn image(changes: &[(usize, u32)]) -> Vec<u8> {
        let mut words = [0; HEADER / 4];
        let fields = [
            u32::from_le_bytes(*b"OMNI"),
            1,
            0,
            HEADER as u32 + 24,
            START,
            START + 64,
            START + 4096,
            16, // the code: a word, then the tables
            START + 576,
            8,
            START + 576,
            START + 2048,
            START + 584,
            START,
            START,
            START,
            START + 580,
            START + 4,
            2,
            START + 12,
            1,
        ];
        for (word, field) in words.iter_mut().zip(fields) {
            *word = field;
        }
        for (index, value) in changes {
            words[*index] = *value;
        }
        let code = [0x0000_8067, START, START + 2, START + 4];
        let data = [1, 2];
        let all = words.iter().chain(&code).chain(&data);
        let mut bytes: Vec<u8> = all.copied().flat_map(u32::to_le_bytes).collect();
        let sum = checksum(&bytes[CHECKED_FROM..]);
        bytes[8..12].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn read(bytes: Vec<u8>) -> Result<FlatImage<'static>, Error> {
        let words = std::vec![0_u32; bytes.len().div_ceil(4)].leak();
        let (aligned, _) = words.as_mut_bytes().split_at_mut(bytes.len());
        aligned.copy_from_slice(&bytes);
        FlatImage::new(aligned)
    }

    #[test]
    fn misaligned_images_are_refused() {
        let mut bytes = std::vec![0];
        bytes.extend(image(&[]));
        let words = std::vec![0_u32; bytes.len().div_ceil(4)].leak();
        let (aligned, _) = words.as_mut_bytes().split_at_mut(bytes.len());
        aligned.copy_from_slice(&bytes);
        let Err(Error::Load(text)) = FlatImage::new(&aligned[1..]) else { panic!("it was taken") };
        assert!(text.as_str().contains("aligned"), "{text}");
    }

    #[test]
    fn a_whole_image_is_read() {
        let image = read(image(&[])).unwrap();
        assert_eq!((image.code.len(), image.data), (16, &[1, 0, 0, 0, 2, 0, 0, 0][..]));
        assert_eq!(image.shim(1), Some(0x8000_0002));
        assert_eq!(image.trampoline(0), Some(0x8000_0004));
        assert_eq!((image.shim(2), image.trampoline(1)), (None, None));
    }

    #[test]
    fn every_cut_is_refused() {
        let whole = image(&[]);
        for len in 0..whole.len() {
            assert!(matches!(read(whole[..len].to_vec()), Err(Error::Load(_))), "{len}");
        }
        let mut longer = whole;
        longer.push(0);
        assert!(read(longer).is_err());
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let whole = image(&[]);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(damaged), Err(Error::Load(_))), "{bit}");
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        for change in [
            (4, u32::MAX),
            (4, START + 2),
            (5, START + 65),
            (6, START + 4095),
            (5, START),
            (6, START),
            (7, 15),
            (7, u32::MAX),
            (8, START),
            (8, START + 4092),
            (9, 4),
            (10, START + 577),
            (10, START),
            (11, START + 4100),
            (16, START),
            (17, START + 16),
            (17, 0),
            (18, 4),
            (18, u32::MAX),
            (20, 2),
        ] {
            assert!(matches!(read(image(&[change])), Err(Error::Load(_))), "{change:?}");
        }
    }

    #[test]
    fn other_versions_are_named() {
        let Err(Error::Load(text)) = read(image(&[(1, 2)])) else { panic!("it was taken") };
        assert!(text.as_str().contains("another version"), "{text}");
    }

    /// A random header word: a place near one of the image's own, or any number.
    fn word(random: &mut Random) -> u32 {
        match random.below(5) {
            0 => random.edge() as u32,
            1 => random.below(64) as u32,
            _ => (START - 16).wrapping_add(random.below(4200) as u32) & !(random.below(16) as u32),
        }
    }

    #[test]
    fn whatever_an_image_says_it_is_checked() {
        let (mut taken, mut refused) = (0_u64, 0_u64);
        fuzz("images", 50_000, |random| {
            let changes = (0..random.below(4)).map(|_| (4 + random.index(17), word(random)));
            let mut bytes = image(&changes.collect::<Vec<_>>());
            let is_damaged = random.once_in(4);
            let whole = bytes.clone();
            if is_damaged {
                random.mutate(&mut bytes);
            }
            // Copied to an address that is a multiple of four.
            let mut room = std::vec![0_u32; bytes.len().div_ceil(4)];
            let (aligned, _) = room.as_mut_bytes().split_at_mut(bytes.len());
            aligned.copy_from_slice(&bytes);
            match FlatImage::new(aligned) {
                Ok(image) => {
                    taken += 1;
                    assert!(!is_damaged || bytes == whole, "damage goes unnoticed: {bytes:02x?}");
                    check(&image, &bytes);
                }
                Err(error) => {
                    refused += 1;
                    assert!(matches!(error, Error::Load(_)), "{error}");
                }
            }
        });
        std::println!("images: {taken} taken, {refused} refused");
    }

    /// Asserts what must hold of an accepted image, computing with its header's words in 64 bits.
    fn check(image: &FlatImage<'_>, bytes: &[u8]) {
        let word = |index: usize| {
            let word = bytes[index * 4..].first_chunk().copied().unwrap();
            u64::from(u32::from_le_bytes(word))
        };
        let [start, ram, end] = [4, 5, 6].map(word);
        let (code_len, data_start, data_len) = (word(7), word(8), word(9));
        let told = || std::format!("{bytes:02x?}");
        assert!(start < ram && ram < end && start + code_len <= ram, "{}", told());
        assert!(ram <= data_start && data_start + data_len <= end, "{}", told());
        assert!([word(10), word(11)].iter().all(|place| (ram..=end).contains(place)), "{}", told());
        assert!(ram <= word(16) && word(16) + 4 <= end, "{}", told());
        assert_eq!((image.code.len() as u64, image.data.len() as u64), (code_len, data_len));
        // The tables lie in the code, and every entry can be looked up.
        for (table, count) in [(17, 18), (19, 20)].map(|(table, count)| (word(table), word(count)))
        {
            let is_inside = start <= table && table + 4 * count <= start + code_len;
            assert!(is_inside || count == 0, "{}", told());
        }
        let (shims, trampolines) = image.counts();
        assert_eq!((shims as u64, trampolines as u64), (word(18), word(20)));
        assert_eq!((image.shim(shims as u32), image.trampoline(trampolines as u32)), (None, None));
        assert!((0..shims as u32).all(|shim| image.shim(shim).is_some()));
        assert!((0..trampolines as u32).all(|slot| image.trampoline(slot).is_some()));
    }
}
