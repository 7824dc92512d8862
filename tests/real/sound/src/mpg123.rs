//! libmpg123 decodes a stream.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{subject, tool};

use crate::{encoded, samples};

omniglot::include_library!("mpg123");

subject! {
    MPG123: Mpg123 = "mpg123" from "libmpg123-dev",
    does: "decodes a second of sound",
    confirmed: "the command `mpg123`, equal",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of it",
}

fn input() -> Result<Vec<u8>> {
    encoded("libmp3lame", "mp3")
}

fn run<R: Runtime>(mpg: &mut Mpg123<R>, file: &Vec<u8>) -> omniglot::Result<Vec<i16>> {
    const NEW_FORMAT: i32 = mpg123_errors::MPG123_NEW_FORMAT as i32;
    const NEED_MORE: i32 = mpg123_errors::MPG123_NEED_MORE as i32;
    const NO: Error = Error::Misuse("libmpg123 says no");
    let mut sound = Vec::new();
    mpg.scope(|mpg| {
        mpg.mpg123_init()?;
        let error = mpg.out::<i32>()?;
        let decoder = mpg.mpg123_new(Ptr::null(), error)?;
        mpg.mpg123_open_feed(decoder)?;
        let bytes = mpg.copy_in(file)?;
        mpg.mpg123_feed(decoder, bytes, file.len())?;
        let (room, done) = (mpg.zeroed::<i16>(8192)?, mpg.value(0)?);
        loop {
            let status = mpg.mpg123_read(decoder, room.as_ptr().cast(), 16_384, done)?;
            let part = room.range(0, mpg.read(done)? / 2).ok_or(NO)?;
            sound.extend_from_slice(&mpg.view_slice(part)?);
            match status {
                0 | NEW_FORMAT => {}
                NEED_MORE => break,
                _ => return Err(NO),
            }
        }
        mpg.mpg123_delete(decoder)
    })?;
    Ok(sound)
}

fn confirm(file: &Vec<u8>, sound: &Vec<i16>) -> Result<()> {
    let expected = samples(&tool("mpg123", &["-q", "-s", "-"], file)?);
    ensure!(sound == &expected, "{} samples, not {}", sound.len(), expected.len());
    ensure!(expected.len() > 90_000, "{} samples", expected.len());
    Ok(())
}
