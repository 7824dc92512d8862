//! The findings about one file.

use std::fs;
use std::path::{Path, PathBuf};

use omniglot_scan::{
    Gadget, Image, ImageKind, Import, Kind, Known, NotAnImage, Setting, ThreadLocals, find, known,
    setting,
};

use crate::failure::Failure;

/// An instruction that was found.
pub(super) struct Found {
    pub(super) gadget: Gadget,
    pub(super) setting: Setting,
    pub(super) known: Option<Known>,
    /// The function that contains it, and the offset there, if the function has a name.
    pub(super) place: Option<(String, u64)>,
}

/// Contents and requirements of one file.
pub(super) struct Facts {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) kind: ImageKind,
    pub(super) found: Vec<Found>,
    pub(super) needed: Vec<String>,
    pub(super) search_path: Vec<String>,
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<String>,
    pub(super) indirect: Vec<String>,
    pub(super) thread_locals: Option<ThreadLocals>,
    pub(super) has_writable_code: bool,
    pub(super) has_executable_stack: bool,
}

impl Facts {
    /// Reads and scans the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = fs::read(path).map_err(|error| Failure::File(path.to_owned(), error))?;
        Self::of(path, &bytes).map_err(|error| Failure::Image(path.to_owned(), error))
    }

    fn of(path: &Path, bytes: &[u8]) -> Result<Self, NotAnImage> {
        let image = Image::parse(bytes)?;
        let file_name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Ok(Self {
            name: image.name().unwrap_or_else(|| file_name.into_owned()),
            path: path.to_owned(),
            kind: image.kind(),
            found: scan(&image),
            needed: image.needed(),
            search_path: image.search_path(),
            imports: image.imports().to_vec(),
            exports: image.exports().to_vec(),
            indirect: image.indirect_functions().to_vec(),
            thread_locals: image.thread_locals(),
            has_writable_code: image.has_writable_code(),
            has_executable_stack: image.has_executable_stack(),
        })
    }

    /// The instructions that can change the rights of protection keys.
    pub(super) fn key_changers(&self) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(|found| found.gadget.kind.changes_keys())
    }

    /// The system call instructions that the compiler intended as such.
    pub(super) fn system_calls(&self) -> impl Iterator<Item = &Found> {
        let calls = self.found.iter().filter(|found| found.gadget.kind.calls_kernel());
        calls.filter(|found| matches!(found.setting, Setting::Intended { .. }))
    }
}

fn scan(image: &Image<'_>) -> Vec<Found> {
    let code = image.code();
    let judge = |gadget: Gadget| {
        let setting = setting(&gadget, &code, image.function_starts());
        let place = image.place(gadget.address);
        let known = known(&gadget, setting, &code, place.map(|place| place.symbol));
        let place = place.map(|place| (place.symbol.to_owned(), place.offset));
        Found { gadget, setting, known, place }
    };
    find(&code, |_: Kind| true).into_iter().map(judge).collect()
}

/// Describes an instruction and its place.
pub(super) fn describe(found: &Found) -> String {
    let place = found.place.as_ref();
    let place = place.map(|(symbol, offset)| format!(" in {symbol}+{offset:#x}"));
    let setting = match found.setting {
        Setting::Intended { .. } => "",
        Setting::Hidden => ", hidden in other instructions",
        Setting::Unknown => ", perhaps hidden in other instructions",
    };
    let known = found.known.map(|known| format!(", known as {}", known.name()));
    format!(
        "{} at {:#x}{}{setting}{}",
        found.gadget.kind.name(),
        found.gadget.address,
        place.unwrap_or_default(),
        known.unwrap_or_default(),
    )
}
