//! The host's operations on foreign memory: check, read, view, write.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::ptr::NonNull;

use crate::address::{Field, Ptr, check_alignment, size_of_elements};
use crate::address::{Ref, RefMut, Slice, SliceMut, ToRef, ToRefMut, ToSlice, ToSliceMut};
use crate::base::Base;
use crate::checks;
use crate::error::{Error, Result};
use crate::foreign::{Foreign, bytes_of, bytes_of_mut};
use crate::memory::Window;
use crate::runtime::Runtime;
#[cfg(feature = "alloc")]
use crate::view::Unvalidated;
use crate::view::{View, look_at, read_value};

/// In how many elements of a slice the first invalid one is searched for, to describe it.
const MOST_EXPLAINED: usize = 1 << 20;

/// Bytes that are validated or encoded at a time.
const CHUNK: usize = 4096;
/// As many as most values have: a buffer is zeroed first, so a small one takes less time.
const FEW: usize = 128;

/// A buffer that is aligned for every type that C's `malloc` serves.
#[repr(align(16))]
struct Chunk<const SIZE: usize = CHUNK>([u8; SIZE]);

impl<R: Runtime, A: ?Sized + 'static> Base<R, A> {
    pub(crate) fn runtime_window(&self) -> &Window {
        self.state.domain.session.runtime.window()
    }

    /// The address to pass for an argument; what was checked must be this instance's.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::Ptr;
    /// let number = library.alloc(7_u32)?;
    /// let pointer: Ptr<u32> = library.address(&number)?; // as a C function gets it
    /// assert!(!pointer.is_null());
    /// // `None` is C's null pointer.
    /// assert_eq!(library.address(None::<Ptr<u32>>)?, Ptr::null());
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongInstance`].
    #[inline]
    pub fn address<T: ?Sized>(&self, argument: impl crate::address::AsPtr<T>) -> Result<Ptr<T>> {
        let (address, instance) = argument.as_ptr_of();
        if let Some(instance) = instance {
            self.check_instance(instance)?;
        }
        Ok(address)
    }

    fn check_range<T: Foreign>(&self, pointer: Ptr<T>, len: usize) -> Result<()> {
        self.state.domain.session.runtime.check_alive()?;
        let size = size_of_elements::<T>(len)?;
        if size > 0 {
            self.runtime_window().check(pointer.addr(), size)?;
        }
        check_alignment::<T>(pointer.addr())
    }

    /// As `check_range`, where foreign code itself may write.
    fn check_writable_range<T: Foreign>(&self, pointer: Ptr<T>, len: usize) -> Result<()> {
        self.state.domain.session.runtime.check_alive()?;
        let size = size_of_elements::<T>(len)?;
        if size > 0 && checks::CHECKED {
            self.state.domain.session.runtime.check_writable(pointer.addr(), size)?;
        }
        check_alignment::<T>(pointer.addr())
    }

    /// Checks that a `T` can be read at `pointer`.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::Ptr;
    /// # let number = library.alloc(7_u32)?;
    /// # let pointer = number.as_ref().as_ptr();
    /// let checked = library.upgrade(pointer)?; // `pointer` came from the library
    /// assert_eq!(library.read(checked)?, 7); // as often as needed, without a second check
    ///
    /// assert!(library.upgrade(Ptr::<u32>::null()).is_err());
    /// assert!(library.upgrade(pointer.cast::<u8>().offset(1).cast::<u32>()).is_err()); // misaligned
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::Misaligned`] or [`Error::ZeroSized`].
    pub fn upgrade<T: Foreign>(&self, pointer: Ptr<T>) -> Result<Ref<T>> {
        self.check_range(pointer, 1)?;
        Ok(Ref::checked(pointer.addr(), self.state.id))
    }

    /// Checks that a `T` can be written at `pointer`.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let number = library.alloc(7_u32)?;
    /// # let pointer = number.as_ref().as_ptr();
    /// let checked = library.upgrade_mut(pointer)?;
    /// library.write(checked, 8)?;
    /// assert_eq!(library.read(checked)?, 8);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`upgrade`](Self::upgrade), and [`Error::ReadOnly`] where not even the library
    /// may write.
    pub fn upgrade_mut<T: Foreign>(&self, pointer: Ptr<T>) -> Result<RefMut<T>> {
        self.check_writable_range(pointer, 1)?;
        Ok(RefMut::checked(pointer.addr(), self.state.id))
    }

    /// Checks that `len` elements can be read at `pointer`.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let numbers = library.alloc_slice(&[1_u32, 2, 3])?;
    /// # let pointer = numbers.as_slice().as_ptr();
    /// let checked = library.upgrade_slice(pointer, 3)?;
    /// assert_eq!(&*library.view_slice(checked)?, [1, 2, 3]);
    ///
    /// // A length from the library may be any number.
    /// assert!(library.upgrade_slice(pointer, usize::MAX).is_err());
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`upgrade`](Self::upgrade), and [`Error::TooLarge`].
    pub fn upgrade_slice<T: Foreign>(&self, pointer: Ptr<T>, len: usize) -> Result<Slice<T>> {
        self.check_range(pointer, len)?;
        Ok(Slice::checked(pointer.addr(), len, self.state.id))
    }

    /// Checks that `len` elements can be written at `pointer`.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let room = library.alloc_slice(&[0_u32; 3])?;
    /// # let pointer = room.as_slice().as_ptr();
    /// let room = library.upgrade_slice_mut(pointer, 3)?; // such as a buffer that a callback is to fill
    /// library.write_slice(room, &[1, 2, 3])?;
    /// # assert_eq!(library.read_vec(pointer, 3)?, [1, 2, 3]);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`upgrade_slice`](Self::upgrade_slice), and [`Error::ReadOnly`] where not even
    /// the library may write.
    pub fn upgrade_slice_mut<T: Foreign>(
        &self,
        pointer: Ptr<T>,
        len: usize,
    ) -> Result<SliceMut<T>> {
        self.check_writable_range(pointer, len)?;
        Ok(SliceMut::checked(pointer.addr(), len, self.state.id))
    }

    fn reference<T>(&self, from: impl ToRef<T>) -> Result<Ref<T>> {
        self.state.domain.session.runtime.check_alive()?;
        let reference = from.convert();
        self.check_instance(reference.instance)?;
        Ok(reference)
    }

    fn slice<T>(&self, from: impl ToSlice<T>) -> Result<Slice<T>> {
        self.state.domain.session.runtime.check_alive()?;
        let slice = from.convert();
        self.check_instance(slice.instance)?;
        Ok(slice)
    }

    /// Reads and validates a value of at most [`MAX_BY_VALUE`](crate::MAX_BY_VALUE) bytes; a
    /// program that reads a larger one does not compile.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// use omniglot_core::Error;
    ///
    /// library.scope(|library| {
    ///     let flag = library.out::<bool>()?;
    ///     // ... a call that stores a `bool` there
    ///     assert_eq!(library.read(flag), Ok(false));
    ///
    ///     let byte = library.value(3_u8)?;
    ///     let flag = library.upgrade(byte.as_ptr().cast::<bool>())?;
    ///     assert!(matches!(library.read(flag), Err(Error::InvalidValue(_)))); // 3 is no `bool`
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidValue`]; [`Error::WrongInstance`].
    #[inline]
    pub fn read<T: Foreign>(&self, from: impl ToRef<T>) -> Result<T> {
        let reference = self.reference(from)?;
        read_value(self.runtime_window(), reference.address)
    }

    /// Checks an address, and reads and validates the value there:
    /// [`upgrade`](Self::upgrade) and [`read`](Self::read) in one.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let number = library.alloc(7_u32)?;
    /// # let pointer = number.as_ref().as_ptr();
    /// let value = library.read_at(pointer)?; // `pointer` came from the library
    /// assert_eq!(value, 7);
    /// assert!(library.read_at(omniglot_core::Ptr::<u32>::from_addr(42)).is_err());
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As both.
    #[inline]
    pub fn read_at<T: Foreign>(&self, pointer: Ptr<T>) -> Result<T> {
        self.read(self.upgrade(pointer)?)
    }

    /// Reads one field of the struct at an unchecked address. Only the field is checked, so the
    /// rest of the struct may hold any bytes. A chain of pointers is followed step by step:
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::{Field, Ptr};
    /// # type node = [usize; 2];
    /// # const NEXT: Field<node, Ptr<node>> = Field::new(0);
    /// # const VALUE: Field<node, u32> = Field::new(size_of::<usize>());
    /// # let last = library.alloc([0_usize, 7])?;
    /// # let first = library.alloc([last.as_ref().as_ptr().addr(), 5])?;
    /// # let list = first.as_ref().as_ptr();
    /// // C: struct node { struct node *next; uint32_t value; };
    /// let second = library.follow(list, NEXT)?; // generated as `node::NEXT`
    /// assert_eq!(library.follow(second, VALUE)?, 7);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    #[inline]
    pub fn follow<T, F: Foreign>(&self, pointer: Ptr<T>, field: Field<T, F>) -> Result<F> {
        self.read_at(pointer.field(field))
    }

    /// Checks `len` elements at an unchecked address, and copies them out, validated.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let numbers = library.alloc_slice(&[1_u32, 2, 3])?;
    /// # let (pointer, len) = (numbers.as_slice().as_ptr(), 3);
    /// let copy: Vec<u32> = library.read_vec(pointer, len)?; // both came from the library
    /// assert_eq!(copy, [1, 2, 3]);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`upgrade_slice`](Self::upgrade_slice) and [`view_slice`](Self::view_slice);
    /// [`Error::HostOutOfMemory`].
    #[cfg(feature = "alloc")]
    pub fn read_vec<T: Foreign>(&self, pointer: Ptr<T>, len: usize) -> Result<Vec<T>> {
        let elements = self.view_slice(self.upgrade_slice(pointer, len)?)?;
        let mut copy = Vec::new();
        let full = |_| Error::HostOutOfMemory { requested: size_of_val(&*elements) };
        copy.try_reserve_exact(elements.len()).map_err(full)?;
        copy.extend_from_slice(&elements);
        Ok(copy)
    }

    /// Copies a value's bytes, to be validated later.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let byte = library.alloc(3_u8)?;
    /// # let flag = library.upgrade(byte.as_ref().as_ptr().cast::<bool>())?;
    /// let copy = library.copy_unvalidated(flag)?;
    /// assert_eq!(copy.as_bytes(), [3]); // for a message, say
    /// assert!(copy.validate().is_err()); // 3 is no `bool`
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongInstance`].
    #[cfg(feature = "alloc")]
    pub fn copy_unvalidated<T: Foreign>(&self, from: impl ToRef<T>) -> Result<Unvalidated<T>> {
        let reference = self.reference(from)?;
        Unvalidated::read(self.runtime_window(), reference.address)
    }

    /// A validated value, borrowed until the next foreign call.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let matrix = library.alloc([1.0_f64; 16])?;
    /// let view = library.view(&matrix)?; // no copy, where the library cannot run meanwhile
    /// assert_eq!(view.iter().sum::<f64>(), 16.0);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn view<T: Foreign>(&self, from: impl ToRef<T>) -> Result<View<'_, T>> {
        let reference = self.reference(from)?;
        let (size, align) = (size_of::<T>(), align_of::<T>());
        View::validate(&self.state.domain.session.runtime, reference.address, size, align)?
            .ok_or_else(|| self.explain::<T>(reference.address, 1))
    }

    /// Validated elements, borrowed until the next foreign call.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let data = library.alloc_slice(b"some bytes")?;
    /// let longest = library.view_slice(&data)?.split(|byte| *byte == b' ').map(<[u8]>::len).max();
    /// assert_eq!(longest, Some(5));
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read), for the first invalid element.
    pub fn view_slice<T: Foreign>(&self, from: impl ToSlice<T>) -> Result<View<'_, [T]>> {
        let slice = self.slice(from)?;
        let size = size_of_elements::<T>(slice.len)?;
        if size == 0 {
            // The memory is not accessed, so the address may be any number.
            return Ok(View::in_place(NonNull::from(&[] as &[T])));
        }
        View::validate_slice(&self.state.domain.session.runtime, slice.address, size)?
            .ok_or_else(|| self.explain::<T>(slice.address, slice.len))
    }

    /// The first invalid element, for a message. If foreign memory has changed since, the message
    /// is about the whole slice. So it is if the element is beyond `MOST_EXPLAINED`, since no limit
    /// counts the time of the search.
    fn explain<T: Foreign>(&self, address: usize, len: usize) -> Error {
        let (size, align) = (size_of::<T>(), align_of::<T>());
        let invalid = |index| {
            let address = address + index * size;
            let explain = |bytes: &[u8]| crate::foreign::explain_field::<T>(bytes, 0);
            look_at(&self.state.domain.session.runtime, address, size, align, explain)
                .ok()
                .flatten()
        };
        let first = (0..len.min(MOST_EXPLAINED)).find_map(invalid);
        first.unwrap_or_else(|| crate::foreign::Bits::of(&[]).invalid::<T>(&[])).into()
    }

    /// Copies validated elements out. After an error it is unspecified which were copied.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let samples = library.alloc_slice(&[1_i16, -1])?;
    /// let mut buffer = [0_i16; 2]; // the same one for many reads
    /// library.read_into(&samples, &mut buffer)?;
    /// assert_eq!(buffer, [1, -1]);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless both have as many; as [`read`](Self::read).
    pub fn read_into<T: Foreign>(&self, from: impl ToSlice<T>, into: &mut [T]) -> Result<()> {
        let slice = self.slice(from)?;
        check_len(slice.len, into.len())?;
        if let Some(bytes) = bytes_of_mut(into) {
            return self.read_any_bits(slice.address, bytes);
        }
        self.read_validated(slice, into)
    }

    fn read_any_bits(&self, address: usize, into: &mut [u8]) -> Result<()> {
        if into.is_empty() { Ok(()) } else { self.runtime_window().read(address, into) }
    }

    fn read_validated<T: Foreign>(&self, slice: Slice<T>, into: &mut [T]) -> Result<()> {
        let per_chunk = CHUNK.checked_div(size_of::<T>()).unwrap_or(0);
        if per_chunk == 0 || align_of::<T>() > align_of::<Chunk>() {
            return self.read_one_by_one(slice, into);
        }
        let mut chunk = Chunk([0; CHUNK]);
        for (index, part) in into.chunks_mut(per_chunk).enumerate() {
            let address = slice.address + index * per_chunk * size_of::<T>();
            let bytes = chunk.0.get_mut(..size_of_val(part)).unwrap_or(&mut []);
            self.runtime_window().read(address, bytes)?;
            copy_valid(bytes, part)?;
        }
        Ok(())
    }

    fn read_one_by_one<T: Foreign>(&self, slice: Slice<T>, into: &mut [T]) -> Result<()> {
        let (size, align) = (size_of::<T>(), align_of::<T>());
        for (reference, room) in slice.iter().zip(into) {
            let copy = |bytes: &[u8]| copy_valid(bytes, core::slice::from_mut(room));
            look_at(&self.state.domain.session.runtime, reference.address, size, align, copy)??;
        }
        Ok(())
    }

    /// Writes a value: its fields, and zeros for its padding.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let number = library.alloc(7_u32)?;
    /// library.write(&number, 8)?;
    /// assert_eq!(library.read(&number)?, 8);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongInstance`]; [`Error::Poisoned`].
    pub fn write<T: Foreign>(&mut self, into: impl ToRefMut<T>, value: T) -> Result<()> {
        let reference = into.convert();
        self.write_slice(SliceMut::checked(reference.address, 1, reference.instance), &[value])
    }

    /// Writes elements, as [`write`](Self::write).
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// library.scope(|library| {
    ///     let room = library.reserve::<u8>(1 << 10)?;
    ///     for piece in [b"first ", b"second"] {
    ///         let part = room.range(0, piece.len()).expect("room for 1024");
    ///         library.write_slice(part, piece)?;
    ///         // ... a call that takes in a piece
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless both have as many; as [`write`](Self::write).
    pub fn write_slice<T: Foreign>(
        &mut self,
        into: impl ToSliceMut<T>,
        elements: &[T],
    ) -> Result<()> {
        self.check_usable()?;
        let slice = into.convert();
        self.check_instance(slice.instance)?;
        check_len(slice.len, elements.len())?;
        match bytes_of(elements) {
            Some([]) => Ok(()),
            Some(bytes) => self.runtime_window().copy_in(slice.address, bytes),
            None => self.write_encoded(slice, elements),
        }
    }

    fn write_encoded<T: Foreign>(&self, slice: SliceMut<T>, elements: &[T]) -> Result<()> {
        if size_of::<T>() > CHUNK {
            self.write_large(slice, elements)
        } else if size_of_val(elements) <= FEW {
            self.write_chunks::<T, FEW>(slice, elements)
        } else {
            self.write_chunks::<T, CHUNK>(slice, elements)
        }
    }

    fn write_chunks<T: Foreign, const SIZE: usize>(
        &self,
        slice: SliceMut<T>,
        elements: &[T],
    ) -> Result<()> {
        let per_chunk = SIZE.checked_div(size_of::<T>()).unwrap_or(0).max(1);
        let mut chunk = Chunk([0; SIZE]);
        for (index, part) in elements.chunks(per_chunk).enumerate() {
            let address = slice.address + index * per_chunk * size_of::<T>();
            if index > 0 {
                chunk.0.fill(0);
            }
            for (place, element) in part.iter().enumerate() {
                crate::foreign::encode_field(element, &mut chunk.0, place * size_of::<T>());
            }
            let bytes = chunk.0.get(..size_of_val(part)).unwrap_or(&[]);
            self.runtime_window().copy_in(address, bytes)?;
        }
        Ok(())
    }

    /// Elements larger than a chunk are encoded in a buffer on the heap.
    #[cfg(feature = "alloc")]
    fn write_large<T: Foreign>(&self, slice: SliceMut<T>, elements: &[T]) -> Result<()> {
        let mut bytes = alloc::vec![0; size_of::<T>()];
        for (reference, element) in slice.iter().zip(elements) {
            bytes.fill(0);
            element.encode(&mut bytes);
            self.runtime_window().copy_in(reference.address, &bytes)?;
        }
        Ok(())
    }

    #[cfg(not(feature = "alloc"))]
    fn write_large<T: Foreign>(&self, _: SliceMut<T>, _: &[T]) -> Result<()> {
        Err(Error::Unsupported {
            what: "writing a value of more than 4 KiB without an allocator",
            remedy: "write its fields one by one, or enable the feature alloc",
        })
    }

    /// Lets `fill` write bytes in place, without a copy of them in between.
    ///
    /// It finds the old content. Nothing else writes there meanwhile: if foreign code might, `fill`
    /// gets a copy, which is then written back.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// use std::io::Read;
    ///
    /// # let mut socket: &[u8] = b"some bytes";
    /// library.scope(|library| {
    ///     let room = library.reserve::<u8>(1 << 10)?;
    ///     // No buffer in between: the socket's bytes are read to where the library finds them.
    ///     let len = library.write_slice_with(room, |bytes| socket.read(bytes))?;
    ///     assert_eq!(len.ok(), Some(10));
    ///     Ok(())
    /// })?;
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongInstance`]; [`Error::Poisoned`]; [`Error::HostOutOfMemory`] and, without
    /// an allocator, [`Error::Unsupported`], where a copy is needed.
    pub fn write_slice_with<T>(
        &mut self,
        into: impl ToSliceMut<u8>,
        fill: impl FnOnce(&mut [u8]) -> T,
    ) -> Result<T> {
        self.check_usable()?;
        let slice = into.convert();
        self.check_instance(slice.instance)?;
        if slice.len == 0 {
            // The memory is not accessed, so the address may be any number.
            return Ok(fill(&mut []));
        }
        crate::view::fill(&mut self.state.domain.session.runtime, slice.address, slice.len, fill)
    }

    /// Copies elements within foreign memory; the ranges may overlap. They are not
    /// validated: they stay foreign.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let line = library.alloc_slice(b"abcdef")?;
    /// let line = line.as_slice_mut();
    /// let (from, into) = (line.range(0, 4).expect("it has 6"), line.range(2, 4).expect("it has 6"));
    /// library.copy_within(from, into)?;
    /// assert_eq!(&*library.view_slice(line)?, b"ababcd");
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless both have as many; [`Error::WrongInstance`];
    /// [`Error::Poisoned`].
    pub fn copy_within<T: Foreign>(
        &mut self,
        from: impl ToSlice<T>,
        into: impl ToSliceMut<T>,
    ) -> Result<()> {
        self.check_usable()?;
        let from = self.slice(from)?;
        let into = into.convert();
        self.check_instance(into.instance)?;
        check_len(into.len, from.len)?;
        self.move_bytes(from.address, into.address, size_of_elements::<T>(from.len)?)
    }

    /// Moves bytes in the order that keeps overlapping ranges whole.
    fn move_bytes(&self, from: usize, into: usize, len: usize) -> Result<()> {
        let mut chunk = Chunk([0; CHUNK]);
        let chunks = len.div_ceil(CHUNK);
        for step in 0..chunks {
            let index = if into <= from { step } else { chunks - 1 - step };
            let offset = index * CHUNK;
            let bytes = chunk.0.get_mut(..CHUNK.min(len - offset)).unwrap_or(&mut []);
            self.runtime_window().read(from + offset, bytes)?;
            self.runtime_window().copy_in(into + offset, bytes)?;
        }
        Ok(())
    }
}

const fn check_len(expected: usize, actual: usize) -> Result<()> {
    if expected == actual { Ok(()) } else { Err(Error::LengthMismatch { expected, actual }) }
}

/// Copies elements out of bytes that the host alone holds, if all are valid.
fn copy_valid<T: Foreign>(bytes: &[u8], into: &mut [T]) -> Result<()> {
    match checks::valid::<[T]>(bytes) {
        Some(valid) if valid.len() == into.len() => {
            into.copy_from_slice(valid);
            Ok(())
        }
        _ => Err(first_invalid::<T>(bytes)),
    }
}

fn first_invalid<T: Foreign>(bytes: &[u8]) -> Error {
    let invalid = bytes
        .chunks_exact(size_of::<T>())
        .find_map(|element| crate::foreign::explain_field::<T>(element, 0));
    invalid.unwrap_or_else(|| T::explain(bytes)).into()
}
