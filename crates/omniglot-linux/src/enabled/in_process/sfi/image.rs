//! Images: ELF files that were made for a region, verified once in a process.

use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use object::LittleEndian as LE;
use object::elf::{EM_X86_64, ET_EXEC, FileHeader64, PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD};
use object::elf::{ProgramHeader64, SHT_SYMTAB, STT_FUNC};
use object::read::elf::{FileHeader, ProgramHeader, Sym};
use omniglot_core::{Description, Error, Result, Text};
use omniglot_verify::layout::{
    CONTROL, GATES, HEAP_END, HEAP_START, IMAGE, IMAGE_MAX, IMAGE_MIN, PROCESSOR,
};
use omniglot_verify::{LINE, Uses, verify};
use rustix::mm::ProtFlags;

use crate::enabled::images::{are_same, executable_memory, seal};
use crate::enabled::in_process::context::{USES_AVX, USES_X87};
use crate::enabled::layout::PAGE;
use crate::enabled::system::failed;
use crate::enabled::tables::Tables;

/// Each segment is a mapping of each instance, and the kernel counts those of a process.
const MOST_SEGMENTS: usize = 16;

/// An image that was verified: what each instance maps.
#[derive(Debug)]
pub(super) struct Image {
    /// All segments, one after the other, each of whole pages; sealed.
    pub(super) file: OwnedFd,
    /// Ascending, and apart from each other.
    pub(super) segments: Vec<Segment>,
    pub(super) uses: Uses,
    /// What runs once in each life, before all else; 0 if nothing does.
    pub(super) start: usize,
    /// Where the addresses of the exported functions are.
    pub(super) tables: Tables,
    /// Words that the host sets.
    pub(super) callback: usize,
    /// The words that say what `cpuid` reports.
    pub(super) processor: Option<usize>,
    pub(super) heap_start: Option<usize>,
    pub(super) heap_end: Option<usize>,
    /// The word of its system-call server, if it has one.
    pub(super) control: Option<usize>,
    bytes: &'static [u8],
}

/// What of an image is mapped at once.
#[derive(Debug)]
pub(super) struct Segment {
    /// Where in the region, in whole pages; behind what the file has, zeros follow.
    pub(super) range: Range<usize>,
    pub(super) access: ProtFlags,
    /// What the file has of it, in whole pages.
    pub(super) in_file: Range<usize>,
}

/// What an ELF file says of a segment.
struct SegmentHeader<'a> {
    start: usize,
    end: usize,
    access: ProtFlags,
    bytes: &'a [u8],
}

/// The image, verified unless that was done before in this process.
///
/// # Errors
/// [`Error::Load`] if it is none, or if what is in it was not made for a region: the verifier's
/// refusal names the place.
pub(super) fn verified(bytes: &'static [u8]) -> Result<Arc<Image>> {
    static KNOWN: Mutex<Vec<Arc<Image>>> = Mutex::new(Vec::new());
    // Never locked for long: a forked child finds a lock as it was.
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let find = |known: &[Arc<Image>]| {
        known.iter().find(|image| are_same(image.bytes, bytes)).map(Arc::clone)
    };
    if let Some(image) = find(&known()) {
        return Ok(image);
    }
    let image = Arc::new(Image::read(bytes)?);
    let mut known = known();
    // Another thread may have made it meanwhile.
    Ok(find(&known).unwrap_or_else(|| {
        known.push(Arc::clone(&image));
        image
    }))
}

fn load_error(why: &str) -> Error {
    Error::Load(Text::from_untrusted(why.as_bytes()))
}

fn malformed(what: &'static str) -> impl Fn(object::Error) -> Error {
    move |error| load_error(&format!("the sandboxed image has {what}: {error}"))
}

impl Image {
    fn read(bytes: &'static [u8]) -> Result<Self> {
        let header = FileHeader64::<LE>::parse(bytes).map_err(malformed("no ELF header"))?;
        if header.e_machine(LE) != EM_X86_64 || header.e_type(LE) != ET_EXEC {
            return Err(load_error("the sandboxed image is no x86-64 program at fixed addresses"));
        }
        let headers =
            header.program_headers(LE, bytes).map_err(malformed("malformed program headers"))?;
        let loaded = loaded_segments(headers, bytes)?;
        let (file, segments) = store(&loaded)?;
        let uses = verify_text(&file, &segments)?;
        let symbols = Symbols::of(header, bytes)?;
        let named = symbols.address(IMAGE).ok_or_else(|| {
            load_error("the sandboxed image has no header (omniglot_image); build it again")
        })?;
        let (tables, callback) =
            Tables::read_with(named, |address, into| read(&loaded, address, into))?;
        let entries = tables.shims.iter().chain(&tables.trampolines);
        let start = header.e_entry(LE) as usize;
        if entries.chain([&start]).any(|entry| !entry.is_multiple_of(LINE as usize)) {
            return Err(load_error("a function of the sandboxed image is at no line of its text"));
        }
        let heap_start = symbols.address(HEAP_START);
        let heap_end = symbols.address(HEAP_END);
        let control = symbols.address(CONTROL);
        let processor = symbols.address(PROCESSOR);
        for word in [Some(callback), heap_start, heap_end, control].into_iter().flatten() {
            check_word(&segments, word)?;
        }
        for word in processor.into_iter().flat_map(|word| [word, word.saturating_add(8)]) {
            check_word(&segments, word)?;
        }
        Ok(Self {
            file,
            segments,
            uses,
            start,
            tables,
            callback,
            processor,
            heap_start,
            heap_end,
            control,
            bytes,
        })
    }

    /// Where the image ends in its region.
    pub(super) fn end(&self) -> usize {
        self.segments.last().map_or(GATES.end as usize, |segment| segment.range.end)
    }

    /// What the gate has to know of the processor's registers.
    pub(super) fn features(&self) -> u32 {
        let x87 = if self.uses.x87 { USES_X87 } else { 0 };
        let avx = if self.uses.avx { USES_AVX } else { 0 };
        x87 | avx
    }

    /// Checks that the image is the one that the bindings were made with.
    pub(super) fn check(&self, description: &Description) -> Result<()> {
        let found = (self.tables.shims.len(), self.tables.trampolines.len());
        if found == (description.shims as usize, description.slots as usize) {
            return Ok(());
        }
        Err(load_error("the sandboxed image does not fit the bindings; generate both again"))
    }

    /// Where an instruction is, as "libpng: png_read_row+0x1c". The code was rewritten, so lines of
    /// the sources are not known.
    pub(super) fn describe(&self, library: &str, address: usize) -> Text {
        self.describe_first(library, [address])
    }

    /// Where the first of some instructions is that is in a function with a name.
    pub(super) fn describe_first(
        &self,
        library: &str,
        addresses: impl IntoIterator<Item = usize>,
    ) -> Text {
        let header = FileHeader64::<LE>::parse(self.bytes);
        let symbols = header.ok().and_then(|header| Symbols::of(header, self.bytes).ok());
        // What lies beyond the image is the host's gate, or none.
        let mut inside = addresses.into_iter().filter(|address| *address < self.end());
        let named = symbols.and_then(|symbols| inside.find_map(|at| symbols.function_at(at)));
        match named {
            // The library's names may be anything.
            Some((name, offset)) => {
                Text::from_untrusted(format!("{library}: {name}+{offset:#x}").as_bytes())
            }
            None => Text::default(),
        }
    }
}

/// Checks that the host may write a word there.
fn check_word(segments: &[Segment], address: usize) -> Result<()> {
    let is_in = |segment: &&Segment| {
        segment.access.contains(ProtFlags::WRITE)
            && segment.range.contains(&address)
            && segment.range.end - address >= size_of::<u64>()
    };
    match segments.iter().find(is_in) {
        Some(_) => Ok(()),
        None => Err(load_error("a word that the host sets is not in the sandboxed image's data")),
    }
}

/// The segments that are loaded, ascending, as far as they are as they must be.
fn loaded_segments<'a>(
    headers: &'a [ProgramHeader64<LE>],
    bytes: &'a [u8],
) -> Result<Vec<SegmentHeader<'a>>> {
    if headers.iter().any(|header| matches!(header.p_type(LE), PT_DYNAMIC | PT_INTERP)) {
        return Err(load_error("the sandboxed image wants a dynamic linker"));
    }
    let mut loaded = headers
        .iter()
        .filter(|header| header.p_type(LE) == PT_LOAD && header.p_memsz(LE) > 0)
        .map(|header| SegmentHeader::of(header, bytes))
        .collect::<Result<Vec<_>>>()?;
    loaded.sort_by_key(|segment| segment.start);
    let apart = |pair: &[SegmentHeader<'_>]| {
        let [one, next] = pair else { return true };
        one.end <= next.start
    };
    if !loaded.windows(2).all(apart) {
        return Err(load_error("segments of the sandboxed image overlap"));
    }
    if loaded.len() > MOST_SEGMENTS {
        return Err(load_error("the sandboxed image has too many segments"));
    }
    let texts = loaded.iter().filter(|segment| segment.access.contains(ProtFlags::EXEC));
    if texts.count() != 1 {
        return Err(load_error("the sandboxed image has not exactly one segment of code"));
    }
    Ok(loaded)
}

impl<'a> SegmentHeader<'a> {
    fn of(header: &ProgramHeader64<LE>, file: &'a [u8]) -> Result<Self> {
        let wrong = |what: &str| load_error(&format!("a segment of the sandboxed image {what}"));
        let bytes = header.data(LE, file).map_err(|()| wrong("is not in the file"))?;
        let start = header.p_vaddr(LE);
        let end = start
            .checked_add(header.p_memsz(LE))
            .filter(|end| start >= IMAGE_MIN && *end <= IMAGE_MAX)
            .ok_or_else(|| wrong("lies where an image may not"))?;
        if !start.is_multiple_of(PAGE as u64) || bytes.len() as u64 > header.p_memsz(LE) {
            return Err(wrong("does not begin at a page, or is larger in the file"));
        }
        let flags = header.p_flags(LE);
        let access = match (flags.contains(PF_W), flags.contains(PF_X)) {
            (true, true) => return Err(wrong("is both writable and executable")),
            (true, false) => ProtFlags::READ | ProtFlags::WRITE,
            (false, true) => ProtFlags::READ | ProtFlags::EXEC,
            (false, false) => ProtFlags::READ,
        };
        let is_whole = bytes.len().is_multiple_of(PAGE) && bytes.len() as u64 == end - start;
        if access.contains(ProtFlags::EXEC) && !is_whole {
            return Err(wrong("has code that is not of whole pages"));
        }
        let end = (end as usize).next_multiple_of(PAGE);
        Ok(Self { start: start as usize, end, access, bytes })
    }
}

/// Writes the segments to a file in memory, which stays as it is.
fn store(loaded: &[SegmentHeader<'_>]) -> Result<(OwnedFd, Vec<Segment>)> {
    let file = File::from(executable_memory(c"omniglot-image")?);
    let mut segments = Vec::new();
    let mut place = 0;
    for segment in loaded {
        file.write_all_at(segment.bytes, place as u64).map_err(failed("writing an image"))?;
        let end = place + segment.bytes.len().next_multiple_of(PAGE);
        file.set_len(end as u64).map_err(failed("the size of an image"))?;
        segments.push(Segment {
            range: segment.start..segment.end,
            access: segment.access,
            in_file: place..end,
        });
        place = end;
    }
    Ok((seal(file)?, segments))
}

/// Verifies the code as it is in the sealed file (H1).
fn verify_text(file: &OwnedFd, segments: &[Segment]) -> Result<Uses> {
    let text = segments
        .iter()
        .find(|segment| segment.access.contains(ProtFlags::EXEC))
        .ok_or(Error::Protocol("an image without code"))?;
    let file = File::from(file.try_clone().map_err(failed("reading an image"))?);
    let mut bytes = vec![0; text.in_file.len()];
    file.read_exact_at(&mut bytes, text.in_file.start as u64)
        .map_err(failed("reading an image"))?;
    let text = omniglot_verify::Text { bytes: &bytes, at: text.range.start as u64, gates: GATES };
    verify(&text)
        .map_err(|refusal| load_error(&format!("the sandboxed image is refused: {refusal}")))
}

/// Reads what the image has at an address at first.
fn read(loaded: &[SegmentHeader<'_>], address: usize, into: &mut [u8]) -> Result<()> {
    let found = loaded.iter().find_map(|segment| {
        let offset = address.checked_sub(segment.start)?;
        segment.bytes.get(offset..offset.checked_add(into.len())?)
    });
    match found {
        Some(bytes) => into.copy_from_slice(bytes),
        None => return Err(load_error("the sandboxed image's header leads out of it")),
    }
    Ok(())
}

/// The names in an image.
struct Symbols<'a>(object::read::elf::SymbolTable<'a, FileHeader64<LE>>);

impl<'a> Symbols<'a> {
    fn of(header: &'a FileHeader64<LE>, bytes: &'a [u8]) -> Result<Self> {
        let sections = header.sections(LE, bytes).map_err(malformed("malformed sections"))?;
        let symbols =
            sections.symbols(LE, bytes, SHT_SYMTAB).map_err(malformed("malformed symbols"))?;
        Ok(Self(symbols))
    }

    fn address(&self, name: &str) -> Option<usize> {
        let symbol = self.0.iter().find(|symbol| {
            symbol.name(LE, self.0.strings()).is_ok_and(|found| found == name.as_bytes())
        })?;
        Some(symbol.st_value(LE) as usize)
    }

    /// The function that an address is in, and how far.
    fn function_at(&self, address: usize) -> Option<(String, usize)> {
        let functions = self.0.iter().filter(|symbol| symbol.st_type() == STT_FUNC);
        let below = functions.filter(|symbol| symbol.st_value(LE) as usize <= address);
        let symbol = below.max_by_key(|symbol| symbol.st_value(LE))?;
        let offset = address - symbol.st_value(LE) as usize;
        let name = symbol.name(LE, self.0.strings()).ok()?;
        // Assembly may say no size. What is between functions, and the server, has no name.
        let is_in = symbol.st_size(LE) == 0 || offset < symbol.st_size(LE) as usize;
        let is_named = is_in && !name.starts_with(b"omniglot_");
        is_named.then(|| (String::from_utf8_lossy(name).into_owned(), offset))
    }
}
