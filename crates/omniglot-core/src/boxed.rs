//! Foreign memory that the host owns: freed on drop, with book-keeping in host memory.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use crate::address::{
    AsPtr, Ptr, Ref, RefMut, Slice, SliceMut, ToRef, ToRefMut, ToSlice, ToSliceMut, Void,
    size_of_elements,
};
use crate::base::Base;
use crate::error::Result;
use crate::foreign::Foreign;
use crate::identity::InstanceId;
use crate::queue::Queue;
use crate::runtime::Runtime;

/// Foreign memory that belongs to the host, holding a `T` or, as
/// `ForeignBox<[T]>`, elements.
///
/// Freed at the instance's next operation after it is dropped. Foreign code that kept its address
/// then sees another box's bytes, never the host's memory. Foreign code may change the content, so
/// there is no `Deref`: read it through the instance.
pub struct ForeignBox<T: ?Sized> {
    address: usize,
    len: usize,
    instance: InstanceId,
    range: Range<usize>,
    freed: Arc<Queue<Range<usize>>>,
    content: PhantomData<fn() -> *const T>,
}

impl<T: ?Sized> Drop for ForeignBox<T> {
    fn drop(&mut self) {
        self.freed.push(self.range.clone());
    }
}

impl<T: ?Sized> fmt::Debug for ForeignBox<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ForeignBox({:#x}; {})", self.address, self.len)
    }
}

impl<T: Foreign> ForeignBox<T> {
    /// The address, to read.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let number = library.alloc(7_u32)?;
    /// let from_library = number.as_ref().as_ptr(); // a `Ptr`, as C functions return it
    /// assert_eq!(library.read_at(from_library)?, 7);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn as_ref(&self) -> Ref<T> {
        Ref::checked(self.address, self.instance)
    }

    /// The address, to write.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let number = library.alloc(7_u32)?;
    /// library.write(number.as_mut(), 8)?; // `&number` does, too
    /// assert_eq!(library.read(number.as_ref())?, 8);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn as_mut(&self) -> RefMut<T> {
        RefMut::checked(self.address, self.instance)
    }
}

impl<T: Foreign> ForeignBox<[T]> {
    /// The elements' address, to read.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let numbers = library.alloc_slice(&[1_u32, 2, 3])?;
    /// let second = numbers.as_slice().get(1).expect("it has 3");
    /// assert_eq!(library.read(second)?, 2);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn as_slice(&self) -> Slice<T> {
        Slice::checked(self.address, self.len, self.instance)
    }

    /// The elements' address, to write.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let numbers = library.alloc_slice(&[1_u32, 2, 3])?;
    /// let end = numbers.as_slice_mut().range(1, 2).expect("it has 3");
    /// library.write_slice(end, &[5, 6])?;
    /// assert_eq!(&*library.view_slice(&numbers)?, [1, 5, 6]);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn as_slice_mut(&self) -> SliceMut<T> {
        SliceMut::checked(self.address, self.len, self.instance)
    }

    /// The number of elements.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let numbers = library.alloc_zeroed::<u32>(3)?;
    /// assert_eq!(numbers.len(), 3); // what to pass as the length in C
    /// assert!(!numbers.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let none = library.alloc_slice::<u32>(&[])?; // has an address all the same
    /// assert!(none.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

macro_rules! boxed_conversion {
    ($trait:ident, $target:ident, $source:ty, $method:ident) => {
        impl<T: Foreign> $trait<T> for $source {
            fn convert(&self) -> $target<T> {
                self.$method()
            }
        }
    };
}

boxed_conversion!(ToRef, Ref, ForeignBox<T>, as_ref);
boxed_conversion!(ToRefMut, RefMut, ForeignBox<T>, as_mut);
boxed_conversion!(ToSlice, Slice, ForeignBox<[T]>, as_slice);
boxed_conversion!(ToSliceMut, SliceMut, ForeignBox<[T]>, as_slice_mut);

macro_rules! boxed_pointer {
    ($pointee:ty, $source:ty) => {
        impl<T: Foreign> AsPtr<$pointee> for $source {
            fn as_ptr_of(&self) -> (Ptr<$pointee>, Option<InstanceId>) {
                (Ptr::from_addr(self.address), Some(self.instance))
            }
        }
    };
}

boxed_pointer!(T, ForeignBox<T>);
boxed_pointer!(T, ForeignBox<[T]>);
boxed_pointer!(Void, ForeignBox<T>);
boxed_pointer!(Void, ForeignBox<[T]>);

/// As for slices: bytes can be passed where C takes characters, and the other way round.
macro_rules! boxed_bytes {
    ($pointee:ty, $source:ty) => {
        impl AsPtr<$pointee> for $source {
            fn as_ptr_of(&self) -> (Ptr<$pointee>, Option<InstanceId>) {
                (Ptr::from_addr(self.address), Some(self.instance))
            }
        }
    };
}

boxed_bytes!(i8, ForeignBox<[u8]>);
boxed_bytes!(u8, ForeignBox<[i8]>);

impl<R: Runtime, A: ?Sized + 'static> Base<R, A> {
    /// Allocates foreign memory and copies a value into it.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let settings = library.alloc([3_u32, 4])?; // kept until it is dropped
    /// assert_eq!(library.read(&settings)?, [3, 4]);
    /// // ... calls that get `&settings` where C takes a pointer
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory);
    /// [`Error::ZeroSized`](crate::Error::ZeroSized); [`Error::Poisoned`](crate::Error::Poisoned).
    pub fn alloc<T: Foreign>(&mut self, value: T) -> Result<ForeignBox<T>> {
        let place = self.take::<T, T>(1)?;
        self.write(&place, value)?;
        Ok(place)
    }

    /// Allocates foreign memory and copies elements into it.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let data = library.alloc_slice(b"some bytes")?;
    /// assert_eq!(data.len(), 10);
    /// assert_eq!(&*library.view_slice(&data)?, b"some bytes");
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`alloc`](Self::alloc), and [`Error::TooLarge`](crate::Error::TooLarge).
    pub fn alloc_slice<T: Foreign>(&mut self, elements: &[T]) -> Result<ForeignBox<[T]>> {
        let place = self.take::<T, [T]>(elements.len())?;
        self.write_slice(&place, elements)?;
        Ok(place)
    }

    /// Allocates zeroed foreign memory for `len` elements. Zeros need not be a valid `T`; reading
    /// validates.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let histogram = library.alloc_zeroed::<u32>(256)?;
    /// // ... calls that count in it
    /// assert_eq!(library.view_slice(&histogram)?.iter().sum::<u32>(), 0);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`alloc_slice`](Self::alloc_slice).
    pub fn alloc_zeroed<T: Foreign>(&mut self, len: usize) -> Result<ForeignBox<[T]>> {
        let place = self.take::<T, [T]>(len)?;
        self.runtime_window().zero(place.address, len * size_of::<T>())?;
        Ok(place)
    }

    /// Allocates foreign memory and copies a string and a NUL into it.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let name = library.alloc_str("main.db")?; // for a library that keeps the address
    /// assert_eq!(library.read_string(name.as_slice().as_ptr(), 16)?, "main.db");
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::InteriorNul`](crate::Error::InteriorNul); as [`alloc`](Self::alloc).
    pub fn alloc_str(&mut self, text: &str) -> Result<ForeignBox<[core::ffi::c_char]>> {
        crate::strings::check_no_nul(text)?;
        let place = self.take::<core::ffi::c_char, _>(text.len().saturating_add(1))?;
        self.runtime_window().copy_in(place.address, text.as_bytes())?;
        self.runtime_window().copy_in(place.address + text.len(), &[0])?;
        Ok(place)
    }

    fn take<T: Foreign, B: ?Sized>(&mut self, len: usize) -> Result<ForeignBox<B>> {
        self.run_deferred();
        self.check_usable()?;
        let size = size_of_elements::<T>(len)?;
        let range = self.state.boxes.take(size, align_of::<T>())?;
        Ok(ForeignBox {
            address: range.start,
            len,
            instance: self.state.id,
            range,
            freed: Arc::clone(&self.state.boxes.freed),
            content: PhantomData,
        })
    }
}
