//! Foreign addresses: unchecked ([`Ptr`], [`FnPtr`]) and checked ([`Ref`], [`Slice`]).
//!
//! All of them are numbers, and `Copy`. A checked one also says which instance
//! it was checked for, so that it cannot be used with another. None of them
//! gives access by itself: the instance does.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::checks::CHECKED;
use crate::error::{Error, Result};
use crate::foreign::Foreign;
use crate::identity::InstanceId;

/// What a `void *` points to: nothing that can be read.
#[derive(Debug)]
pub enum Void {}

/// An unchecked foreign address of a `T`: any number, as foreign code gave it.
///
/// ```
/// use omniglot_core::Ptr;
/// let pointer = Ptr::<u32>::from_addr(0x1000);
/// assert_eq!(pointer.offset(2).addr(), 0x1008);
/// assert_eq!(pointer.cast::<u8>().offset(-1).addr(), 0xfff);
/// assert!(Ptr::<u8>::null().is_null());
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Ptr<T: ?Sized> {
    address: usize,
    pointee: PhantomData<fn() -> *const T>,
}

/// An unchecked foreign address of a function with the signature `S`: any number.
///
/// It can also be one of the special numbers that some libraries accept in the place of a function
/// pointer:
///
/// ```
/// # use omniglot_core::FnPtr;
/// # enum sqlite3_destructor_type {}
/// // C: #define SQLITE_TRANSIENT ((sqlite3_destructor_type)-1)
/// const SQLITE_TRANSIENT: FnPtr<sqlite3_destructor_type> = FnPtr::from_addr(usize::MAX);
/// assert_eq!(SQLITE_TRANSIENT.addr(), usize::MAX);
/// assert!(FnPtr::<sqlite3_destructor_type>::null().is_null()); // "no function"
/// ```
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct FnPtr<S: ?Sized> {
    address: usize,
    signature: PhantomData<fn() -> *const S>,
}

macro_rules! number_like {
    ($name:ident, $bound:ident) => {
        impl<T: ?Sized> $name<T> {
            /// The null address.
            #[must_use]
            pub const fn null() -> Self {
                Self::from_addr(0)
            }

            /// Any number as an address.
            #[must_use]
            pub const fn from_addr(address: usize) -> Self {
                Self { address, $bound: PhantomData }
            }

            /// The address as a number.
            #[must_use]
            pub const fn addr(self) -> usize {
                self.address
            }

            /// Whether it is the null address.
            #[must_use]
            pub const fn is_null(self) -> bool {
                self.address == 0
            }

            /// The same address with another type.
            #[must_use]
            pub const fn cast<U: ?Sized>(self) -> $name<U> {
                $name::from_addr(self.address)
            }
        }

        impl<T: ?Sized> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T: ?Sized> Copy for $name<T> {}

        impl<T: ?Sized> Default for $name<T> {
            fn default() -> Self {
                Self::null()
            }
        }

        impl<T: ?Sized> PartialEq for $name<T> {
            fn eq(&self, other: &Self) -> bool {
                self.address == other.address
            }
        }

        impl<T: ?Sized> Eq for $name<T> {}

        impl<T: ?Sized> Hash for $name<T> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.address.hash(state);
            }
        }

        impl<T: ?Sized> fmt::Debug for $name<T> {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{:#x}", self.address)
            }
        }

        impl<T: ?Sized + 'static> Foreign for $name<T> {
            const NAME: &'static str = "pointer";
            #[inline]
            fn encode(&self, out: &mut [u8]) {
                self.address.encode(out);
            }
        }
    };
}

number_like!(Ptr, pointee);
number_like!(FnPtr, signature);

impl<T> Ptr<T> {
    /// The address `count` elements further on (or back), wrapping at the ends of
    /// the address space; nothing is checked until it is used.
    #[must_use]
    pub const fn offset(self, count: isize) -> Self {
        let distance = count.wrapping_mul(size_of::<T>() as isize);
        Self::from_addr(self.address.wrapping_add_signed(distance))
    }

    /// The address of a field. This is arithmetic only: nothing is checked until it is used.
    ///
    /// ```
    /// # use omniglot_core::{Field, Ptr};
    /// # type pair = [u32; 2];
    /// # const RIGHT: Field<pair, u32> = Field::new(4);
    /// // C: struct pair { uint32_t left, right; };
    /// let pointer = Ptr::<pair>::from_addr(0x1000);
    /// assert_eq!(pointer.field(RIGHT).addr(), 0x1004); // generated as `pair::RIGHT`
    /// ```
    #[must_use]
    pub const fn field<F>(self, field: Field<T, F>) -> Ptr<F> {
        Ptr::from_addr(self.address.wrapping_add(field.offset))
    }
}

/// A field of a foreign struct: its offset and type. Generated code has one for each.
///
/// ```
/// use omniglot_core::{Field, Ptr};
///
/// // C: struct pair { uint32_t left, right; };
/// # type pair = [u32; 2];
/// const RIGHT: Field<pair, u32> = Field::new(4); // generated as `pair::RIGHT`
/// assert_eq!(RIGHT.offset(), 4);
/// assert_eq!(Ptr::<pair>::from_addr(0x1000).field(RIGHT).addr(), 0x1004);
/// ```
pub struct Field<T, F> {
    offset: usize,
    types: PhantomData<fn() -> (*const T, *const F)>,
}

impl<T, F> Field<T, F> {
    /// Describes the field at `offset` bytes.
    ///
    /// # Panics
    /// If the field does not lie in the struct, or is misaligned. In a constant, as in generated
    /// code, that is a compile error.
    #[must_use]
    pub const fn new(offset: usize) -> Self {
        assert!(offset <= size_of::<T>() && size_of::<F>() <= size_of::<T>() - offset);
        assert!(offset.is_multiple_of(align_of::<F>()) && align_of::<F>() <= align_of::<T>());
        Self { offset, types: PhantomData }
    }

    /// The offset in bytes.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl<T, F> Clone for Field<T, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, F> Copy for Field<T, F> {}

impl<T, F> fmt::Debug for Field<T, F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Field(+{})", self.offset)
    }
}

macro_rules! checked {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        pub struct $name<T> {
            pub(crate) address: usize,
            pub(crate) instance: InstanceId,
            pointee: PhantomData<fn() -> *const T>,
        }

        impl<T> $name<T> {
            /// For an address that was checked for `instance`.
            pub(crate) const fn checked(address: usize, instance: InstanceId) -> Self {
                Self { address, instance, pointee: PhantomData }
            }

            /// The address, unchecked again.
            #[must_use]
            pub const fn as_ptr(self) -> Ptr<T> {
                Ptr::from_addr(self.address)
            }

            /// A field; needs no second check.
            #[must_use]
            pub const fn field<F>(self, field: Field<T, F>) -> $name<F> {
                $name::checked(self.address + field.offset, self.instance)
            }
        }

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $name<T> {}

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!(stringify!($name), "({:#x})"), self.address)
            }
        }
    };
}

checked!(
    /// A checked address of a `T` that can be read: in the domain's memory and aligned.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::Field;
    /// # type pair = [u32; 2];
    /// # const RIGHT: Field<pair, u32> = Field::new(4);
    /// # let numbers = library.alloc([7_u32, 8])?;
    /// # let pointer = numbers.as_ref().as_ptr();
    /// // C: struct pair { uint32_t left, right; };
    /// let checked = library.upgrade(pointer)?; // a `Ref`, which is `Copy`
    /// assert_eq!(library.read(checked.field(RIGHT))?, 8); // generated as `pair::RIGHT`
    /// assert_eq!(checked.as_ptr(), pointer); // unchecked again
    /// # Ok(())
    /// # });
    /// ```
    Ref
);
checked!(
    /// A checked address of a `T` that can be written.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let number = library.alloc(7_u32)?;
    /// # let pointer = number.as_ref().as_ptr();
    /// let checked = library.upgrade_mut(pointer)?;
    /// library.write(checked, 8)?;
    /// assert_eq!(library.read(checked)?, 8); // what can be written can be read
    /// # Ok(())
    /// # });
    /// ```
    RefMut
);

impl<T> From<RefMut<T>> for Ref<T> {
    fn from(reference: RefMut<T>) -> Self {
        Self::checked(reference.address, reference.instance)
    }
}

macro_rules! checked_slice {
    ($(#[$meta:meta])* $name:ident, $element:ident) => {
        $(#[$meta])*
        pub struct $name<T> {
            pub(crate) address: usize,
            pub(crate) len: usize,
            pub(crate) instance: InstanceId,
            pointee: PhantomData<fn() -> *const T>,
        }

        impl<T> $name<T> {
            /// For a range that was checked for `instance`.
            pub(crate) const fn checked(address: usize, len: usize, instance: InstanceId) -> Self {
                Self { address, len, instance, pointee: PhantomData }
            }

            /// The number of elements.
            #[must_use]
            pub const fn len(self) -> usize {
                self.len
            }

            /// Whether there are no elements.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.len == 0
            }

            /// The first element's address, unchecked again.
            #[must_use]
            pub const fn as_ptr(self) -> Ptr<T> {
                Ptr::from_addr(self.address)
            }

            /// The element at `index`; needs no second check.
            #[must_use]
            pub const fn get(self, index: usize) -> Option<$element<T>> {
                if index >= self.len {
                    return None;
                }
                Some($element::checked(self.address + index * size_of::<T>(), self.instance))
            }

            /// `len` elements from `start` on; `None` if there are not as many.
            #[must_use]
            pub const fn range(self, start: usize, len: usize) -> Option<Self> {
                if start > self.len || len > self.len - start {
                    return None;
                }
                Some(Self::checked(self.address + start * size_of::<T>(), len, self.instance))
            }

            /// The elements one by one.
            pub fn iter(self) -> impl ExactSizeIterator<Item = $element<T>> + DoubleEndedIterator {
                (0..self.len).map(move |index| {
                    $element::checked(self.address + index * size_of::<T>(), self.instance)
                })
            }
        }

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $name<T> {}

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!(stringify!($name), "({:#x}; {})"), self.address, self.len)
            }
        }
    };
}

checked_slice!(
    /// A checked address of elements that can be read.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # let numbers = library.alloc_slice(&[1_u32, 2, 3])?;
    /// # let pointer = numbers.as_slice().as_ptr();
    /// let numbers = library.upgrade_slice(pointer, 3)?;
    /// assert_eq!((numbers.len(), numbers.is_empty()), (3, false));
    /// assert_eq!(numbers.as_ptr(), pointer);
    /// assert_eq!(library.read(numbers.get(1).expect("it has 3"))?, 2);
    /// assert!(numbers.get(3).is_none());
    /// let end = numbers.range(1, 2).expect("it has 3");
    /// assert_eq!(&*library.view_slice(end)?, [2, 3]);
    /// assert!(numbers.range(2, 2).is_none());
    /// for number in numbers.iter().rev() {
    ///     library.read(number)?;
    /// }
    /// # Ok(())
    /// # });
    /// ```
    Slice,
    Ref
);
checked_slice!(
    /// A checked address of elements that can be written.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// let numbers = library.alloc_zeroed::<u32>(3)?;
    /// let numbers = numbers.as_slice_mut();
    /// for (number, value) in numbers.iter().zip(1..) {
    ///     library.write(number, value)?;
    /// }
    /// let end = numbers.range(1, 2).expect("it has 3");
    /// assert_eq!(&*library.view_slice(end)?, [2, 3]);
    /// # Ok(())
    /// # });
    /// ```
    SliceMut,
    RefMut
);

impl<T> From<SliceMut<T>> for Slice<T> {
    fn from(slice: SliceMut<T>) -> Self {
        Self::checked(slice.address, slice.len, slice.instance)
    }
}

/// What can be passed where C takes a `T *`: an address in the library's own memory.
///
/// A [`Ptr`] is passed unchecked; a checked address must be of the same instance. Any checked
/// address can also be passed where C takes a `void *`, and bytes where it takes characters, and
/// the other way round. `None` is the null pointer.
///
/// A host's own `&str`, `&CStr`, `&[T]` or `&T` is not accepted, since the library cannot see it:
/// it has to be copied. A copy takes time and memory in proportion to its length, and has to be
/// freed at some time. So the caller says when:
///
/// | what you have | what to pass, in a [scope](crate::Scope) |
/// |---|---|
/// | `&str`, `String` | [`scope.str(text)?`](crate::Scope::str) |
/// | `&CStr`, `CString` | [`scope.c_str(text)?`](crate::Scope::c_str) |
/// | `&[T]`, `Vec<T>`, `[T; N]` | [`scope.copy_in(slice)?`](crate::Scope::copy_in) |
/// | `&T`, `&mut T` | [`scope.value(value)?`](crate::Scope::value), then [`read`](crate::Base::read) it |
/// | nothing yet: the library writes it | [`scope.out::<T>()?`](crate::Scope::out), [`scope.zeroed::<T>(len)?`](crate::Scope::zeroed) |
/// | a [`Ptr`] to another type | [`pointer.cast()`](Ptr::cast) |
///
/// ```
/// # omniglot_mock::example([], |library| {
/// # use omniglot_core::{AsPtr, Ptr, Result};
/// # use omniglot_mock::Interface;
/// # fn checksum(library: &mut Interface, bytes: impl AsPtr<u8>, len: usize) -> Result<()> {
/// #     library.address(bytes).map(drop)
/// # }
/// // C: void checksum(const uint8_t *bytes, size_t len);
/// let kept = library.alloc_slice(b"abc")?;
/// library.scope(|library| {
///     let copy = library.copy_in(b"abc")?;
///     checksum(library, copy, 3)?; // memory of the scope
///     checksum(library, &kept, 3)?; // memory that lasts
///     checksum(library, Ptr::null(), 0)?; // any address, unchecked
///     checksum(library, None::<Ptr<u8>>, 0) // null again
/// })?;
/// # Ok(())
/// # });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be passed where C takes a pointer to `{T}`",
    label = "no address of a `{T}` in the library's memory",
    note = "the library cannot see the host's memory, so what it is to read is copied in: in `scope(|scope| ...)`, write `scope.str(text)?` for `&str` and `String`, `scope.c_str(text)?` for `&CStr`, `scope.copy_in(slice)?` for slices, arrays and vectors, `scope.value(value)?` for a `&T` or `&mut T`",
    note = "for what the library is to write, write `scope.out::<T>()?` or `scope.zeroed::<T>(len)?`; what must outlive the scope is `alloc`, `alloc_slice` or `alloc_str`",
    note = "a `Ptr` to another type is passed as `pointer.cast()`, and null as `Ptr::null()`"
)]
pub trait AsPtr<T: ?Sized> {
    /// The address to pass, and the instance that it must belong to, if any.
    #[doc(hidden)]
    fn as_ptr_of(&self) -> (Ptr<T>, Option<InstanceId>);
}

impl<T: ?Sized> AsPtr<T> for Ptr<T> {
    #[inline]
    fn as_ptr_of(&self) -> (Ptr<T>, Option<InstanceId>) {
        (*self, None)
    }
}

macro_rules! checked_as_ptr {
    ($($name:ident),*) => {$(
        impl<T: Foreign> AsPtr<T> for $name<T> {
            #[inline]
            fn as_ptr_of(&self) -> (Ptr<T>, Option<InstanceId>) {
                ((*self).as_ptr(), Some(self.instance))
            }
        }

        // So that any checked memory can be passed as `void *`.
        impl<T: Foreign> AsPtr<Void> for $name<T> {
            #[inline]
            fn as_ptr_of(&self) -> (Ptr<Void>, Option<InstanceId>) {
                ((*self).as_ptr().cast(), Some(self.instance))
            }
        }
    )*};
}

checked_as_ptr!(Ref, RefMut, Slice, SliceMut);

/// Bytes can be passed where C takes characters and the other way round: C's `char` is one of the
/// two 8-bit integers, and libraries use all three types for text.
macro_rules! bytes_as_characters {
    ($($name:ty => $character:ty),*) => {$(
        impl AsPtr<$character> for $name {
            #[inline]
            fn as_ptr_of(&self) -> (Ptr<$character>, Option<InstanceId>) {
                ((*self).as_ptr().cast(), Some(self.instance))
            }
        }
    )*};
}

bytes_as_characters!(
    Slice<u8> => i8, SliceMut<u8> => i8, Slice<i8> => u8, SliceMut<i8> => u8
);

impl<T: ?Sized, P: AsPtr<T> + ?Sized> AsPtr<T> for &P {
    #[inline]
    fn as_ptr_of(&self) -> (Ptr<T>, Option<InstanceId>) {
        (**self).as_ptr_of()
    }
}

/// `None` is the null pointer.
impl<T: ?Sized, P: AsPtr<T>> AsPtr<T> for Option<P> {
    #[inline]
    fn as_ptr_of(&self) -> (Ptr<T>, Option<InstanceId>) {
        self.as_ref().map_or((Ptr::null(), None), AsPtr::as_ptr_of)
    }
}

macro_rules! conversion {
    ($(#[$meta:meta])* $trait:ident, $target:ident, $($source:ident),*) => {
        $(#[$meta])*
        pub trait $trait<T> {
            /// The checked reference, not yet compared with an instance.
            #[doc(hidden)]
            fn convert(&self) -> $target<T>;
        }

        $(impl<T> $trait<T> for $source<T> {
            #[inline]
            fn convert(&self) -> $target<T> {
                (*self).into()
            }
        })*

        impl<T, P: $trait<T> + ?Sized> $trait<T> for &P {
            #[inline]
            fn convert(&self) -> $target<T> {
                (**self).convert()
            }
        }
    };
}

conversion!(
    /// An address through which one value can be read.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is no checked address of a value that can be read",
        label = "not a `ToRef<{T}>`",
        note = "an unchecked `Ptr` is read with `read_at(pointer)?`; or check it once with `upgrade(pointer)?` and use the `Ref` that this gives",
        note = "elements are read with `view_slice`, `read_into` or `read_vec(pointer, len)`; a string with `read_str` or `read_string`"
    )]
    ToRef, Ref, Ref, RefMut
);
conversion!(
    /// An address through which one value can be written.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is no checked address of a value that can be written",
        label = "not a `ToRefMut<{T}>`",
        note = "check an unchecked `Ptr` with `upgrade_mut(pointer)?`, and write through the `RefMut` that this gives; memory from `scope.out`, `scope.value` or `alloc` needs no check"
    )]
    ToRefMut, RefMut, RefMut
);
conversion!(
    /// An address through which elements can be read.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is no checked address of elements that can be read",
        label = "not a `ToSlice<{T}>`",
        note = "an unchecked `Ptr` has no length: `read_vec(pointer, len)?` copies elements out, and `upgrade_slice(pointer, len)?` checks them once and gives a `Slice`",
        note = "one value is read with `read` or `view`"
    )]
    ToSlice, Slice, Slice, SliceMut
);
conversion!(
    /// An address through which elements can be written.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is no checked address of elements that can be written",
        label = "not a `ToSliceMut<{T}>`",
        note = "check an unchecked `Ptr` with `upgrade_slice_mut(pointer, len)?`; memory from `scope.zeroed`, `scope.copy_in` or `alloc_slice` needs no check",
        note = "one value is written with `write`"
    )]
    ToSliceMut, SliceMut, SliceMut
);

/// Checks that `address` is aligned for a `T`.
pub(crate) const fn check_alignment<T>(address: usize) -> Result<()> {
    if !CHECKED || address.is_multiple_of(align_of::<T>()) {
        Ok(())
    } else {
        Err(Error::Misaligned { address, align: align_of::<T>() })
    }
}

/// The size of `len` elements of `T` in bytes.
pub(crate) const fn size_of_elements<T: Foreign>(len: usize) -> Result<usize> {
    if size_of::<T>() == 0 {
        return Err(Error::ZeroSized { type_name: T::NAME });
    }
    match size_of::<T>().checked_mul(len) {
        Some(size) if size <= isize::MAX as usize => Ok(size),
        _ => Err(Error::TooLarge { elements: len }),
    }
}
