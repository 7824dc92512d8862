//! Libraries that pack, keep and protect data.
#![forbid(unsafe_code)]
// What `input` makes is what the other functions get a reference to.
#![allow(clippy::ptr_arg)]

mod archive;
mod bzip2;
mod crypto;
mod lzma;
mod nettle;
mod sodium;
mod sqlite;
mod sqlite_file;
mod zstd;

use real_subject::Subject;

/// All of them.
pub static SUBJECTS: &[&Subject] = &[
    &sqlite::SQLITE,
    &sqlite_file::SQLITE_FILE,
    &archive::ARCHIVE,
    &zstd::ZSTD,
    &zstd::ZSTD_THREADS,
    &lzma::LZMA,
    &bzip2::BZIP2,
    &crypto::CRYPTO,
    &sodium::SODIUM,
    &nettle::NETTLE,
];

/// Bytes as text in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from text in hexadecimal digits.
fn from_hex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
