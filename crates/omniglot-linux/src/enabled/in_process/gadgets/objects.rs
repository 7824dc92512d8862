//! What the dynamic linker has loaded.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;

use omniglot_core::Result;

use crate::enabled::layout::PAGE;

/// An object of the process, while it cannot be unloaded.
#[derive(Debug)]
pub(crate) struct Object {
    /// Its segments, in memory.
    pub(crate) segments: Vec<Range<usize>>,
    /// Where its `.eh_frame_hdr` is.
    pub(crate) unwinding: Option<usize>,
}

/// What to do with an object.
type Work<'a> = &'a mut dyn FnMut(&Object) -> Result<()>;

/// Called for each object; the result of the first that answers.
struct Question<'a> {
    address: usize,
    work: Option<Work<'a>>,
    outcome: Option<Result<()>>,
}

/// Runs `work` on the object that has the page of `address`, while none is unloaded; `None` if
/// no object has it.
pub(crate) fn with_object(address: usize, work: Work<'_>) -> Option<Result<()>> {
    let mut question = Question { address, work: Some(work), outcome: None };
    // SAFETY: calls `ask` with our question, which outlives the call (invariant 12), while the
    // dynamic linker's lock is held.
    unsafe { libc::dl_iterate_phdr(Some(ask), (&raw mut question).cast()) };
    question.outcome
}

unsafe extern "C" fn ask(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    question: *mut c_void,
) -> libc::c_int {
    // SAFETY: the dynamic linker's record, which lasts as long as this call (invariant 15).
    let info = unsafe { &*info };
    // SAFETY: the caller's question, which nobody else uses meanwhile (invariant 12).
    let question = unsafe { &mut *question.cast::<Question<'_>>() };
    let object = Object::of(info);
    if !object.has_page_of(question.address) {
        return 0;
    }
    question.outcome = question.work.take().map(|work| work(&object));
    1
}

impl Object {
    fn of(info: &libc::dl_phdr_info) -> Self {
        let mut object = Self { segments: Vec::new(), unwinding: None };
        for index in 0..usize::from(info.dlpi_phnum) {
            // SAFETY: there are as many headers as the record says (invariant 15).
            let header = unsafe { &*info.dlpi_phdr.wrapping_add(index) };
            let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            match header.p_type {
                libc::PT_LOAD => object.segments.push(start..start + header.p_memsz as usize),
                libc::PT_GNU_EH_FRAME => object.unwinding = Some(start),
                _ => {}
            }
        }
        object
    }

    fn has_page_of(&self, address: usize) -> bool {
        let pages = |segment: &Range<usize>| {
            segment.start & !(PAGE - 1)..segment.end.next_multiple_of(PAGE)
        };
        self.segments.iter().map(pages).any(|pages| pages.contains(&address))
    }

    /// Whether the byte only shares a page with a segment: the file has something else there, which
    /// is never used at this address.
    pub(crate) fn is_slack(&self, address: usize) -> bool {
        self.has_page_of(address) && !self.segments.iter().any(|segment| segment.contains(&address))
    }

    /// From the first segment's start to the last one's end.
    pub(crate) fn extent(&self) -> Range<u64> {
        let start = self.segments.iter().map(|segment| segment.start).min().unwrap_or(0);
        let end = self.segments.iter().map(|segment| segment.end).max().unwrap_or(0);
        start as u64..end as u64
    }
}
