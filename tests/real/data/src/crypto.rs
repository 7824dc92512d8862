//! libcrypto hashes, encrypts, and checks a certificate.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Scratch, subject, tool};

use crate::{from_hex, hex};

omniglot::include_library!("crypto");

subject! {
    CRYPTO: Crypto = "libcrypto" from "libssl-dev",
    does: "SHA-256, AES-GCM, an X.509 certificate and its RSA signature",
    confirmed: "NIST's vectors; the command `openssl` made the certificate",
    builder: |_input| [],
    not_sandboxed: "its assembly has data among code",
}

const SUBJECT: &str = "/CN=stakes.example/O=Table";

fn input() -> Result<Vec<u8>> {
    let scratch = Scratch::new()?;
    let (key, file) = (scratch.text("key.pem")?, scratch.text("cert.der")?);
    let options = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-outform", "DER"];
    let rest = ["-subj", SUBJECT, "-days", "2", "-keyout", &key, "-out", &file];
    tool("openssl", &[&options[..], &rest].concat(), &[])?;
    scratch.read("cert.der")
}

#[derive(Debug)]
struct Output {
    hash: String,
    encrypted: String,
    tag: String,
    is_signed: bool,
    subject: String,
}

/// Test case 3 of the specification of GCM: key, nonce, plaintext, ciphertext, tag.
const GCM: [&str; 5] = [
    "feffe9928665731c6d6a8f9467308308",
    "cafebabefacedbaddecaf888",
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
     21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
    "4d5c2af327cd64a62cf35abd2ba6fab4",
];

fn run<R: Runtime>(crypto: &mut Crypto<R>, file: &Vec<u8>) -> omniglot::Result<Output> {
    crypto.scope(|crypto| {
        let (none, no_len) = (Ptr::null(), Ptr::<u32>::null());
        let (text, hash) = (crypto.copy_in(b"abc")?, crypto.zeroed::<u8>(32)?);
        let sha256 = crypto.EVP_sha256()?;
        let mut good = crypto.EVP_Digest(text, 3, hash, no_len, sha256, none)? == 1;

        let [key, nonce, text] = [GCM[0], GCM[1], GCM[2]].map(from_hex);
        let (key, nonce) = (crypto.copy_in(&key)?, crypto.copy_in(&nonce)?);
        let (len, text) = (text.len(), crypto.copy_in(&text)?);
        let (room, room_len) = (crypto.zeroed::<u8>(len)?, crypto.out::<i32>()?);
        let tag = crypto.zeroed::<u8>(16)?;
        let (context, gcm) = (crypto.EVP_CIPHER_CTX_new()?, crypto.EVP_aes_128_gcm()?);
        good &= crypto.EVP_EncryptInit_ex(context, gcm, Ptr::null(), key, nonce)? == 1;
        good &= crypto.EVP_EncryptUpdate(context, room, room_len, text, len as i32)? == 1;
        good &= crypto.EVP_EncryptFinal_ex(context, tag, room_len)? == 1;
        good &= crypto.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag)? == 1;
        crypto.EVP_CIPHER_CTX_free(context)?;

        let place = crypto.copy_in(file)?.as_ptr();
        let place = crypto.value(place)?;
        let certificate = crypto.d2i_X509(Ptr::null(), place, file.len() as i64)?;
        if !good || certificate.is_null() {
            return Err(Error::Misuse("libcrypto says no"));
        }
        let key = crypto.X509_get0_pubkey(certificate)?;
        let is_signed = crypto.X509_verify(certificate, key)? == 1;
        let name = crypto.X509_get_subject_name(certificate)?;
        let line = crypto.zeroed::<u8>(200)?;
        let line = crypto.X509_NAME_oneline(name, line, 200)?;
        let subject = crypto.read_string(line, 200)?;
        crypto.X509_free(certificate)?;
        let (hash, encrypted) = (hex(&crypto.view_slice(hash)?), hex(&crypto.view_slice(room)?));
        Ok(Output { hash, encrypted, tag: hex(&crypto.view_slice(tag)?), is_signed, subject })
    })
}

fn confirm(_: &Vec<u8>, output: &Output) -> Result<()> {
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    ensure!(output.hash == hash, "{output:?}");
    ensure!(output.encrypted == GCM[3] && output.tag == GCM[4], "{output:?}");
    ensure!(output.is_signed && output.subject == SUBJECT, "{output:?}");
    Ok(())
}
