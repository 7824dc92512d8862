//! The same calls behind the same protection, but without checks of values: arguments are written
//! to the domain's memory and the shim is run, as Omniglot does, and the result is used unchecked.
//! This is the least that a runtime without type safety would do. Where a SAFETY comment says that
//! a range was checked, a build with the cfg `omniglot_unchecked` relies on whoever set it, as the
//! core does.
#![allow(unsafe_code)]

use omniglot::{Description, Error, Event, Library, Reply, Result, Runtime as _, Session};
use omniglot_kernel::domain::{PATIENCE, Runtime};
use omniglot_kernel::foreign::micro_ecc::MicroEcc;
use omniglot_kernel::foreign::monocypher::Monocypher;
use omniglot_kernel::foreign::zlib::Zlib;
use omniglot_kernel_hardware::Hart;
use omniglot_kernel_hardware::memory::Regions;
use omniglot_pmp::{ForeignRegion, Pmp};

use crate::count::{Counts, LONG, SHORT, Signed, count, message};
use crate::native::signed;
use crate::{files, inflate, network};

/// Offset of the arguments in a frame: they follow the header, and the result follows them. All are
/// words. Generated code asserts this layout.
pub(crate) const ARGUMENTS: usize = 2;
/// Offset of the data, from the start of the host's part of the memory.
const DATA: usize = 64;

/// A library behind its protection.
pub(crate) struct Calls {
    pub(crate) runtime: Session<Runtime>,
    description: Description,
}

impl Calls {
    pub(crate) fn start<L: Library<Runtime = Runtime>>(
        hart: Hart,
        region: ForeignRegion,
    ) -> Result<Self> {
        let description = L::DESCRIPTION;
        let runtime = Session::new(Pmp::start(hart, region, &L::DESCRIPTION)?);
        Ok(Self { runtime, description })
    }

    /// Adds the kernel's time limit for each call, which is a part of the protection.
    pub(crate) fn in_time(mut self) -> Self {
        self.runtime.set_timeout(Some(PATIENCE));
        self
    }

    /// Returns the entry of a function's shim.
    pub(crate) fn function(&self, name: &str) -> Result<usize> {
        let missing = Error::Misuse("no such function is bound");
        let index = self.description.functions.iter().position(|function| *function == name);
        let index = u32::try_from(index.ok_or(missing)?).map_err(|_| missing)?;
        self.runtime.shim(index).ok_or(missing)
    }

    /// Returns an address for data.
    pub(crate) fn data(&self, offset: usize) -> usize {
        self.runtime.exchange().0 + DATA + offset
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) -> Result<usize> {
        let address = self.data(offset);
        self.write(address, bytes)?;
        Ok(address)
    }

    /// Writes to the domain's memory.
    pub(crate) fn write(&mut self, address: usize, bytes: &[u8]) -> Result<()> {
        self.runtime.window().check(address, bytes.len())?;
        let to = core::ptr::with_exposed_provenance_mut::<u8>(address);
        // SAFETY: the address is in the domain's window, which is RAM without Rust objects (invariant
        // 3 of the board). Foreign code does not run, and references to the window borrow `self`.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    fn get(&self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        self.runtime.window().read(self.data(offset), bytes)
    }

    /// Returns bytes of the domain's memory, for a device.
    pub(crate) fn bytes(&mut self, address: usize, len: usize) -> Result<&mut [u8]> {
        self.runtime.window().check(address, len)?;
        let start = core::ptr::with_exposed_provenance_mut(address);
        // SAFETY: as in `write`; foreign code does not run while its runtime is borrowed here.
        Ok(unsafe { core::slice::from_raw_parts_mut(start, len) })
    }

    /// Returns bytes of the domain's memory, as foreign code describes them.
    ///
    /// # Safety
    /// They must be in the domain's window. Libraries that are measured here are trusted to name
    /// only their own memory, which is what this variant exists for.
    pub(crate) unsafe fn trusted(&self, address: usize, len: usize) -> &[u8] {
        let start = core::ptr::with_exposed_provenance(address);
        // SAFETY: the caller's promise; otherwise as in `bytes`.
        unsafe { core::slice::from_raw_parts(start, len) }
    }

    /// As [`trusted`](Self::trusted), to write.
    ///
    /// # Safety
    /// As for [`trusted`](Self::trusted).
    pub(crate) unsafe fn trusted_mut(&mut self, address: usize, len: usize) -> &mut [u8] {
        let start = core::ptr::with_exposed_provenance_mut(address);
        // SAFETY: the caller's promise; otherwise as in `bytes`.
        unsafe { core::slice::from_raw_parts_mut(start, len) }
    }

    /// Writes a word of the domain's memory.
    ///
    /// # Safety
    /// It must be in the domain's window, and its address a multiple of four.
    pub(crate) unsafe fn put_word(&mut self, address: usize, word: usize) {
        let to = core::ptr::with_exposed_provenance_mut::<usize>(address);
        // SAFETY: the caller's promise; otherwise as in `write`.
        unsafe { to.write_volatile(word) };
    }

    /// Reads a word of the domain's memory.
    ///
    /// # Safety
    /// As for [`put_word`](Self::put_word).
    pub(crate) unsafe fn get_word(&self, address: usize) -> usize {
        let from = core::ptr::with_exposed_provenance::<usize>(address);
        // SAFETY: the caller's promise; otherwise as in `write`.
        unsafe { from.read_volatile() }
    }

    /// Writes a frame with arguments, and returns its address.
    #[inline(always)]
    fn put_frame(&mut self, arguments: &[usize]) -> usize {
        let frame = self.runtime.exchange().0;
        // SAFETY: frames are at the start of the host's part of the window, which has room for the
        // few words of each.
        unsafe { self.put_word(frame, 0) };
        for (index, argument) in arguments.iter().enumerate() {
            // SAFETY: as above.
            unsafe { self.put_word(frame + 4 * (ARGUMENTS + index), *argument) };
        }
        frame
    }

    /// Runs a shim with arguments, and returns the word after them.
    #[inline]
    pub(crate) fn call<const N: usize>(
        &mut self,
        entry: usize,
        arguments: [usize; N],
    ) -> Result<usize> {
        let frame = self.put_frame(&arguments);
        match self.runtime.enter(entry, frame)? {
            Event::Returned => {}
            Event::Callback { .. } => return Err(Error::Misuse("nothing here calls back")),
        }
        // SAFETY: as in `put_frame`.
        Ok(unsafe { self.get_word(frame + 4 * (ARGUMENTS + N)) })
    }

    /// As `call`, for a function that calls back. `answer` gets the slot and the address of the
    /// callback's frame.
    pub(crate) fn call_and_answer(
        &mut self,
        entry: usize,
        arguments: &[usize],
        mut answer: impl FnMut(&mut Self, u32, usize) -> Result<()>,
    ) -> Result<usize> {
        let frame = self.put_frame(arguments);
        let mut event = self.runtime.enter(entry, frame)?;
        while let Event::Callback { slot, arguments } = event {
            answer(self, slot, arguments)?;
            event = self.runtime.resume(Reply::Return)?;
        }
        // SAFETY: as in `put_frame`.
        Ok(unsafe { self.get_word(frame + 4 * (ARGUMENTS + arguments.len())) })
    }
}

/// Measures all workloads, and returns the memory. Each library has a function of its own, as with
/// Omniglot.
pub(crate) fn measure(hart: Hart, regions: Regions) -> Result<(Counts, Regions)> {
    let spare = regions.spare;
    let ([empty, verified], micro_ecc) = signatures(hart, regions.micro_ecc)?;
    let ([hashed, hashed_long, exchanged], monocypher) = cryptography(hart, regions.monocypher)?;
    let ([summed, inflated], zlib) = compression(hart, regions.zlib)?;
    let (stored, littlefs) = files::isolated(hart, regions.littlefs, &message().0)?;
    let (networked, lwip) = network::isolated(hart, regions.lwip)?;
    let counts =
        [empty, hashed, hashed_long, exchanged, verified, summed, inflated, stored, networked];
    Ok((counts, Regions { monocypher, micro_ecc, littlefs, lwip, zlib, spare }))
}

#[inline(never)]
fn signatures(hart: Hart, region: ForeignRegion) -> Result<([u64; 2], ForeignRegion)> {
    let signed = signed();
    let mut ecc = Calls::start::<MicroEcc<Runtime>>(hart, region)?;
    let curve = ecc.function("uECC_secp256r1")?;
    let empty = count(|| ecc.call(curve, []).map(|_| ()))?;
    let verified = count(|| verify(&mut ecc, curve, &signed))?;
    Ok(([empty, verified], ecc.runtime.into_runtime().into_region()))
}

#[inline(never)]
fn cryptography(hart: Hart, region: ForeignRegion) -> Result<([u64; 3], ForeignRegion)> {
    let (short, long) = (message::<SHORT>(), message::<LONG>());
    let mut monocypher = Calls::start::<Monocypher<Runtime>>(hart, region)?;
    let entry = monocypher.function("crypto_blake2b")?;
    let hashed = count(|| hash(&mut monocypher, entry, &short.0))?;
    let hashed_long = count(|| hash(&mut monocypher, entry, &long.0))?;
    let entry = monocypher.function("crypto_x25519")?;
    let exchanged = count(|| exchange(&mut monocypher, entry))?;
    Ok(([hashed, hashed_long, exchanged], monocypher.runtime.into_runtime().into_region()))
}

#[inline(never)]
fn compression(hart: Hart, region: ForeignRegion) -> Result<([u64; 2], ForeignRegion)> {
    let long = message::<LONG>();
    let mut zlib = Calls::start::<Zlib<Runtime>>(hart, region)?.in_time();
    let entry = zlib.function("crc32")?;
    let summed = count(|| checksum(&mut zlib, entry, &long.0))?;
    let mut stream = Stream::find(&mut zlib)?;
    let inflated = count(|| decompress(&mut stream))?;
    Ok(([summed, inflated], zlib.runtime.into_runtime().into_region()))
}

fn hash(calls: &mut Calls, entry: usize, message: &[u8]) -> Result<()> {
    let from = calls.put(64, message)?;
    calls.call(entry, [calls.data(0), 64, from, message.len()])?;
    calls.get(0, &mut [0; 64])
}

fn exchange(calls: &mut Calls, entry: usize) -> Result<()> {
    let (secret, public) = (calls.put(32, &[7; 32])?, calls.put(64, &[9; 32])?);
    calls.call(entry, [calls.data(0), secret, public])?;
    calls.get(0, &mut [0; 32])
}

fn verify(calls: &mut Calls, curve: usize, signed: &Signed) -> Result<()> {
    let entry = calls.function("uECC_verify")?;
    let curve = calls.call(curve, [])?;
    let public = calls.put(0, &signed.public)?;
    let digest = calls.put(64, &signed.digest)?;
    let signature = calls.put(96, &signed.signature)?;
    match calls.call(entry, [public, digest, 32, signature, curve])? {
        1 => Ok(()),
        _ => Err(Error::Misuse("the signature is good")),
    }
}

/// A stream, followed by its input and output.
struct Stream<'a> {
    calls: &'a mut Calls,
    version: usize,
    init: usize,
    inflate: usize,
    end: usize,
}

impl<'a> Stream<'a> {
    fn find(calls: &'a mut Calls) -> Result<Self> {
        let [version, init] = ["zlibVersion", "inflateInit2_"].map(|name| calls.function(name));
        let [inflate, end] = ["inflate", "inflateEnd"].map(|name| calls.function(name));
        Ok(Self { version: version?, init: init?, inflate: inflate?, end: end?, calls })
    }

    fn input(&self) -> usize {
        self.calls.data(4 * inflate::WORDS).next_multiple_of(16)
    }

    fn field(&self, index: usize) -> usize {
        self.calls.data(4 * index)
    }

    fn set(&mut self, index: usize, word: usize) {
        let field = self.field(index);
        // SAFETY: the stream is at the start of the host's part, and `index` is that of a field.
        unsafe { self.calls.put_word(field, word) };
    }
}

impl inflate::Inflate for Stream<'_> {
    type Error = Error;

    fn start(&mut self) -> Result<()> {
        self.calls.put(0, &[0; 4 * inflate::WORDS])?;
        let version = self.calls.call(self.version, [])?;
        let arguments = [self.field(0), inflate::ANY_FORMAT, version, 4 * inflate::WORDS];
        self.calls.call(self.init, arguments).map(|_| ())
    }

    fn feed(&mut self, packed: &[u8]) -> Result<()> {
        self.calls.write(self.input(), packed)?;
        self.set(inflate::NEXT_IN, self.input());
        self.set(inflate::LEFT_IN, packed.len());
        Ok(())
    }

    fn step(&mut self) -> Result<(usize, [usize; 2])> {
        self.set(inflate::NEXT_OUT, self.input() + inflate::CHUNK);
        self.set(inflate::LEFT_OUT, inflate::CHUNK);
        let status = self.calls.call(self.inflate, [self.field(0), 0])?;
        let left = [inflate::LEFT_IN, inflate::LEFT_OUT].map(|index| self.field(index));
        // SAFETY: as in `set`.
        Ok((status, left.map(|address| unsafe { self.calls.get_word(address) })))
    }

    fn end(&mut self) -> Result<()> {
        self.calls.call(self.end, [self.field(0)]).map(|_| ())
    }
}

fn decompress(stream: &mut Stream<'_>) -> Result<()> {
    if inflate::run(stream)? { Ok(()) } else { Err(Error::Misuse("the sample is whole")) }
}

fn checksum(calls: &mut Calls, entry: usize, bytes: &[u8]) -> Result<()> {
    let from = calls.put(0, bytes)?;
    calls.call(entry, [0, from, bytes.len()]).map(|_| ())
}
