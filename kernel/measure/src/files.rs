//! A file-system workload: littlefs formats a device in RAM, writes a file and reads it. The same
//! calls are made to the library linked to this program, to the one behind its protection, and
//! through the kernel's own service. The library's structures are words at fixed places.

mod isolation;
pub(crate) mod native;

use core::hint::black_box;

use omniglot_kernel::services::blocks::{BLOCK, BlockDevice, RamDisk, UNIT};

pub(crate) use isolation::measure as isolated;
pub(crate) use native::measure as native;

/// Length of the file in bytes, a multiple of the chunk that is passed at a time, as in the
/// kernel's service.
pub(crate) const LENGTH: usize = 2 * CHUNK;
const CHUNK: usize = 4096;
/// Its name.
pub(crate) const NAME: &str = "file";

/// The device.
pub(crate) type Device = RamDisk<BLOCKS>;
const BLOCKS: usize = 32;

/// Offsets in the memory that the library can access, from the start of one part of it. Structures
/// have more room than lfs.h gives them.
mod place {
    pub(super) const SYSTEM: usize = 0;
    pub(super) const CONFIG: usize = 512;
    pub(super) const FILE: usize = 640;
    pub(super) const FILE_CONFIG: usize = 1024;
    pub(super) const PATH: usize = 1040;
    pub(super) const LOOKAHEAD: usize = 1088;
    pub(super) const READ: usize = 1536;
    pub(super) const PROGRAM: usize = 2048;
    pub(super) const CACHE: usize = 2560;
    pub(super) const DATA: usize = 3072;
    pub(super) const END: usize = DATA + super::CHUNK;
}

/// How many bytes littlefs uses to look for free blocks, and after how many erasures it moves its
/// own data: as in the kernel's service.
const LOOKAHEAD: usize = 64;
const CYCLES: usize = 500;
/// From lfs.h.
const READ_ONLY: usize = 1;
const WRITE_NEW: usize = 2 | 0x100 | 0x400;

/// The functions that are called.
#[derive(Clone, Copy)]
enum Function {
    Format,
    Mount,
    Unmount,
    Open,
    Close,
    Write,
    Read,
}

/// littlefs in any of the variants.
trait Littlefs {
    /// The variant's error.
    type Error;
    /// Returns the address of [`place::END`] bytes of memory that the library can access.
    fn base(&self) -> usize;
    /// Returns the addresses of C functions that read, program, erase and synchronise the device.
    fn device(&self) -> [usize; 4];
    /// Writes to that memory.
    fn write(&mut self, address: usize, bytes: &[u8]) -> Result<(), Self::Error>;
    /// Reads from that memory.
    fn read(&self, address: usize, bytes: &mut [u8]) -> Result<(), Self::Error>;
    /// Calls a function. A negative result means that it failed.
    fn call(&mut self, function: Function, arguments: &[usize]) -> Result<i32, Self::Error>;
}

/// Formats the device, writes the file and reads it. Returns true if all of it succeeded.
fn run<L: Littlefs>(library: &mut L, bytes: &[u8; LENGTH]) -> Result<bool, L::Error> {
    let base = library.base();
    let at = |place: usize| base + place;
    configure(library)?;
    let mut sum = library.call(Function::Format, &[at(place::SYSTEM), at(place::CONFIG)])?;
    open(library, WRITE_NEW)?;
    for chunk in bytes.chunks(CHUNK) {
        library.write(at(place::DATA), chunk)?;
        sum += hand_over(library, Function::Write)?;
    }
    close(library)?;
    open(library, READ_ONLY)?;
    let mut read = [0; CHUNK];
    loop {
        let count = hand_over(library, Function::Read)?;
        if count <= 0 {
            break;
        }
        sum += count;
        library.read(at(place::DATA), &mut read)?;
    }
    close(library)?;
    Ok(sum == 2 * LENGTH as i32)
}

/// Describes the device (lfs.h, `struct lfs_config` and `struct lfs_file_config`).
fn configure<L: Littlefs>(library: &mut L) -> Result<(), L::Error> {
    let base = library.base();
    let [read, program, erase, synchronise] = library.device();
    let config = [
        0,
        read,
        program,
        erase,
        synchronise,
        UNIT,
        UNIT,
        BLOCK,
        BLOCKS,
        CYCLES,
        UNIT,
        LOOKAHEAD,
        0,
        base + place::READ,
        base + place::PROGRAM,
        base + place::LOOKAHEAD,
        0,
        0,
        0,
        0,
        0,
    ];
    put(library, place::CONFIG, &config)?;
    put(library, place::FILE_CONFIG, &[base + place::CACHE, 0, 0])?;
    let mut path = [0; 16];
    for (to, from) in path.iter_mut().zip(NAME.bytes()) {
        *to = from;
    }
    library.write(base + place::PATH, &path)
}

fn put<L: Littlefs>(library: &mut L, place: usize, words: &[usize]) -> Result<(), L::Error> {
    let first = library.base() + place;
    for (index, word) in words.iter().enumerate() {
        library.write(first + index * size_of::<usize>(), &word.to_le_bytes())?;
    }
    Ok(())
}

fn open<L: Littlefs>(library: &mut L, flags: usize) -> Result<(), L::Error> {
    let base = library.base();
    let (system, file) = (base + place::SYSTEM, base + place::FILE);
    library.call(Function::Mount, &[system, base + place::CONFIG])?;
    let (path, config) = (base + place::PATH, base + place::FILE_CONFIG);
    library.call(Function::Open, &[system, file, path, flags, config]).map(|_| ())
}

fn close<L: Littlefs>(library: &mut L) -> Result<(), L::Error> {
    let base = library.base();
    library.call(Function::Close, &[base + place::SYSTEM, base + place::FILE])?;
    library.call(Function::Unmount, &[base + place::SYSTEM]).map(|_| ())
}

/// Writes or reads a chunk, and returns the number of bytes.
fn hand_over<L: Littlefs>(library: &mut L, function: Function) -> Result<i32, L::Error> {
    let base = library.base();
    let (system, file, data) = (base + place::SYSTEM, base + place::FILE, base + place::DATA);
    library.call(function, &[system, file, data, CHUNK])
}

/// Returns the device as a trait object, as the kernel's service uses it, so that each variant
/// measures the same code.
fn some(device: &mut Device) -> &mut dyn BlockDevice {
    black_box(device)
}

/// Returns littlefs's error number for the device's result.
fn status<E>(outcome: Result<(), E>) -> i32 {
    const FAILED: i32 = -5;
    if outcome.is_ok() { 0 } else { FAILED }
}
