//! A PNG decoder that uses the system's libpng without trusting it.
//!
//! It uses libpng as a C program does: callbacks for errors, warnings and input, row pointers for
//! the output. libpng runs in a worker process. Whatever it does there, the worst result of a
//! damaged or malicious picture is an error.

use std::cell::RefCell;
use std::ffi::c_char;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use omniglot::{Builder, Error, Ptr, Scope, Text};

use crate::Picture;
use libpng::{Api, Png, png_error_ptr, png_info, png_rw_ptr, png_struct};

/// All of `png.h`, as safe Rust.
mod libpng {
    omniglot::include_library!("png");
}

type Result<T, E = DecodeError> = std::result::Result<T, E>;

/// Length of the longest message from libpng, in bytes.
const MESSAGE: usize = 256;

/// The most memory that libpng and the picture may take together, in bytes. A file of a few bytes
/// can make libpng allocate gigabytes.
const MEMORY: usize = 2 << 30;

/// The time limit of a call.
const TIME: Duration = Duration::from_secs(10);

/// Number of bytes of image data that libpng requests at a time.
pub const PIECE: usize = 64 << 10;

/// The largest number of warnings to keep for one picture: a library could warn without end.
const WARNINGS: usize = 16;

/// Why a picture was not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// libpng found an error; this is its message. The decoder can then decode the next file.
    Libpng(String),
    /// libpng returned something impossible about the picture.
    Nonsense(&'static str),
    /// libpng crashed, ran too long or made a forbidden system call.
    Foreign(Error),
}

impl From<Error> for DecodeError {
    fn from(error: Error) -> Self {
        Self::Foreign(error)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Libpng(message) => write!(out, "libpng says: {message}"),
            Self::Nonsense(what) => write!(out, "libpng contradicts itself: {what}"),
            Self::Foreign(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Decodes PNG files with libpng in a worker.
#[derive(Debug)]
pub struct Decoder {
    png: Png,
    warnings: Vec<String>,
}

impl Decoder {
    /// Starts a worker.
    ///
    /// # Errors
    /// The errors of [`omniglot::Builder::build`].
    pub fn new() -> omniglot::Result<Self> {
        Self::with(Png::builder())
    }

    /// The same, with libpng and what it needs from that directory.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_libraries(directory: &Path) -> omniglot::Result<Self> {
        Self::with(Png::builder().library_directory(directory))
    }

    fn with(builder: Builder<Png>) -> omniglot::Result<Self> {
        let png = builder.memory_limit(MEMORY).timeout(TIME).build()?;
        Ok(Self { png, warnings: Vec::new() })
    }

    /// Returns the version of the libpng in the worker.
    ///
    /// # Errors
    /// Fails if the call fails.
    pub fn version(&mut self) -> omniglot::Result<String> {
        let version = self.png.png_get_libpng_ver(Ptr::null())?;
        Ok(self.png.read_str(version, MESSAGE)?.to_owned())
    }

    /// Returns libpng's warnings about the last file.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Decodes a file's bytes.
    ///
    /// # Errors
    /// [`DecodeError::Libpng`] if libpng rejects the file.
    pub fn decode(&mut self, file: &[u8]) -> Result<Picture> {
        let messages = Messages::default();
        let decoded = self.png.scope(|scope| Ok(decode(scope, file, &messages)))?;
        self.warnings = messages.warnings.into_inner();
        match (decoded, messages.error.into_inner()) {
            // The longjmp at the end of libpng's error handling.
            (Err(DecodeError::Foreign(Error::NonLocalExit)), Some(message)) => {
                Err(DecodeError::Libpng(message))
            }
            (decoded, _) => decoded,
        }
    }
}

/// libpng's messages.
#[derive(Debug, Default)]
struct Messages {
    error: RefCell<Option<String>>,
    warnings: RefCell<Vec<String>>,
}

impl Messages {
    fn warn(&self, message: String) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < WARNINGS {
            warnings.push(message);
        }
    }
}

/// Reads a message of libpng. It may quote the file, so control characters are escaped.
fn message(api: &Api, text: Ptr<c_char>) -> omniglot::Result<String> {
    let text = api.read_cstr(text, MESSAGE)?;
    Ok(Text::from_untrusted(text.to_bytes()).to_string())
}

fn decode<'env>(
    scope: &mut Scope<'_, 'env, Api>,
    file: &'env [u8],
    messages: &'env Messages,
) -> Result<Picture> {
    let reader = Reader::start(scope, messages)?;
    let picture = reader.read(scope, file);
    let closed = reader.close(scope);
    let picture = picture?;
    closed?;
    Ok(picture)
}

/// libpng's two structs for one file. They are opaque to the host.
#[derive(Clone, Copy)]
struct Reader {
    png: Ptr<png_struct>,
    info: Ptr<png_info>,
}

impl Reader {
    fn start<'env>(scope: &mut Scope<'_, 'env, Api>, messages: &'env Messages) -> Result<Self> {
        let fail = scope.callback::<png_error_ptr>(|api, (png, text)| {
            messages.error.replace(Some(message(api, text)?));
            // An error handler must not return to libpng.
            Err(api.raise_png_longjmp(png, 1)?)
        })?;
        let warn = scope.callback::<png_error_ptr>(|api, (_, text)| {
            messages.warn(message(api, text)?);
            Ok(())
        })?;
        let version = scope.c_str(libpng::PNG_LIBPNG_VER_STRING)?;
        let png = scope.png_create_read_struct(version, Ptr::null(), fail, warn)?;
        let info = scope.png_create_info_struct(png)?;
        if info.is_null() {
            return Err(DecodeError::Nonsense("it gave no structs to decode with"));
        }
        Ok(Self { png, info })
    }

    fn read<'env>(self, scope: &mut Scope<'_, 'env, Api>, file: &'env [u8]) -> Result<Picture> {
        self.read_from(scope, file)?;
        scope.png_read_info(self.png, self.info)?;
        self.ask_for_rgba(scope)?;
        scope.png_read_update_info(self.png, self.info)?;
        self.read_rows(scope)
    }

    /// Makes libpng request the file piece by piece during all following calls.
    fn read_from<'env>(self, scope: &mut Scope<'_, 'env, Api>, file: &'env [u8]) -> Result<()> {
        let too_short = scope.c_str(c"the file ends too early")?;
        let mut rest = file;
        let read = scope.callback::<png_rw_ptr>(move |api, (png, into, len)| {
            let Some((bytes, after)) = rest.split_at_checked(len) else {
                return Err(api.raise_png_error(png, too_short)?);
            };
            let into = api.upgrade_slice_mut(into, len)?;
            api.write_slice(into, bytes)?;
            rest = after;
            Ok(())
        })?;
        scope.png_set_read_fn(self.png, Ptr::null(), read)?;
        // Each piece is a round trip to the host, so pieces are larger than libpng's 4096 bytes.
        Ok(scope.png_set_compression_buffer_size(self.png, PIECE)?)
    }

    /// Makes libpng return eight bits of red, green, blue and alpha, whatever the file's format.
    fn ask_for_rgba(self, scope: &mut Scope<'_, '_, Api>) -> Result<()> {
        scope.png_set_expand(self.png)?;
        scope.png_set_strip_16(self.png)?;
        scope.png_set_gray_to_rgb(self.png)?;
        scope.png_set_add_alpha(self.png, 0xff, libpng::PNG_FILLER_AFTER)?;
        scope.png_set_interlace_handling(self.png)?;
        Ok(())
    }

    fn read_rows(self, scope: &mut Scope<'_, '_, Api>) -> Result<Picture> {
        let width = scope.png_get_image_width(self.png, self.info)?;
        let height = scope.png_get_image_height(self.png, self.info)?;
        let row_size = scope.png_get_rowbytes(self.png, self.info)?;
        if width == 0 || row_size != width as usize * 4 {
            return Err(DecodeError::Nonsense("its rows are not as wide as the picture"));
        }
        let size = row_size.saturating_mul(height as usize);
        let pixels = scope.alloc_zeroed::<u8>(size)?;
        let first = pixels.as_slice().as_ptr();
        let rows: Vec<Ptr<u8>> =
            (0..size).step_by(row_size).map(|start| first.offset(start as isize)).collect();
        let rows = scope.alloc_slice(&rows)?;
        scope.png_read_image(self.png, &rows)?;
        scope.png_read_end(self.png, self.info)?;
        let mut rgba = vec![0; size];
        scope.read_into(&pixels, &mut rgba)?;
        Ok(Picture { width, height, rgba })
    }

    fn close(self, scope: &mut Scope<'_, '_, Api>) -> Result<()> {
        let png = scope.value(self.png)?;
        let info = scope.value(self.info)?;
        Ok(scope.png_destroy_read_struct(png, info, Ptr::null())?)
    }
}
