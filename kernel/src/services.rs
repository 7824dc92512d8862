//! Rust APIs for what the kernel uses foreign libraries for.
//!
//! Each service has one library, in a domain of its own: a crash of one library does not affect the
//! others.

pub mod blocks;
pub mod compression;
pub mod cryptography;
pub mod files;
pub mod network;
pub mod signatures;

use omniglot::Error;
use omniglot_kernel_hardware::Hart;
use omniglot_kernel_hardware::memory::Regions;

use self::compression::Compression;
use self::cryptography::Cryptography;
use self::files::Files;
use self::network::Network;
use self::signatures::Signatures;
use crate::domain::Failure;

/// An address that no library may access: the serial line's.
const FORBIDDEN: usize = 0x1000_0000;

/// All the services.
#[derive(Debug)]
pub struct Services {
    /// monocypher.
    pub cryptography: Cryptography,
    /// micro-ecc.
    pub signatures: Signatures,
    /// littlefs.
    pub files: Files,
    /// lwIP.
    pub network: Network,
    /// zlib.
    pub compression: Compression,
}

impl Services {
    /// Starts every library in its region.
    #[must_use]
    pub fn start(hart: Hart, regions: Regions) -> Self {
        Self {
            cryptography: Cryptography::new(hart, regions.monocypher),
            signatures: Signatures::new(hart, regions.micro_ecc),
            files: Files::new(hart, regions.littlefs),
            network: Network::new(hart, regions.lwip, network::QEMU),
            compression: Compression::new(hart, regions.zlib),
        }
    }

    /// Passes each library's name, its purpose, and its error if it is broken to `take`.
    pub fn each(&self, mut take: impl FnMut(&str, &str, Option<&Error>)) {
        take("monocypher", "hash, seal, sign", self.cryptography.domain.trouble());
        take("micro-ecc", "ecdsa", self.signatures.domain.trouble());
        take("littlefs", "files", self.files.domain.trouble());
        take("lwip", "network", self.network.domain.trouble());
        take("zlib", "inflate", self.compression.domain.trouble());
    }

    /// Makes a library follow a wild pointer, as a bug would. Returns `None` if there is no library
    /// of that name.
    pub fn crash(&mut self, library: &str) -> Option<Result<(), Failure>> {
        Some(match library {
            "monocypher" => self.cryptography.crash(FORBIDDEN),
            "micro-ecc" => self.signatures.crash(FORBIDDEN),
            "littlefs" => self.files.crash(FORBIDDEN),
            "lwip" => self.network.crash(FORBIDDEN),
            "zlib" => self.compression.crash(FORBIDDEN),
            _ => return None,
        })
    }

    /// Restarts a library. Returns `None` if there is no library of that name.
    pub fn restart(&mut self, library: &str) -> Option<Result<(), Failure>> {
        Some(match library {
            "monocypher" => self.cryptography.domain.restart(),
            "micro-ecc" => self.signatures.domain.restart(),
            "littlefs" => self.files.domain.restart(),
            "lwip" => self.network.restart(),
            "zlib" => self.compression.domain.restart(),
            _ => return None,
        })
    }
}
