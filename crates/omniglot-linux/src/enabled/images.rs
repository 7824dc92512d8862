//! The programs that a worker runs, as sealed files in memory, made once.

use std::ffi::CStr;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, LittleEndian};
use omniglot_core::{Error, Result, Text};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::machine;
use super::system::{failed, refused};

static STUB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stub"));
static LOADER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/loader"));

/// The worker's path of the file with the shims, which it received from the host.
pub(super) const SHIMS: &str = "/proc/self/fd/5";

/// Standard input, output and error are 0 to 2.
const FIRST_BEYOND_STANDARD: i32 = 3;

/// The files that every worker of a library gets.
#[derive(Debug)]
pub(super) struct Programs {
    /// The program to spawn.
    pub(super) stub: OwnedFd,
    /// What the dynamic linker runs.
    pub(super) loader: OwnedFd,
    /// The system's dynamic linker.
    pub(super) linker: OwnedFd,
}

/// An empty file in memory, whose pages may be mapped executable.
///
/// `MFD_EXEC` is known since Linux 6.3; before, every such file is executable.
pub(super) fn executable_memory(name: &CStr) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create(name, flags).map_err(refused("a file in memory")),
        Err(Errno::ACCESS) => Err(Error::Unsupported {
            what: "executable files in memory are forbidden (sysctl vm.memfd_noexec is 2)",
            remedy: "set vm.memfd_noexec to 0 or 1",
        }),
        file => file.map_err(refused("a file in memory")),
    }
}

/// A sealed file in memory with these bytes.
pub(super) fn sealed(name: &CStr, bytes: &[u8]) -> Result<OwnedFd> {
    let mut file = File::from(executable_memory(name)?);
    file.write_all(bytes).map_err(failed("writing a file in memory"))?;
    seal(file)
}

/// Seals a file in memory against all changes.
pub(super) fn seal(file: File) -> Result<OwnedFd> {
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&file, seals).map_err(refused("sealing a file in memory"))?;
    Ok(file.into())
}

/// The same file under a number that no standard stream has. A host may have closed those, and a
/// child gets other files in their place before it runs this one.
fn beyond_standard(file: &OwnedFd) -> Result<OwnedFd> {
    fcntl_dupfd_cloexec(file, FIRST_BEYOND_STANDARD).map_err(refused("a file in memory"))
}

/// The programs, made when asked for the first time.
pub(super) fn programs() -> Result<&'static Programs> {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    if let Some(programs) = PROGRAMS.get() {
        return Ok(programs);
    }
    let fresh = Programs {
        stub: beyond_standard(&sealed(c"omniglot-worker", STUB)?)?,
        loader: sealed(c"omniglot-loader", LOADER)?,
        linker: open_linker(interpreter()?)?.into(),
    };
    Ok(PROGRAMS.get_or_init(|| fresh))
}

/// Whether workers have musl's C library: the C compiler that built the loader decides.
pub(super) fn is_for_musl() -> bool {
    interpreter().is_ok_and(|path| path.contains("/ld-musl-"))
}

/// The dynamic linker of the C library that the program's loader and shims were built for, whatever
/// the program itself is linked against.
fn open_linker(path: &str) -> Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && is_for_musl() => {
            Err(Error::Unsupported {
                what: "the program was built for libraries of musl, whose dynamic linker \
                       (/lib/ld-musl-*.so.1) is not there",
                remedy: "install musl (Debian: apt install musl), or build for libraries of glibc, \
                         with CC_x86_64_unknown_linux_musl=gcc",
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::Unsupported {
            what: "the program was built for libraries of glibc, whose dynamic linker \
                   (/lib64/ld-linux-*.so.*) is not there",
            remedy: "run it on a system with glibc, or build for libraries of musl, with musl's C \
                     compiler (CC_<target>=musl-gcc)",
        }),
        file => file.map_err(failed("opening the dynamic linker")),
    }
}

/// The path of the dynamic linker, as the loader names it.
fn interpreter() -> Result<&'static str> {
    let malformed = || Error::Load(Text::new("the embedded loader names no dynamic linker"));
    let header = FileHeader64::<LittleEndian>::parse(LOADER).map_err(|_| malformed())?;
    let segments = header.program_headers(LittleEndian, LOADER).map_err(|_| malformed())?;
    segments
        .iter()
        .find(|segment| segment.p_type(LittleEndian) == PT_INTERP)
        .and_then(|segment| segment.data(LittleEndian, LOADER).ok())
        .and_then(|path| CStr::from_bytes_until_nul(path).ok()?.to_str().ok())
        .ok_or_else(malformed)
}

/// The file with a library's shims, made once for each library.
///
/// A compiler may place several copies of one image, wherever a program names it; so images are
/// compared by content, not by address.
pub(super) fn shims(image: &'static [u8]) -> Result<Arc<OwnedFd>> {
    type Known = Vec<(&'static [u8], Arc<OwnedFd>)>;
    static KNOWN: Mutex<Known> = Mutex::new(Vec::new());
    let find = |known: &Known| {
        let same = known.iter().find(|(other, _)| are_same(other, image));
        same.map(|(_, file)| Arc::clone(file))
    };
    // Never locked for long: a forked child finds a lock as it was.
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = find(&known()) {
        return Ok(file);
    }
    let file = Arc::new(sealed(c"omniglot-shims", image)?);
    let mut known = known();
    // Another thread may have made it meanwhile.
    Ok(find(&known).unwrap_or_else(|| {
        known.push((image, Arc::clone(&file)));
        file
    }))
}

/// Whether two images are the same; most often they have the same address.
pub(super) fn are_same(one: &'static [u8], other: &'static [u8]) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// Whether a file is an ELF shared object for this architecture, according to its header.
pub(super) fn is_loadable(header: &[u8]) -> core::result::Result<(), &'static str> {
    let Ok(parsed) = FileHeader64::<Endianness>::parse(header) else {
        return Err("is no 64-bit ELF file");
    };
    let Ok(endian) = parsed.endian() else {
        return Err("is no valid ELF file");
    };
    if parsed.e_machine(endian) != machine::ELF {
        return Err(machine::OTHER_PROCESSOR);
    }
    if parsed.e_type(endian) != object::elf::ET_DYN {
        return Err("is no shared library");
    }
    Ok(())
}

/// A descriptor as a path that the kernel can execute or open again.
pub(super) fn path_of(file: impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}
