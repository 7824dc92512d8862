//! libbzip2 compresses text.

use anyhow::{Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::{prose, subject, tool};

omniglot::include_library!("bzip2");

subject! {
    BZIP2: Bzip2 = "libbzip2" from "libbz2-dev",
    does: "compresses text and decompresses it",
    confirmed: "the command `bzip2` decompresses it, equal",
    builder: |_input| [],
}

fn input() -> Result<String> {
    Ok(prose(300_000))
}

fn run<R: Runtime>(bzip2: &mut Bzip2<R>, text: &String) -> omniglot::Result<(Vec<u8>, Vec<u8>)> {
    const NO: Error = Error::Misuse("libbzip2 says no");
    let len = text.len() as u32;
    bzip2.scope(|bzip2| {
        let source = bzip2.copy_in(text.as_bytes())?;
        let (packed, packed_len) = (bzip2.reserve::<u8>(text.len() + 1000)?, bzip2.value(len)?);
        let done = bzip2.BZ2_bzBuffToBuffCompress(packed, packed_len, source, len, 9, 0, 0)?;
        let packed = packed.range(0, bzip2.read(packed_len)? as usize).ok_or(NO)?;
        let (unpacked, unpacked_len) = (bzip2.reserve::<u8>(text.len())?, bzip2.value(len)?);
        let packed_len = packed.len() as u32;
        let undone =
            bzip2.BZ2_bzBuffToBuffDecompress(unpacked, unpacked_len, packed, packed_len, 0, 0)?;
        if done != 0 || undone != 0 {
            return Err(NO);
        }
        Ok((bzip2.view_slice(packed)?.to_vec(), bzip2.view_slice(unpacked)?.to_vec()))
    })
}

fn confirm(text: &String, (packed, unpacked): &(Vec<u8>, Vec<u8>)) -> Result<()> {
    ensure!(tool("bzip2", &["-dc"], packed)? == text.as_bytes(), "bzip2's text differs");
    ensure!(unpacked == text.as_bytes(), "the text differs");
    Ok(())
}
