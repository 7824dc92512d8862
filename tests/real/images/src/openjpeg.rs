//! OpenJPEG decodes a JPEG 2000 picture, through callbacks.

use std::cell::Cell;

use anyhow::{Result, ensure};
use omniglot::{Error, FnPtr, Ptr, Runtime};
use real_subject::{Picture, Scratch, subject, tool};

omniglot::include_library!("openjpeg");

subject! {
    OPENJPEG: Openjpeg = "openjpeg" from "libopenjp2-7-dev",
    does: "decodes a picture in JPEG 2000, through callbacks in Rust",
    confirmed: "the picture that the command `opj_compress` packed without loss, equal",
    builder: |_input| [],
}

const SIZE: (usize, usize) = (160, 96);

fn input() -> Result<Vec<u8>> {
    let scratch = Scratch::new()?;
    let from = scratch.write("in.ppm", &Picture::new(SIZE.0, SIZE.1).ppm())?;
    tool("opj_compress", &["-i", &from, "-o", &scratch.text("out.jp2")?], &[])?;
    scratch.read("out.jp2")
}

fn run<R: Runtime>(jpeg: &mut Openjpeg<R>, file: &Vec<u8>) -> omniglot::Result<Vec<Vec<i32>>> {
    const NO: Error = Error::Misuse("OpenJPEG says no");
    let place = Cell::new(0_usize);
    jpeg.scope(|jpeg| {
        let read = jpeg.callback::<opj_stream_read_fn>(|jpeg, (into, len, _)| {
            let rest = file.get(place.get()..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(usize::MAX);
            }
            let bytes = &rest[..rest.len().min(len)];
            let into = jpeg.upgrade_slice_mut(into.cast::<u8>(), bytes.len())?;
            jpeg.write_slice(into, bytes)?;
            place.set(place.get() + bytes.len());
            Ok(bytes.len())
        })?;
        let skip = jpeg.callback::<opj_stream_skip_fn>(|_, (count, _)| {
            place.set(place.get().saturating_add_signed(count as isize));
            Ok(count)
        })?;
        let seek = jpeg.callback::<opj_stream_seek_fn>(|_, (to, _)| {
            place.set(to as usize);
            Ok(1)
        })?;
        let stream = jpeg.opj_stream_create(1 << 16, 1)?;
        jpeg.opj_stream_set_read_function(stream, read)?;
        jpeg.opj_stream_set_skip_function(stream, skip)?;
        jpeg.opj_stream_set_seek_function(stream, seek)?;
        jpeg.opj_stream_set_user_data(stream, Ptr::from_addr(1), FnPtr::null())?;
        jpeg.opj_stream_set_user_data_length(stream, file.len() as u64)?;
        let codec = jpeg.opj_create_decompress(OPJ_CODEC_FORMAT::OPJ_CODEC_JP2)?;
        let parameters = jpeg.out::<opj_dparameters_t>()?;
        jpeg.opj_set_default_decoder_parameters(parameters)?;
        let image = jpeg.value(Ptr::null())?;
        let good = jpeg.opj_setup_decoder(codec, parameters)? == 1
            && jpeg.opj_read_header(stream, codec, image)? == 1;
        let image = jpeg.read(image)?;
        if !good || jpeg.opj_decode(codec, stream, image)? != 1 {
            return Err(NO);
        }
        let count = jpeg.follow(image, opj_image_t::NUMCOMPS)? as isize;
        let first = jpeg.follow(image, opj_image_t::COMPS)?;
        let planes = (0..count.min(4)).map(|index| {
            let data = jpeg.follow(first.offset(index), opj_image_comp_t::DATA)?;
            jpeg.read_vec(data, SIZE.0 * SIZE.1)
        });
        let planes = planes.collect::<omniglot::Result<_>>()?;
        jpeg.opj_image_destroy(image)?;
        jpeg.opj_destroy_codec(codec)?;
        jpeg.opj_stream_destroy(stream)?;
        Ok(planes)
    })
}

fn confirm(_: &Vec<u8>, planes: &Vec<Vec<i32>>) -> Result<()> {
    let picture = Picture::new(SIZE.0, SIZE.1);
    ensure!(planes.len() == 3, "{} planes", planes.len());
    let pixels =
        (0..SIZE.0 * SIZE.1).flat_map(|at| planes.iter().map(move |plane| plane[at] as u8));
    ensure!(pixels.eq(picture.pixels.iter().copied()), "the pixels differ");
    Ok(())
}
