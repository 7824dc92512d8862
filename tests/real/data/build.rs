//! Generates bindings of the libraries that compress, store and protect data.

use omniglot_build::{Library, Result};

fn main() -> Result<()> {
    Library::new("sqlite")
        .header("sqlite3.h")
        .pkg_config("sqlite3")
        .allowlist_function("sqlite3_(open_v2|close|exec)")
        .allowlist_var("SQLITE_OPEN_(READONLY|READWRITE|CREATE)")
        .generate()?;
    Library::new("archive")
        .header("archive.h")
        .header("archive_entry.h")
        .pkg_config("libarchive")
        .allowlist_function("archive_read_(new|open_memory|next_header|data|free)")
        .allowlist_function("archive_read_support_(filter|format)_all")
        .allowlist_function("archive_entry_(pathname|size)")
        .generate()?;
    Library::new("zstd")
        .header("zstd.h")
        .pkg_config("libzstd")
        .allowlist_function("ZSTD_(compress2|decompress|compressBound|isError)")
        .allowlist_function("ZSTD_(createCCtx|freeCCtx|CCtx_setParameter)")
        .generate()?;
    Library::new("lzma")
        .header("lzma.h")
        .pkg_config("liblzma")
        .allowlist_function("lzma_(easy_buffer_encode|stream_buffer_(bound|decode))")
        .generate()?;
    Library::new("bzip2")
        .header("stdio.h")
        .header("bzlib.h")
        .link("bz2")
        .allowlist_function("BZ2_bzBuffTo(Compress|Decompress|BuffCompress|BuffDecompress)")
        .generate()?;
    Library::new("crypto")
        .header("openssl/evp.h")
        .header("openssl/x509.h")
        .pkg_config("libcrypto")
        .allowlist_function("EVP_(Digest|sha256|aes_128_gcm|CIPHER_CTX_(new|free|ctrl))")
        .allowlist_function("EVP_Encrypt(Init_ex|Update|Final_ex)|d2i_X509|X509_(verify|free)")
        .allowlist_function("X509_(get0_pubkey|get_subject_name|NAME_oneline)")
        .allowlist_var("EVP_CTRL_AEAD_GET_TAG")
        .generate()?;
    Library::new("sodium")
        .header("sodium.h")
        .pkg_config("libsodium")
        .allowlist_function("sodium_init|crypto_sign_(seed_keypair|detached|verify_detached)")
        .generate()?;
    Library::new("nettle")
        .header("nettle/sha3.h")
        .header("nettle/hmac.h")
        .pkg_config("nettle")
        .allowlist_function("nettle_sha3_256_(init|update|digest)")
        .allowlist_function("nettle_hmac_sha256_(set_key|update|digest)")
        .generate()
}
