//! libFLAC decodes a stream, through callbacks.

use std::cell::{Cell, RefCell};

use anyhow::{Result, ensure};
use omniglot::{Error, FnPtr, Ptr, Runtime};
use real_subject::subject;

use crate::{encoded, sound};

omniglot::include_library!("flac");

subject! {
    FLAC: Flac = "flac" from "libflac-dev",
    does: "decodes a second of sound, through callbacks in Rust",
    confirmed: "the sound itself, and the crate claxon, equal",
    builder: |_input| [],
}

fn input() -> Result<Vec<u8>> {
    encoded("flac", "flac")
}

fn run<R: Runtime>(flac: &mut Flac<R>, file: &Vec<u8>) -> omniglot::Result<Vec<i32>> {
    use FLAC__StreamDecoderReadStatus as Read;
    use FLAC__StreamDecoderWriteStatus as Write;
    let (place, sound) = (Cell::new(0), RefCell::new(Vec::new()));
    let good = flac.scope(|flac| {
        let read =
            flac.callback::<FLAC__StreamDecoderReadCallback>(|flac, (_, into, len, _)| {
                let room = flac.read_at(len)?;
                let rest = &file[place.get()..];
                let bytes = &rest[..rest.len().min(room)];
                let into = flac.upgrade_slice_mut(into, bytes.len())?;
                flac.write_slice(into, bytes)?;
                let len = flac.upgrade_mut(len)?;
                flac.write(len, bytes.len())?;
                place.set(place.get() + bytes.len());
                Ok(match bytes.len() {
                    0 => Read::FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM,
                    _ => Read::FLAC__STREAM_DECODER_READ_STATUS_CONTINUE,
                })
            })?;
        let write =
            flac.callback::<FLAC__StreamDecoderWriteCallback>(|flac, (_, frame, planes, _)| {
                let header = flac.follow(frame, FLAC__Frame::HEADER)?;
                let planes = flac.read_vec(planes, 2)?;
                let left = flac.read_vec(planes[0], header.blocksize as usize)?;
                let right = flac.read_vec(planes[1], header.blocksize as usize)?;
                let pairs = left.into_iter().zip(right);
                sound.borrow_mut().extend(pairs.flat_map(|(left, right)| [left, right]));
                Ok(Write::FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE)
            })?;
        let error = flac.callback::<FLAC__StreamDecoderErrorCallback>(|_, _| Ok(()))?;
        let decoder = flac.FLAC__stream_decoder_new()?;
        flac.FLAC__stream_decoder_init_stream(
            decoder,
            read,
            FnPtr::null(),
            FnPtr::null(),
            FnPtr::null(),
            FnPtr::null(),
            write,
            FnPtr::null(),
            error,
            Ptr::null(),
        )?;
        let good = flac.FLAC__stream_decoder_process_until_end_of_stream(decoder)?;
        flac.FLAC__stream_decoder_finish(decoder)?;
        flac.FLAC__stream_decoder_delete(decoder)?;
        Ok(good)
    })?;
    if good == 1 { Ok(sound.into_inner()) } else { Err(Error::Misuse("libFLAC says no")) }
}

fn confirm(file: &Vec<u8>, found: &Vec<i32>) -> Result<()> {
    let expected = sound();
    ensure!(expected.iter().copied().map(i32::from).eq(found.iter().copied()), "the sound differs");
    let mut reader = claxon::FlacReader::new(file.as_slice())?;
    let others = reader.samples().collect::<Result<Vec<_>, _>>()?;
    ensure!(found == &others, "claxon's sound differs");
    Ok(())
}
