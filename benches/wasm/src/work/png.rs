//! libpng, from a picture in the host's memory to rows in the module's.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, ensure};
use omniglot_turns::Variant;

use super::{NATIVE, on_each_guest, repeated};
use crate::guest::{Guest, Room};
use crate::inputs::Picture;
use crate::module::Modules;
use crate::native;

/// One operation decodes the picture.
pub(super) fn variants(modules: &Modules, picture: Picture) -> Result<Vec<Variant>> {
    let file: Arc<[u8]> = picture.file.into();
    let mut decoder = native::png::Decoder::new(picture.height, picture.row_size);
    decoder.decode(&file)?;
    ensure!(decoder.pixels() == picture.pixels, "not what the crate png decodes");
    let own = Arc::clone(&file);
    let mut variants = vec![repeated(NATIVE, move || decoder.decode(black_box(&own)))];
    variants.extend(on_each_guest!(modules, "png16", |name, guest| {
        let decoder = Decoder::new(guest, picture.height, picture.row_size)?;
        variant(name, decoder, Arc::clone(&file), &picture.pixels)?
    }));
    Ok(variants)
}

fn variant<G: Guest>(
    name: &str,
    mut decoder: Decoder<G>,
    file: Arc<[u8]>,
    pixels: &[u8],
) -> Result<Variant> {
    decoder.decode(&file)?;
    ensure!(decoder.pixels()? == pixels, "not what the crate png decodes");
    Ok(repeated(name, move || decoder.decode(black_box(&file))))
}

/// Functions of libpng, by their signatures.
struct Functions<G: Guest> {
    create: G::Function<(u32, u32, u32, u32), u32>,
    create_info: G::Function<(u32,), u32>,
    set_read: G::Function<(u32, u32, u32), ()>,
    read_info: G::Function<(u32, u32), ()>,
    height: G::Function<(u32, u32), u32>,
    row_size: G::Function<(u32, u32), u32>,
    read_image: G::Function<(u32, u32), ()>,
    destroy: G::Function<(u32, u32, u32), ()>,
}

impl<G: Guest> Functions<G> {
    fn find(guest: &mut G) -> Result<Self> {
        Ok(Self {
            create: guest.find("png_create_read_struct")?,
            create_info: guest.find("png_create_info_struct")?,
            set_read: guest.find("png_set_read_fn")?,
            read_info: guest.find("png_read_info")?,
            height: guest.find("png_get_image_height")?,
            row_size: guest.find("png_get_rowbytes")?,
            read_image: guest.find("png_read_image")?,
            destroy: guest.find("png_destroy_read_struct")?,
        })
    }
}

/// Decodes pictures of one size, repeatedly, into memory that it allocates once.
struct Decoder<G: Guest> {
    guest: G,
    functions: Functions<G>,
    height: u32,
    row_size: u32,
    /// The address of libpng's own version, a string constant.
    version: u32,
    reader: u32,
    pixels: Room,
    rows: Room,
    /// The addresses of libpng's two structs, which it sets to null when it frees them.
    structs: Room,
}

impl<G: Guest> Decoder<G> {
    fn new(mut guest: G, height: u32, row_size: usize) -> Result<Self> {
        let functions = Functions::find(&mut guest)?;
        let own_version = guest.find::<(u32,), u32>("png_get_libpng_ver")?;
        let version = guest.call(&own_version, (0,))?;
        let reader = guest.reader()?;
        let pixels = Room::new(&mut guest, row_size * height as usize)?;
        let addresses: Vec<u8> = (0..height as usize)
            .flat_map(|row| (pixels.address() + (row * row_size) as u32).to_le_bytes())
            .collect();
        let rows = Room::new(&mut guest, addresses.len())?;
        rows.write(&mut guest, &addresses)?;
        let structs = Room::new(&mut guest, 8)?;
        let row_size = u32::try_from(row_size)?;
        Ok(Self { guest, functions, height, row_size, version, reader, pixels, rows, structs })
    }

    /// Decodes a file that is known to be valid. An error of libpng is a trap.
    fn decode(&mut self, file: &Arc<[u8]>) -> Result<()> {
        let (guest, functions) = (&mut self.guest, &self.functions);
        guest.open(Arc::clone(file));
        let png = guest.call(&functions.create, (self.version, 0, 0, 0))?;
        let info = guest.call(&functions.create_info, (png,))?;
        ensure!(info != 0, "libpng made no structs to decode with");
        guest.call(&functions.set_read, (png, 0, self.reader))?;
        guest.call(&functions.read_info, (png, info))?;
        let height = guest.call(&functions.height, (png, info))?;
        let row_size = guest.call(&functions.row_size, (png, info))?;
        let fits = (height, row_size) == (self.height, self.row_size);
        ensure!(fits, "the picture is not as large as its header says");
        guest.call(&functions.read_image, (png, self.rows.address()))?;
        let both = [png.to_le_bytes(), info.to_le_bytes()];
        self.structs.write(guest, both.as_flattened())?;
        let structs = self.structs.address();
        guest.call(&functions.destroy, (structs, structs + 4, 0))
    }

    /// Returns the pixels of the last picture.
    fn pixels(&mut self) -> Result<&[u8]> {
        let size = self.row_size as usize * self.height as usize;
        Ok(self.pixels.bytes(&mut self.guest, size)?)
    }
}
