//! The demonstration, step by step.

use core::cell::Cell;
use core::fmt::{self, Display};
use core::time::Duration;

use kernel::debug;
use kernel::deferred_call::{DeferredCall, DeferredCallClient};
use kernel::utilities::cells::{MapCell, TakeCell};
use omniglot::{Ptr, Result, Runtime};

use crate::disk::Disk;
use crate::foreign::littlefs::Littlefs;
use crate::foreign::monocypher::Monocypher;
use crate::{cryptography, files};

const MESSAGE: &[u8] = b"Memory safety is merely table stakes";
const FILE: &str = "article.txt";
/// The first eight bytes of BLAKE2b's hash of "abc" (RFC 7693, appendix A).
const HASH_OF_ABC: [u8; 8] = [0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d];
/// A secret key for Ed25519, and the first eight bytes of its public key (RFC 8032, section 7.1,
/// test 2).
const SEED: [u8; 32] = [
    0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f,
    0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
];
const PUBLIC: [u8; 8] = [0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a];
/// A time limit that is too short for a signature, at least in QEMU.
const IMPATIENCE: Duration = Duration::from_micros(100);

/// A capsule that demonstrates foreign libraries, and reports on Tock's console.
///
/// Each step is a deferred call, so that Tock serves everything else in between.
pub struct Demonstration<R: Runtime> {
    call: DeferredCall,
    next: Cell<usize>,
    monocypher: MapCell<Monocypher<R>>,
    littlefs: MapCell<Littlefs<R>>,
    disk: TakeCell<'static, Disk>,
    forbidden: &'static [Place],
}

/// An address that no library can access.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What is at the address.
    pub name: &'static str,
    /// Its address.
    pub address: usize,
}

impl<R: Runtime> fmt::Debug for Demonstration<R> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Demonstration").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<R: Runtime> Demonstration<R> {
    const STEPS: [fn(&Self); 9] = [
        Self::hash,
        Self::sign,
        Self::format,
        Self::write,
        Self::misbehave,
        Self::trespass,
        Self::hash,
        // The library was restarted, but the disk belongs to the capsule.
        Self::read,
        Self::hang,
    ];

    /// Takes two libraries and a disk, and addresses outside the libraries' memory.
    pub fn new(
        monocypher: Monocypher<R>,
        littlefs: Littlefs<R>,
        disk: &'static mut Disk,
        forbidden: &'static [Place],
    ) -> Self {
        Self {
            call: DeferredCall::new(),
            next: Cell::new(0),
            monocypher: MapCell::new(monocypher),
            littlefs: MapCell::new(littlefs),
            disk: TakeCell::new(disk),
            forbidden,
        }
    }

    /// Schedules the first step. The board calls this before Tock's main loop.
    pub fn start(&'static self) {
        self.register();
        self.call.set();
    }

    fn hash(&self) {
        self.with_monocypher("BLAKE2b of \"abc\"", |monocypher| {
            let hash = cryptography::hash(monocypher, b"abc")?;
            Ok(if hash.starts_with(&HASH_OF_ABC) { "as in RFC 7693" } else { "WRONG" })
        });
    }

    fn sign(&self) {
        self.with_monocypher("Ed25519", |monocypher| {
            let signed = cryptography::sign(monocypher, &SEED, MESSAGE)?;
            let own = cryptography::is_signature(monocypher, &signed, MESSAGE)?;
            let other = cryptography::is_signature(monocypher, &signed, b"something else")?;
            let good = signed.public.starts_with(&PUBLIC) && own && !other;
            Ok(if good { "signed, and checked; not for another message" } else { "WRONG" })
        });
    }

    fn format(&self) {
        self.with_littlefs("format", |littlefs, disk| {
            files::format(littlefs, disk).map(|()| "done, by callbacks to a disk in Rust")
        });
    }

    fn write(&self) {
        self.with_littlefs("write a file", |littlefs, disk| {
            files::write(littlefs, disk, FILE, MESSAGE).map(|()| "done")
        });
        self.read();
    }

    fn read(&self) {
        self.with_littlefs("read it back", |littlefs, disk| {
            let mut back = [0; 2 * MESSAGE.len()];
            files::read(littlefs, disk, FILE, &mut back).map(|len| {
                if back.get(..len) == Some(MESSAGE) { "the same bytes" } else { "WRONG" }
            })
        });
    }

    /// Makes one library read Tock's memory, and the other write to it.
    fn misbehave(&self) {
        for Place { name, address } in self.forbidden {
            let place = Ptr::from_addr(*address);
            self.with_littlefs(name, |littlefs, _| littlefs.lfs_crc(0, place, 4));
            self.littlefs.map(Littlefs::reset);
            self.with_monocypher(name, |monocypher| {
                monocypher.crypto_wipe(place, 4).map(|()| "WRITTEN")
            });
            self.monocypher.map(Monocypher::reset);
        }
    }

    /// Makes a library read the other library's memory.
    fn trespass(&self) {
        let address = self
            .monocypher
            .map(|monocypher| monocypher.scope(|scope| Ok(scope.copy_in(&SEED)?.as_ptr().addr())));
        let Some(Ok(address)) = address else { return };
        self.with_littlefs("the other library's key", |littlefs, _| {
            littlefs.lfs_crc(0, Ptr::from_addr(address), 4)
        });
        self.littlefs.map(Littlefs::reset);
    }

    /// Makes a library exceed its time limit.
    fn hang(&self) {
        self.with_monocypher("a signature in 100 us", |monocypher| {
            monocypher.set_timeout(Some(IMPATIENCE));
            cryptography::sign(monocypher, &SEED, MESSAGE).map(|_| "in time")
        });
        self.with_monocypher("after that", |monocypher| {
            cryptography::hash(monocypher, b"abc").map(|_| "ALIVE")
        });
        self.monocypher.map(|monocypher| {
            monocypher.set_timeout(None);
            monocypher.reset()
        });
    }

    /// Returns the first four bytes of the hash of a number. A library that fails is restarted.
    pub(crate) fn hash_word(&self, word: u32) -> Option<u32> {
        let hash = self.monocypher.map(|monocypher| {
            let hash = cryptography::hash(monocypher, &word.to_le_bytes());
            if hash.is_err() {
                let _ = monocypher.reset();
            }
            hash
        });
        hash?.ok()?.first_chunk().copied().map(u32::from_le_bytes)
    }

    fn with_monocypher<T: Display>(
        &self,
        what: &str,
        work: impl FnOnce(&mut Monocypher<R>) -> Result<T>,
    ) {
        self.monocypher.map(|monocypher| report("monocypher", what, work(monocypher)));
    }

    fn with_littlefs<T: Display, E: Display>(
        &self,
        what: &str,
        work: impl FnOnce(&mut Littlefs<R>, &mut Disk) -> core::result::Result<T, E>,
    ) {
        self.littlefs.map(|littlefs| {
            self.disk.map(|disk| report("littlefs", what, work(littlefs, disk)));
        });
    }
}

impl<R: Runtime> DeferredCallClient for Demonstration<R> {
    fn handle_deferred_call(&self) {
        let index = self.next.get();
        if let Some(step) = Self::STEPS.get(index) {
            step(self);
            self.next.set(index + 1);
            self.call.set();
        }
    }

    fn register(&'static self) {
        self.call.register(self);
    }
}

fn report<T: Display, E: Display>(library: &str, what: &str, outcome: core::result::Result<T, E>) {
    match outcome {
        Ok(result) => debug!("{library}: {what}: {result}"),
        Err(error) => debug!("{library}: {what}: Err: {error}"),
    }
}
