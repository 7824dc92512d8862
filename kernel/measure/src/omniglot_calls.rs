//! The same calls with Omniglot.

use core::hint::black_box;

use omniglot::{Library, Result, Scope};
use omniglot_kernel::domain::{Failure, Runtime};
use omniglot_kernel::foreign::{micro_ecc, monocypher, zlib};
use omniglot_kernel::sample::{LENGTH, PACKED};
use omniglot_kernel::services::compression::Compression;
use omniglot_kernel::services::files::Files;
use omniglot_kernel::services::network::{Network, QEMU};
use omniglot_kernel_hardware::Hart;
use omniglot_kernel_hardware::memory::Regions;
use omniglot_pmp::{ForeignRegion, Pmp};

use crate::count::{Counts, LONG, SHORT, Signed, count, message};
use crate::files::{self, Device};
use crate::native::signed;
use crate::network::{self, Peer};

fn start<L: Library<Runtime = Runtime>>(hart: Hart, region: ForeignRegion) -> Result<L> {
    Ok(L::assemble(Pmp::start(hart, region, &L::DESCRIPTION)?))
}

/// Measures all workloads, and returns the memory that none of them uses. Each library has a function of its own, as in a kernel; otherwise the
/// measurement would include one large stack frame for all of them.
pub(crate) fn measure(hart: Hart, regions: Regions) -> Result<(Counts, ForeignRegion), Failure> {
    let [empty, verified] = signatures(hart, regions.micro_ecc)?;
    let [hashed, hashed_long, exchanged] = cryptography(hart, regions.monocypher)?;
    let [summed, inflated] = compression(hart, regions.zlib)?;
    let stored = storage(hart, regions.littlefs)?;
    let networked = networking(hart, regions.lwip)?;
    let counts =
        [empty, hashed, hashed_long, exchanged, verified, summed, inflated, stored, networked];
    Ok((counts, regions.spare))
}

#[inline(never)]
fn signatures(hart: Hart, region: ForeignRegion) -> Result<[u64; 2], Failure> {
    let signed = signed();
    let mut ecc: micro_ecc::MicroEcc<Runtime> = start(hart, region)?;
    let empty = count(|| ecc.uECC_secp256r1().map(|_| ()))?;
    let verified = count(|| ecc.scope(|scope| verify(scope, &signed)))?;
    Ok([empty, verified])
}

#[inline(never)]
fn cryptography(hart: Hart, region: ForeignRegion) -> Result<[u64; 3], Failure> {
    let (short, long) = (message::<SHORT>(), message::<LONG>());
    let mut cipher: monocypher::Monocypher<Runtime> = start(hart, region)?;
    let hashed = count(|| cipher.scope(|scope| hash(scope, &short.0)))?;
    let hashed_long = count(|| cipher.scope(|scope| hash(scope, &long.0)))?;
    let exchanged = count(|| cipher.scope(exchange))?;
    Ok([hashed, hashed_long, exchanged])
}

/// The kernel's service, which sets a time limit for each call, as the other services do.
#[inline(never)]
fn compression(hart: Hart, region: ForeignRegion) -> Result<[u64; 2], Failure> {
    let long = message::<LONG>();
    let mut zlib = Compression::new(hart, region);
    let summed =
        count(|| zlib.domain.run(|zlib| Ok(zlib.scope(|scope| checksum(scope, &long.0))?)))?;
    let inflated = count(|| decompress(&mut zlib))?;
    Ok([summed, inflated])
}

#[inline(never)]
fn storage(hart: Hart, region: ForeignRegion) -> Result<u64, Failure> {
    let (mut files, mut device) = (Files::new(hart, region), Device::new());
    let contents = message::<{ files::LENGTH }>();
    count(|| store(&mut files, &mut device, &contents.0))
}

#[inline(never)]
fn networking(hart: Hart, region: ForeignRegion) -> Result<u64, Failure> {
    let (mut network, mut peer) = (Network::new(hart, region, QEMU), Peer::new());
    // Discards what lwIP sends when it starts, which is no answer.
    network.poll(&mut peer, network::NOW.into(), "")?;
    count(|| answer(&mut network, &mut peer))
}

fn decompress(zlib: &mut Compression) -> Result<(), Failure> {
    let len = zlib.inflate(PACKED, |part| {
        black_box(part);
    })?;
    if len == LENGTH { Ok(()) } else { Err(Failure::TooLarge) }
}

fn store(files: &mut Files, device: &mut Device, contents: &[u8]) -> Result<(), Failure> {
    files.format(device)?;
    files.write(device, files::NAME, contents)?;
    files.read(device, files::NAME, |part| {
        black_box(part);
    })
}

fn answer(network: &mut Network, peer: &mut Peer) -> Result<(), Failure> {
    peer.begin();
    network.poll(peer, network::NOW.into(), "")?;
    if peer.is_content() { Ok(()) } else { Err(Failure::NoDevice) }
}

type Monocypher<'a, 's, 'e> = &'a mut Scope<'s, 'e, monocypher::Api<Runtime>>;

fn hash(scope: Monocypher<'_, '_, '_>, message: &[u8]) -> Result<()> {
    let (from, to) = (scope.copy_in(message)?, scope.reserve::<u8>(64)?);
    scope.crypto_blake2b(to, 64, from, message.len())?;
    scope.read_into(to, &mut [0; 64])
}

fn exchange(scope: Monocypher<'_, '_, '_>) -> Result<()> {
    let (secret, public) = (scope.copy_in(&[7_u8; 32])?, scope.copy_in(&[9_u8; 32])?);
    let shared = scope.reserve::<u8>(32)?;
    scope.crypto_x25519(shared, secret, public)?;
    scope.read_into(shared, &mut [0; 32])
}

fn verify(scope: &mut Scope<'_, '_, micro_ecc::Api<Runtime>>, signed: &Signed) -> Result<()> {
    let curve = scope.uECC_secp256r1()?;
    let (public, digest) = (scope.copy_in(&signed.public)?, scope.copy_in(&signed.digest)?);
    let signature = scope.copy_in(&signed.signature)?;
    match scope.uECC_verify(public, digest, 32, signature, curve)? {
        1 => Ok(()),
        _ => Err(omniglot::Error::Misuse("the signature is good")),
    }
}

fn checksum(scope: &mut Scope<'_, '_, zlib::Api<Runtime>>, bytes: &[u8]) -> Result<()> {
    let from = scope.copy_in(bytes)?;
    scope.crc32(0, from, bytes.len() as u32).map(|_| ())
}
