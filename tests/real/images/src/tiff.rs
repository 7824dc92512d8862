//! libtiff reads a picture through callbacks.

use std::cell::Cell;
use std::io::Cursor;

use anyhow::{Result, ensure};
use omniglot::{Error, FnPtr, Ptr, Runtime};
use real_subject::{Picture, subject};

omniglot::include_library!("tiff");

subject! {
    TIFF: Tiff = "libtiff" from "libtiff-dev",
    does: "reads a picture, through callbacks in Rust",
    confirmed: "the crate tiff, which wrote it, equal",
    builder: |_input| [],
    not_sandboxed: "its archive needs that of LERC, which is C++",
}

const SIZE: (u32, u32) = (200, 120);

fn input() -> Result<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    let picture = Picture::new(SIZE.0 as usize, SIZE.1 as usize);
    let mut encoder = ::tiff::encoder::TiffEncoder::new(&mut file)?;
    encoder.write_image::<::tiff::encoder::colortype::RGB8>(SIZE.0, SIZE.1, &picture.pixels)?;
    Ok(file.into_inner())
}

fn run<R: Runtime>(tiff: &mut Tiff<R>, file: &Vec<u8>) -> omniglot::Result<Vec<u32>> {
    let place = Cell::new(0);
    tiff.scope(|tiff| {
        let read = tiff.callback::<TIFFReadWriteProc>(|tiff, (_, into, len)| {
            let rest = file.get(place.get()..).unwrap_or_default();
            let bytes = &rest[..rest.len().min(len as usize)];
            let into = tiff.upgrade_slice_mut(into.cast::<u8>(), bytes.len())?;
            tiff.write_slice(into, bytes)?;
            place.set(place.get() + bytes.len());
            Ok(bytes.len() as i64)
        })?;
        let write = tiff.callback::<TIFFReadWriteProc>(|_, _| Ok(-1))?;
        let seek = tiff.callback::<TIFFSeekProc>(|_, (_, offset, from)| {
            let base = [0, place.get(), file.len()].get(from as usize).copied().unwrap_or(0);
            place.set(base.wrapping_add(offset as usize));
            Ok(place.get() as u64)
        })?;
        let close = tiff.callback::<TIFFCloseProc>(|_, _| Ok(0))?;
        let size = tiff.callback::<TIFFSizeProc>(|_, _| Ok(file.len() as u64))?;
        let (name, mode, me) = (tiff.str("picture")?, tiff.str("rm")?, Ptr::from_addr(1));
        let (no_map, no_unmap) = (FnPtr::null(), FnPtr::null());
        let picture =
            tiff.TIFFClientOpen(name, mode, me, read, write, seek, close, size, no_map, no_unmap)?;
        let raster = tiff.zeroed::<u32>((SIZE.0 * SIZE.1) as usize)?;
        let top = ORIENTATION_TOPLEFT;
        let done = tiff.TIFFReadRGBAImageOriented(picture, SIZE.0, SIZE.1, raster, top, 1)?;
        tiff.TIFFClose(picture)?;
        if done != 1 {
            return Err(Error::Misuse("libtiff says no"));
        }
        Ok(tiff.view_slice(raster)?.to_vec())
    })
}

fn confirm(_: &Vec<u8>, raster: &Vec<u32>) -> Result<()> {
    let picture = Picture::new(SIZE.0 as usize, SIZE.1 as usize);
    let pixels: Vec<u8> =
        raster.iter().flat_map(|pixel| pixel.to_le_bytes()[..3].to_vec()).collect();
    ensure!(pixels == picture.pixels, "the pixels differ");
    Ok(())
}
