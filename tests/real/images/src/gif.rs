//! giflib reads a picture through a callback.

use std::cell::Cell;

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::subject;

omniglot::include_library!("gif");

subject! {
    GIFLIB: Gif = "giflib" from "libgif-dev",
    does: "reads a picture, through a callback in Rust",
    confirmed: "the crate gif, which wrote it, equal",
    builder: |_input| [],
}

const SIZE: (u16, u16) = (120, 80);

fn indices() -> Vec<u8> {
    let places = (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x, y)));
    places.map(|(x, y)| ((x / 5 + y / 3 + x * y) % 16) as u8).collect()
}

fn input() -> Result<Vec<u8>> {
    let palette: Vec<u8> = (0..48).map(|value| value * 5).collect();
    let mut file = Vec::new();
    let mut encoder = ::gif::Encoder::new(&mut file, SIZE.0, SIZE.1, &palette)?;
    let (width, height) = SIZE;
    let frame = ::gif::Frame { width, height, buffer: indices().into(), ..::gif::Frame::default() };
    encoder.write_frame(&frame)?;
    drop(encoder);
    Ok(file)
}

/// The pixels as indices into the palette, and the palette.
type Output = (Vec<u8>, Vec<[u8; 3]>);

fn run<R: Runtime>(gif: &mut Gif<R>, file: &Vec<u8>) -> omniglot::Result<Output> {
    let place = Cell::new(0);
    gif.scope(|gif| {
        let read = gif.callback::<InputFunc>(|gif, (_, into, len)| {
            let rest = &file[place.get()..];
            let bytes = &rest[..rest.len().min(len as usize)];
            let into = gif.upgrade_slice_mut(into, bytes.len())?;
            gif.write_slice(into, bytes)?;
            place.set(place.get() + bytes.len());
            Ok(bytes.len() as i32)
        })?;
        let error = gif.out::<i32>()?;
        let picture = gif.DGifOpen(Ptr::from_addr(1), read, error)?;
        if picture.is_null() || gif.DGifSlurp(picture)? != 1 {
            return Err(Error::Misuse("giflib says no"));
        }
        let first = gif.follow(picture, GifFileType::SAVED_IMAGES)?;
        let pixels = gif.follow(first, SavedImage::RASTER_BITS)?;
        let map = gif.follow(picture, GifFileType::SCOLOR_MAP)?;
        let count = gif.follow(map, ColorMapObject::COLOR_COUNT)? as usize;
        let colours = gif.read_vec(gif.follow(map, ColorMapObject::COLORS)?, count)?;
        let pixels = gif.read_vec(pixels, usize::from(SIZE.0) * usize::from(SIZE.1))?;
        gif.DGifCloseFile(picture, error)?;
        let colours = colours.iter().map(|colour| [colour.Red, colour.Green, colour.Blue]);
        Ok((pixels, colours.collect()))
    })
}

fn confirm(_: &Vec<u8>, (pixels, colours): &Output) -> Result<()> {
    ensure!(pixels == &indices(), "the pixels differ");
    ensure!(colours.len() == 16 && colours[15] == [225, 230, 235], "the colours: {colours:?}");
    Ok(())
}
