//! The window: a domain's memory as the host sees it.
//!
//! All raw access to foreign memory is in this module. Another process may write that memory at any
//! time, so there is no `&` to it, only volatile copies.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use crate::checks::CHECKED;
use crate::error::{Error, Result};
use crate::faults;
use crate::frame::HEADER_SIZE;
use crate::stack::{FrameAddress, Mark, Stack};

/// A domain's memory: `len` bytes at the address `foreign` for foreign code,
/// at `host` for the host.
///
/// ```
/// use core::ptr::NonNull;
///
/// use omniglot_core::Window;
///
/// #[repr(align(4096))]
/// struct Page([u8; 4096]);
///
/// # fn main() -> omniglot_core::Result<()> {
/// let mut page = Box::new(Page([7; 4096]));
/// let host = NonNull::from(&mut page.0).cast();
/// // SAFETY: the page outlives the window, and nobody refers to it meanwhile. Its address and 0x10000
/// // are both multiples of 4096.
/// let window = unsafe { Window::new(host, 0x10000, 4096) };
/// assert_eq!((window.start(), window.len(), window.is_empty()), (0x10000, 4096, false));
///
/// assert!(window.check(0x10000, 4096).is_ok());
/// assert!(window.check(0x10001, 4096).is_err());
/// let mut bytes = [0; 2];
/// window.read(0x10ffe, &mut bytes)?;
/// assert_eq!(bytes, [7, 7]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Window {
    host: NonNull<u8>,
    foreign: usize,
    len: usize,
}

// SAFETY: the memory belongs to the window (invariant 1), not to a thread; whatever refers
// to it for longer than a copy takes borrows the instance (invariant 3).
unsafe impl Send for Window {}
// SAFETY: a shared reference only reads. Only this crate writes, while it has the instance borrowed
// by `&mut` (invariant 3): then no other thread has a reference.
unsafe impl Sync for Window {}

impl Window {
    /// Describes a mapped window.
    ///
    /// # Safety
    /// For as long as the value exists, the host may read `len` bytes at `host`, and
    /// write those that invariant 1 names, without a fault, and no Rust object lives there.
    /// `foreign + len` does not overflow, `len` is at most `isize::MAX`, and `host` and
    /// `foreign` are equal modulo 4096, so that an address that is aligned for foreign
    /// code is aligned for the host.
    #[must_use]
    pub const unsafe fn new(host: NonNull<u8>, foreign: usize, len: usize) -> Self {
        Self { host, foreign, len }
    }

    /// A window without any memory, for example that of a forked child, which has none of its
    /// parent's domains.
    ///
    /// ```
    /// let window = omniglot_core::Window::empty();
    /// assert!(window.is_empty());
    /// assert!(window.check(window.start(), 1).is_err());
    /// ```
    #[must_use]
    pub const fn empty() -> Self {
        // Both addresses are 1, so they are equal modulo 4096.
        Self { host: NonNull::dangling(), foreign: 1, len: 0 }
    }

    /// A second description of the same window. It must not be used after the first is gone or the
    /// memory has moved.
    pub(crate) const fn share(&self) -> Self {
        Self { host: self.host, foreign: self.foreign, len: self.len }
    }

    /// The first foreign address of the window.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.foreign
    }

    /// The window's size in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the window has no bytes at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Checks that `len` bytes at the foreign `address` lie in the window.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where they do not.
    pub const fn check(&self, address: usize, len: usize) -> Result<()> {
        let offset = address.wrapping_sub(self.foreign);
        if !CHECKED || offset <= self.len && len <= self.len - offset {
            Ok(())
        } else {
            Err(Error::OutOfRange { address, len })
        }
    }

    /// The host's pointer to `len` checked bytes (invariant 2).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where they are not in the window.
    pub(crate) fn locate(&self, address: usize, len: usize) -> Result<NonNull<u8>> {
        self.check(address, len)?;
        // SAFETY: the offset is at most the window's length (invariants 1, 2).
        Ok(unsafe { self.host.add(address - self.foreign) })
    }

    /// Copies foreign bytes into host memory.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where they are not all in the window.
    #[inline]
    #[cfg_attr(omniglot_faults, track_caller)]
    pub fn read(&self, address: usize, into: &mut [u8]) -> Result<()> {
        let from = self.locate(address, into.len())?;
        // SAFETY: both ranges are valid for `into.len()` bytes (invariants 1, 2) and
        // disjoint, since no Rust object lives in the window.
        unsafe { copy_volatile(from.as_ptr(), into.as_mut_ptr(), into.len()) };
        faults::bytes(into);
        Ok(())
    }

    /// As [`read`](Self::read), for a callback's arguments: without an allocator the copy is out of
    /// line, since there is one of these for each signature.
    ///
    /// # Errors
    /// As `read`, and no other.
    #[inline(always)]
    #[cfg_attr(omniglot_faults, track_caller)]
    pub(crate) fn read_arguments(&self, address: usize, into: &mut [u8]) -> Result<()> {
        let from = self.locate(address, into.len())?;
        // SAFETY: as in `read` (invariants 1, 2).
        unsafe { copy_arguments(from.as_ptr(), into.as_mut_ptr(), into.len()) };
        faults::bytes(into);
        Ok(())
    }

    /// Copies `len` foreign bytes into uninitialised memory.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where they are not all in the window.
    ///
    /// # Safety
    /// `into` is valid for writes of `len` bytes, and not in the window.
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn read_to(&self, address: usize, into: *mut u8, len: usize) -> Result<()> {
        let from = self.locate(address, len)?;
        // SAFETY: the foreign range is valid for `len` bytes (invariants 1, 2), and so is the
        // caller's, which is not in the window (invariant 8).
        unsafe { copy_volatile(from.as_ptr(), into, len) };
        Ok(())
    }

    /// Copies host bytes into foreign memory, for a runtime that owns the window.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where there is not room for all in the window.
    pub fn write(&mut self, address: usize, from: &[u8]) -> Result<()> {
        self.copy_in(address, from)
    }

    /// As [`write`](Self::write), for a caller that has the instance borrowed by
    /// `&mut`, so that no view lives (invariant 3).
    #[inline]
    pub(crate) fn copy_in(&self, address: usize, from: &[u8]) -> Result<()> {
        let into = self.locate(address, from.len())?;
        // SAFETY: both ranges are valid for `from.len()` bytes (invariants 1, 2) and disjoint,
        // since no Rust object lives in the window.
        unsafe { copy_volatile(from.as_ptr(), into.as_ptr(), from.len()) };
        Ok(())
    }

    /// Locates the range of a frame.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where it is not in the window; [`Error::Misuse`] for a frame
    /// without a header.
    #[inline(always)]
    pub(crate) fn find_frame(&self, address: FrameAddress, len: usize) -> Result<Written> {
        let host = self.locate(address.get(), len)?;
        if len < HEADER_SIZE { Err(NO_HEADER) } else { Ok(Written { host, len }) }
    }

    /// Copies a frame into foreign memory; its header is set to 0.
    ///
    /// # Errors
    /// As [`find_frame`](Self::find_frame).
    #[inline(always)]
    pub(crate) fn write_frame(&self, address: FrameAddress, frame: &[u8]) -> Result<Written> {
        let written = self.find_frame(address, frame.len())?;
        // SAFETY: the range has as many bytes as the frame (invariant 8).
        unsafe { written.fill(frame) };
        Ok(written)
    }

    /// Copies a frame back, except its header: status and `errno`, which are returned.
    ///
    /// It is not located again: the window is the same as when the frame was written, since only
    /// the instance's owner can reset it, and the call keeps the instance borrowed (invariant 2).
    ///
    /// # Errors
    /// [`Error::Misuse`] for a frame of another size.
    #[inline(always)]
    #[cfg_attr(omniglot_faults, track_caller)]
    pub(crate) fn read_frame(&self, written: Written, frame: &mut [u8]) -> Result<(u32, i32)> {
        if frame.len() != written.len {
            return Err(NO_HEADER);
        }
        let [status, error_number, behind] = written.parts();
        let rest = frame.get_mut(HEADER_SIZE..).unwrap_or(&mut []);
        // SAFETY: as long as the range, less the header (invariants 1, 2).
        unsafe { copy_frame(behind.as_ptr(), rest.as_mut_ptr(), rest.len()) };
        // SAFETY: in the range that was checked (invariant 2), and aligned, as all frames.
        let status = unsafe { status.cast::<u32>().read_volatile() };
        // SAFETY: as above (invariant 2).
        let error_number = unsafe { error_number.cast::<i32>().read_volatile() };
        faults::bytes(rest);
        Ok((faults::number(status), faults::number(error_number)))
    }

    /// Sets `len` foreign bytes to zero.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where they are not all in the window.
    pub(crate) fn zero(&self, address: usize, len: usize) -> Result<()> {
        let into = self.locate(address, len)?;
        // SAFETY: in the range, which was checked (invariant 2).
        unsafe { zero_volatile(into.as_ptr(), len) };
        Ok(())
    }
}

/// A window, and the stack in it on which the host places frames.
///
/// Both come from one state of the runtime, and are replaced together. The stack is checked to lie
/// in the window when they are put together, and never leaves its bounds: so a frame's place need
/// not be checked again for each call. [`Domain`](crate::domain::Domain) says when it is used.
#[derive(Debug)]
pub(crate) struct Frames {
    window: Window,
    stack: Stack,
}

impl Frames {
    /// Puts a runtime's window and a new stack in its exchange area together. A stack that is not
    /// in the window gets no room.
    pub(crate) fn new(window: &Window, stack: Stack) -> Self {
        let (start, len) = stack.free();
        let is_inside = window.check(start, len).is_ok();
        let stack = if is_inside { stack } else { Stack::new(window.start(), 0) };
        Self { window: window.share(), stack }
    }

    /// The top of the stack.
    pub(crate) const fn mark(&self) -> Mark {
        self.stack.mark()
    }

    /// Returns to an earlier top of this stack. Whoever holds a mark keeps the instance borrowed,
    /// so that it is never the mark of a stack before a reset.
    pub(crate) const fn release(&mut self, mark: Mark) {
        self.stack.release(mark);
    }

    /// As [`Stack::push`].
    pub(crate) fn push(&mut self, size: usize, align: usize) -> Result<usize> {
        self.stack.push(size, align)
    }

    /// As [`Stack::place`].
    pub(crate) const fn place(&self, size: usize) -> Option<FrameAddress> {
        self.stack.place(size)
    }

    /// As [`Stack::take`].
    pub(crate) const fn take(&mut self, place: FrameAddress, size: usize) {
        self.stack.take(place, size);
    }

    /// Copies a frame to the top of the stack, with a header of 0. It is not allocated there.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where there is no room; [`Error::Misuse`] for a frame without a
    /// header.
    #[inline(always)]
    pub(crate) fn write(&self, frame: &[u8]) -> Result<(FrameAddress, Written)> {
        let len = frame.len();
        let Some(place) = self.stack.place(len) else {
            return Err(Error::OutOfMemory { requested: len });
        };
        if len < HEADER_SIZE {
            return Err(NO_HEADER);
        }
        let offset = place.get().wrapping_sub(self.window.foreign);
        // SAFETY: the stack has as much room there, and lies in the window (invariants 1, 2).
        let host = unsafe { self.window.host.add(offset) };
        let written = Written { host, len };
        // SAFETY: the range has as many bytes as the frame (invariant 8).
        unsafe { written.fill(frame) };
        Ok((place, written))
    }

    /// As [`Window::find_frame`].
    pub(crate) fn find(&self, place: FrameAddress, len: usize) -> Result<Written> {
        self.window.find_frame(place, len)
    }

    /// As [`Window::read_frame`].
    #[inline(always)]
    #[cfg_attr(omniglot_faults, track_caller)]
    pub(crate) fn read(&self, written: Written, frame: &mut [u8]) -> Result<(u32, i32)> {
        self.window.read_frame(written, frame)
    }
}

const NO_HEADER: Error = Error::Misuse("a call's frame starts with a header, and keeps its size");

/// A frame in foreign memory: a checked range, at least a header long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    host: NonNull<u8>,
    len: usize,
}

impl Written {
    /// The pointers to status, `errno` and the rest.
    #[inline(always)]
    const fn parts(self) -> [NonNull<u8>; 3] {
        // SAFETY: the range was checked, and is at least a header long (invariant 2).
        let error_number = unsafe { self.host.add(HEADER_SIZE / 2) };
        // SAFETY: as above (invariant 2).
        let behind = unsafe { self.host.add(HEADER_SIZE) };
        [self.host, error_number, behind]
    }

    /// Sets the header to 0, and copies the rest of a frame behind it.
    ///
    /// # Safety
    /// The frame is as long as the range.
    #[inline(always)]
    unsafe fn fill(self, frame: &[u8]) {
        let [status, error_number, behind] = self.parts();
        // SAFETY: in the range, which was checked (invariant 2), and aligned, as all frames.
        unsafe { status.cast::<u32>().write_volatile(0) };
        // SAFETY: as above (invariant 2).
        unsafe { error_number.cast::<u32>().write_volatile(0) };
        let rest = frame.get(HEADER_SIZE..).unwrap_or(&[]);
        // SAFETY: the range ends where these bytes do, as the caller promises (invariants 1, 2).
        unsafe { copy_frame(rest.as_ptr(), behind.as_ptr(), rest.len()) };
    }
}

/// Bytes at any address: one unaligned access on machines that have such. An array of bytes would
/// become as many accesses, since the compiler may not merge volatile ones; and a later read of
/// such a copy in one piece would wait until all of them are done.
#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Anywhere<T>(T);

/// Copies bytes; either side may be shared with another process.
///
/// # Safety
/// Both pointers are valid for `len` bytes, and the ranges are disjoint.
#[inline]
unsafe fn copy_volatile(from: *const u8, into: *mut u8, len: usize) {
    const LARGE: usize = 256;
    if cfg!(target_arch = "x86_64") && len >= LARGE {
        // SAFETY: the caller's ranges (invariant 8).
        return unsafe { copy_large(from, into, len) };
    }
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        // SAFETY: the caller's ranges (invariant 8).
        return unsafe { copy_unaligned(from, into, len) };
    }
    // Other machines make byte accesses of one that may be misaligned.
    const FEW: usize = 16 * size_of::<usize>();
    let aligned = (from.addr() | into.addr() | len).is_multiple_of(size_of::<usize>());
    if aligned && len < FEW {
        // SAFETY: the caller's ranges; all are multiples of a word (invariant 8).
        return unsafe { copy_few(from, into, len) };
    }
    // SAFETY: the caller's ranges (invariant 8).
    unsafe { copy_many(from, into, len) };
}

/// Sets bytes to zero that may be shared with another process.
///
/// # Safety
/// The pointer is valid for `len` bytes.
unsafe fn zero_volatile(into: *mut u8, len: usize) {
    const LARGE: usize = 256;
    if cfg!(target_arch = "x86_64") && len >= LARGE {
        // SAFETY: the caller's ranges (invariant 8).
        return unsafe { zero_large(into, len) };
    }
    const AT_A_TIME: usize = 8;
    const STEP: usize = AT_A_TIME * size_of::<usize>();
    let head = into.align_offset(align_of::<usize>()).min(len);
    let steps = (len - head) / STEP;
    let tail = head + steps * STEP;
    for index in (0..head).chain(tail..len) {
        // SAFETY: byte `index` lies in the range (invariant 8).
        unsafe { zero_one(into, index) };
    }
    let mut words = into.wrapping_add(head).cast::<usize>();
    for _ in 0..steps {
        macro_rules! zero {
            // SAFETY: these words lie in the range, and are aligned (invariant 8).
            ($($index:literal)*) => { $(unsafe { zero_one(words, $index) };)* };
        }
        zero!(0 1 2 3 4 5 6 7);
        words = words.wrapping_add(AT_A_TIME);
    }
}

/// Sets the element at `index` to zero.
///
/// # Safety
/// That element is valid and aligned.
#[inline(always)]
unsafe fn zero_one<T: From<u8>>(into: *mut T, index: usize) {
    // SAFETY: within the caller's range (invariant 8).
    let into = unsafe { into.add(index) };
    // SAFETY: valid and aligned (invariant 8).
    unsafe { into.write_volatile(T::from(0)) };
}

/// As [`copy_volatile`].
///
/// # Safety
/// As there.
#[cfg_attr(feature = "alloc", inline)]
#[cfg_attr(not(feature = "alloc"), inline(never))]
unsafe fn copy_arguments(from: *const u8, into: *mut u8, len: usize) {
    // SAFETY: the caller's ranges (invariant 8).
    unsafe { copy_volatile(from, into, len) };
}

/// Copies a frame's content: usually a few words, so the overhead matters.
///
/// # Safety
/// As [`copy_volatile`].
#[inline(always)]
unsafe fn copy_frame(from: *const u8, into: *mut u8, len: usize) {
    let aligned = (from.addr() | into.addr() | len).is_multiple_of(size_of::<usize>());
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        // SAFETY: the caller's ranges (invariant 8).
        return unsafe { copy_volatile(from, into, len) };
    }
    if !aligned {
        // SAFETY: the caller's ranges (invariant 8).
        return unsafe { copy_up_to(from, from.wrapping_byte_add(len), into) };
    }
    // SAFETY: the caller's ranges; all are multiples of a word (invariant 8).
    unsafe { copy_few(from, into, len) };
}

/// As [`copy_volatile`], up to the end of the source: a copy of words has that pointer at hand, and
/// so needs no register for the length.
///
/// # Safety
/// As [`copy_volatile`]; `end` is the end of `from`.
#[cold]
#[inline(never)]
unsafe fn copy_up_to(from: *const u8, end: *const u8, into: *mut u8) {
    // SAFETY: the caller's ranges (invariant 8).
    unsafe { copy_volatile(from, into, end.addr() - from.addr()) };
}

/// Copies words, two at a time, in a loop with little setup.
///
/// # Safety
/// As [`copy_volatile`]; pointers and length are multiples of a word's size.
#[inline(always)]
unsafe fn copy_few(from: *const u8, into: *mut u8, len: usize) {
    let (mut from, mut into) = (from.cast::<usize>(), into.cast::<usize>());
    let end = from.wrapping_byte_add(len);
    if len & size_of::<usize>() != 0 {
        // SAFETY: the number of words is odd: there is a first one, in both ranges (invariant 8).
        unsafe { copy_one(from, into, 0) };
        (from, into) = (from.wrapping_add(1), into.wrapping_add(1));
    }
    while from != end {
        // SAFETY: an even number of words, not 0, is not copied yet: these two lie in both
        // ranges (invariant 8).
        unsafe { copy_one(from, into, 0) };
        // SAFETY: as above (invariant 8).
        unsafe { copy_one(from, into, 1) };
        (from, into) = (from.wrapping_add(2), into.wrapping_add(2));
    }
}

/// Copies large ranges: by words if both sides are aligned.
///
/// # Safety
/// As [`copy_volatile`].
#[inline(never)]
unsafe fn copy_many(from: *const u8, into: *mut u8, len: usize) {
    if !(from.addr() | into.addr()).is_multiple_of(align_of::<usize>()) {
        // SAFETY: the caller's ranges (invariant 8).
        return unsafe { copy_eights::<u8>(from, into, len) };
    }
    // SAFETY: the caller's ranges; both are aligned (invariant 8).
    unsafe { copy_eights::<usize>(from, into, len) };
}

/// Copies eight elements at a time, and the rest one by one.
///
/// # Safety
/// As [`copy_words`].
#[inline(always)]
unsafe fn copy_eights<T: Copy>(from: *const u8, into: *mut u8, len: usize) {
    const STEP: usize = 8;
    let size = STEP * size_of::<T>();
    let (mut from, mut into) = (from.cast::<T>(), into.cast::<T>());
    for _ in 0..len / size {
        // SAFETY: at least so many elements are not copied yet (invariant 8).
        unsafe { copy_eight(from, into) };
        (from, into) = (from.wrapping_add(STEP), into.wrapping_add(STEP));
    }
    // SAFETY: what is left of the caller's ranges (invariant 8).
    unsafe { copy_words::<T>(from.cast(), into.cast(), len % size) };
}

/// Copies eight elements in straight code, whatever the compiler optimises for.
///
/// # Safety
/// That many are valid and aligned on both sides.
#[inline(always)]
unsafe fn copy_eight<T: Copy>(from: *const T, into: *mut T) {
    macro_rules! copy {
        // SAFETY: the caller's ranges (invariant 8).
        ($($index:literal)*) => { $(unsafe { copy_one(from, into, $index) };)* };
    }
    copy!(0 1 2 3 4 5 6 7);
}

/// Copies eight bytes at a time, and of the rest four, two and one.
///
/// # Safety
/// As [`copy_volatile`].
#[inline]
unsafe fn copy_unaligned(from: *const u8, into: *mut u8, len: usize) {
    let mut done = 0;
    while len - done >= size_of::<u64>() {
        // SAFETY: at least so many bytes are not copied yet (invariant 8).
        unsafe { copy_piece::<u64>(from, into, done) };
        done += size_of::<u64>();
    }
    if len & size_of::<u32>() != 0 {
        // SAFETY: less than eight bytes are not copied yet, and at least four (invariant 8).
        unsafe { copy_piece::<u32>(from, into, done) };
        done += size_of::<u32>();
    }
    if len & size_of::<u16>() != 0 {
        // SAFETY: less than four are not copied yet, and at least two (invariant 8).
        unsafe { copy_piece::<u16>(from, into, done) };
        done += size_of::<u16>();
    }
    if len & size_of::<u8>() != 0 {
        // SAFETY: one is not copied yet (invariant 8).
        unsafe { copy_piece::<u8>(from, into, done) };
    }
}

/// Copies the bytes of a `T` at that offset, wherever that is.
///
/// # Safety
/// As many bytes from that offset are in the caller's ranges.
#[inline(always)]
unsafe fn copy_piece<T: Copy>(from: *const u8, into: *mut u8, offset: usize) {
    let (from, into) = (from.wrapping_add(offset), into.wrapping_add(offset));
    // SAFETY: in the caller's ranges; any address is aligned for this type (invariant 8).
    unsafe { copy_one::<Anywhere<T>>(from.cast(), into.cast(), 0) };
}

/// Copies word by word, and the rest byte by byte.
///
/// # Safety
/// As [`copy_volatile`]; both pointers are aligned for a `T`, of which any bits are valid.
#[inline]
unsafe fn copy_words<T: Copy>(from: *const u8, into: *mut u8, len: usize) {
    let words = len / size_of::<T>();
    for index in 0..words {
        // SAFETY: word `index` lies wholly in both ranges (invariant 8).
        unsafe { copy_one(from.cast::<T>(), into.cast::<T>(), index) };
    }
    for index in words * size_of::<T>()..len {
        // SAFETY: byte `index` lies in both ranges (invariant 8).
        unsafe { copy_one(from, into, index) };
    }
}

/// Copies the element at `index`.
///
/// # Safety
/// That element is valid and aligned on both sides.
#[inline]
unsafe fn copy_one<T: Copy>(from: *const T, into: *mut T, index: usize) {
    // SAFETY: within the caller's range (invariant 8).
    let from = unsafe { from.add(index) };
    // SAFETY: as above (invariant 8).
    let into = unsafe { into.add(index) };
    // SAFETY: valid and aligned (invariant 8).
    let value = unsafe { from.read_volatile() };
    // SAFETY: as above (invariant 8).
    unsafe { into.write_volatile(value) };
}

/// One string instruction: opaque to the compiler, which can neither repeat it nor split it under
/// assumptions about other writers.
///
/// # Safety
/// As [`copy_volatile`].
#[cfg(all(target_arch = "x86_64", not(miri)))]
unsafe fn copy_large(from: *const u8, into: *mut u8, len: usize) {
    // SAFETY: copies exactly the caller's ranges (invariant 8); the direction flag is clear in
    // Rust code (System V ABI, section 3.2.1); no stack is used.
    unsafe {
        core::arch::asm!(
            "rep movsb",
            inout("rcx") len => _,
            inout("rsi") from => _,
            inout("rdi") into => _,
            options(nostack, preserves_flags),
        );
    }
}

/// # Safety
/// As [`copy_volatile`].
#[cfg(any(not(target_arch = "x86_64"), miri))]
unsafe fn copy_large(from: *const u8, into: *mut u8, len: usize) {
    // SAFETY: the caller's ranges (invariant 8).
    unsafe { copy_unaligned(from, into, len) };
}

/// As [`copy_large`].
///
/// # Safety
/// As [`zero_volatile`].
#[cfg(all(target_arch = "x86_64", not(miri)))]
unsafe fn zero_large(into: *mut u8, len: usize) {
    // SAFETY: writes exactly the caller's range (invariant 8); the direction flag is clear in
    // Rust code (System V ABI, section 3.2.1); no stack is used.
    unsafe {
        core::arch::asm!(
            "rep stosb",
            inout("rcx") len => _,
            inout("rdi") into => _,
            in("al") 0_u8,
            options(nostack, preserves_flags),
        );
    }
}

/// # Safety
/// As [`zero_volatile`].
#[cfg(any(not(target_arch = "x86_64"), miri))]
unsafe fn zero_large(into: *mut u8, len: usize) {
    for index in 0..len {
        // SAFETY: byte `index` lies in the range (invariant 8).
        unsafe { zero_one(into, index) };
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[repr(align(4096))]
    struct Page([u8; 4096]);

    fn with_window(test: impl FnOnce(&Window)) {
        let mut memory = std::boxed::Box::new(Page([0; 4096]));
        let host = NonNull::from(&mut memory.0).cast();
        // SAFETY: the page outlives the window, is not touched meanwhile, and starts at a
        // multiple of 4096, as 0x10000 is (invariant 1).
        let window = unsafe { Window::new(host, 0x10000, 4096) };
        test(&window);
    }

    #[test]
    fn copies_come_back() {
        with_window(|window| {
            for len in [0, 1, 7, 8, 9, 255, 256, 1000] {
                let sent: Vec<u8> = (0..len).map(|index| index as u8).collect();
                let mut got = std::vec![0; len];
                window.copy_in(0x10003, &sent).expect("in range");
                window.read(0x10003, &mut got).expect("in range");
                assert_eq!(sent, got);
            }
        });
    }

    #[test]
    fn zeros_are_where_they_belong() {
        with_window(|window| {
            for (start, len) in [(3, 0), (3, 1), (3, 7), (8, 64), (5, 200), (1, 255), (1, 1000)] {
                window.copy_in(0x10000, &[0xff; 1100]).expect("in range");
                window.zero(0x10000 + start, len).expect("in range");
                let mut got = [0; 1100];
                window.read(0x10000, &mut got).expect("in range");
                let is_right = |(index, byte): (usize, &u8)| {
                    *byte == if (start..start + len).contains(&index) { 0 } else { 0xff }
                };
                assert!(got.iter().enumerate().all(is_right), "{len} at {start}");
            }
        });
    }

    #[test]
    fn frames_are_written_in_the_window_only() {
        with_window(|window| {
            let frames = Frames::new(window, Stack::new(0x10000, 4096));
            let (place, written) = frames.write(&[7; 16]).expect("there is room");
            let mut frame = [1; 16];
            assert_eq!(frames.read(written, &mut frame), Ok((0, 0)));
            assert_eq!((place.get(), &frame[8..]), (0x10000, &[7; 8][..]));
            assert!(frames.write(&[7; 4097]).is_err());
            assert!(frames.write(&[7; 7]).is_err(), "no header");
            for (start, len) in [(0xfff0, 64), (0x10fe0, 64), (0, 0x20000), (0x11000, 16)] {
                let frames = Frames::new(window, Stack::new(start, len));
                let full = Error::OutOfMemory { requested: 16 };
                assert_eq!(frames.write(&[7; 16]).map(|_| ()), Err(full), "{len} at {start}");
            }
        });
    }

    #[test]
    fn ranges_are_checked_at_both_ends() {
        with_window(|window| {
            assert!(window.check(0x10000, 4096).is_ok());
            assert!(window.check(0x11000, 0).is_ok());
            for (address, len) in [
                (0xffff, 1),
                (0x10000, 4097),
                (0x11000, 1),
                (0x10fff, 2),
                (usize::MAX, 2),
                (0, usize::MAX),
            ] {
                assert_eq!(window.check(address, len), Err(Error::OutOfRange { address, len }));
            }
        });
    }
}
