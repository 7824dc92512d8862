//! libvorbisfile decodes a stream.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::subject;

use crate::{encoded, nearness};

omniglot::include_library!("vorbis");

subject! {
    VORBIS: Vorbis = "vorbis" from "libvorbis-dev",
    does: "decodes a second of sound",
    confirmed: "the crate lewton, within -60 dB",
    builder: |_input| [],
}

fn input() -> Result<Vec<u8>> {
    encoded("libvorbis", "ogg")
}

fn run<R: Runtime>(vorbis: &mut Vorbis<R>, file: &Vec<u8>) -> omniglot::Result<Vec<i16>> {
    const NO: Error = Error::Misuse("libvorbisfile says no");
    let mut sound = Vec::new();
    vorbis.scope(|vorbis| {
        // The whole file is passed at once, so there is nothing more to read.
        let end = vorbis.callback::<ov_callbacks_read_func_fn>(|_, _| Ok(0))?;
        let callbacks = ov_callbacks { read_func: end, ..ov_callbacks::default() };
        let (bytes, len) = (vorbis.copy_in(file)?, file.len() as i64);
        let stream = vorbis.out::<OggVorbis_File>()?;
        if vorbis.ov_open_callbacks(Ptr::from_addr(1), stream, bytes, len, callbacks)? != 0 {
            return Err(NO);
        }
        let (room, section) = (vorbis.zeroed::<i16>(2048)?, vorbis.out::<i32>()?);
        loop {
            let place = room.as_ptr().cast();
            let read = vorbis.ov_read(stream, place, 4096, 0, 2, 1, section)?;
            if read == 0 {
                break;
            }
            let part = room.range(0, read as usize / 2).ok_or(NO)?;
            sound.extend_from_slice(&vorbis.view_slice(part)?);
        }
        vorbis.ov_clear(stream)?;
        Ok(())
    })?;
    Ok(sound)
}

fn confirm(file: &Vec<u8>, sound: &Vec<i16>) -> Result<()> {
    let mut reader = lewton::inside_ogg::OggStreamReader::new(std::io::Cursor::new(file))?;
    let mut expected = Vec::new();
    while let Some(part) = reader.read_dec_packet_itl()? {
        expected.extend(part);
    }
    let nearness = nearness(&expected, sound);
    ensure!(nearness > 60.0 && expected.len() > 90_000, "{nearness} dB, {}", expected.len());
    Ok(())
}
