//! libpng, from a picture in the host's memory to rows in foreign memory.

use omniglot::{Error, Escape, FnPtr, ForeignBox, Ptr, Result, Runtime};

omniglot::include_library!("png");

const NOT_AS_EXPECTED: Error = Error::Misuse("the picture is not as large as its header says");

/// Memory for pixels, and the addresses of its rows.
type Room = (ForeignBox<[u8]>, ForeignBox<[Ptr<u8>]>);

fn room<R: Runtime>(png: &mut Png<R>, height: u32, row_size: usize) -> Result<Room> {
    let size = row_size.saturating_mul(height as usize);
    let pixels = png.alloc_zeroed::<u8>(size)?;
    let first = pixels.as_slice().as_ptr();
    let rows: Vec<Ptr<u8>> =
        (0..size).step_by(row_size).map(|start| first.offset(start as isize)).collect();
    let rows = png.alloc_slice(&rows)?;
    Ok((pixels, rows))
}

/// Decodes pictures of one size, repeatedly, into memory that it allocates once.
pub(crate) struct Decoder<R: Runtime> {
    png: Png<R>,
    height: u32,
    row_size: usize,
    pixels: ForeignBox<[u8]>,
    rows: ForeignBox<[Ptr<u8>]>,
}

impl<R: Runtime> Decoder<R> {
    pub(crate) fn new(mut png: Png<R>, height: u32, row_size: usize) -> Result<Self> {
        let (pixels, rows) = room(&mut png, height, row_size)?;
        Ok(Self { png, height, row_size, pixels, rows })
    }

    /// Brings the instance back to the state after loading. What was allocated there is gone.
    pub(crate) fn reset(&mut self) -> Result<()> {
        self.png.reset()
    }

    /// Allocates what a reset has taken.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        (self.pixels, self.rows) = room(&mut self.png, self.height, self.row_size)?;
        Ok(())
    }

    /// Decodes a file. The pixels stay in foreign memory.
    pub(crate) fn decode(&mut self, file: &[u8]) -> Result<()> {
        let (height, row_size, rows) = (self.height, self.row_size, &self.rows);
        self.png.scope(|scope| {
            let version = scope.c_str(PNG_LIBPNG_VER_STRING)?;
            let (no_error, no_warning) = (FnPtr::null(), FnPtr::null());
            let none = Ptr::<omniglot::Void>::null();
            let png = scope.png_create_read_struct(version, none, no_error, no_warning)?;
            let info = scope.png_create_info_struct(png)?;
            let mut rest = file;
            let read = scope.callback::<png_rw_ptr>(move |api, (_, into, len)| {
                let (bytes, after) = rest.split_at_checked(len).ok_or(Escape::Abandon)?;
                let into = api.upgrade_slice_mut(into, len)?;
                api.write_slice(into, bytes)?;
                rest = after;
                Ok(())
            })?;
            scope.png_set_read_fn(png, none, read)?;
            scope.png_read_info(png, info)?;
            let is_as_expected = scope.png_get_image_height(png, info)? == height
                && scope.png_get_rowbytes(png, info)? == row_size;
            if !is_as_expected {
                return Err(NOT_AS_EXPECTED);
            }
            scope.png_read_image(png, rows)?;
            let (png, info) = (scope.value(png)?, scope.value(info)?);
            scope.png_destroy_read_struct(png, info, Ptr::<png_infop>::null())
        })
    }

    /// Returns the pixels of the last picture.
    pub(crate) fn pixels(&self) -> Result<Vec<u8>> {
        let mut pixels = vec![0; self.row_size * self.height as usize];
        self.png.read_into(&self.pixels, &mut pixels)?;
        Ok(pixels)
    }
}
