//! Libraries that compress, store and protect data.
#![forbid(unsafe_code)]
// The other functions take a reference to exactly what `input` returns.
#![allow(clippy::ptr_arg)]

mod archive;
mod brotli;
mod bzip2;
mod crypto;
mod gnutls;
mod lz4;
mod lzma;
mod nettle;
mod sodium;
mod sqlite;
mod sqlite_file;
mod zlib;
mod zstd;

use real_subject::Subject;

/// All of these libraries.
pub static SUBJECTS: &[&Subject] = &[
    &sqlite::SQLITE,
    &sqlite_file::SQLITE_FILE,
    &archive::ARCHIVE,
    &zlib::ZLIB,
    &brotli::BROTLI,
    &lz4::LZ4,
    &zstd::ZSTD,
    &zstd::ZSTD_THREADS,
    &zstd::ZSTD_NO_THREADS,
    &lzma::LZMA,
    &bzip2::BZIP2,
    &crypto::CRYPTO,
    &sodium::SODIUM,
    &nettle::NETTLE,
    &gnutls::GNUTLS,
];

/// Formats bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parses hexadecimal digits.
fn from_hex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
