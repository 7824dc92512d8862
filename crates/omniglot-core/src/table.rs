//! Structs of callbacks that the library keeps, such as a file system's driver.

use std::any::Any;
use std::boxed::Box;
use std::fmt;
use std::vec::Vec;

use crate::address::{AsPtr, FnPtr, Ptr, Ref, RefMut, ToRef, ToRefMut, Void};
use crate::base::Api;
use crate::boxed::ForeignBox;
use crate::callback::{Answer, Received, Signature, answer_valid};
use crate::error::Result;
use crate::foreign::Foreign;
use crate::identity::InstanceId;

/// A struct in foreign memory, together with the closures that its function pointers call.
///
/// The library may keep its address and call the closures during any later call, until the
/// table is dropped.
///
/// ```
/// # omniglot_mock::example([], |library| {
/// use omniglot_core::Table;
/// # let library = &mut **library; // the library's interface: `&mut *instance`
/// # use omniglot_core::FnPtr;
/// # use omniglot_mock::Callback as driver_read_fn;
/// # fn driver(block_size: u32, read: FnPtr<driver_read_fn>) -> [usize; 2] {
/// #     [block_size as usize, read.addr()]
/// # }
///
/// // C: struct driver { uint32_t block_size; uint32_t (*read)(uint32_t block); };
/// let mut blocks = vec![0_u32; 8];
/// let driver = Table::new(library, |table| {
///     let read = table.closure::<driver_read_fn>(move |_, block| {
///         Ok(blocks.get_mut(block as usize).map_or(0, |block| *block))
///     })?;
///     Ok(driver(512, read)) // a generated struct: `driver { block_size: 512, read, .. }`
/// })?;
/// // ... a call that gets `&driver` and keeps it, and later calls that use it
/// assert_eq!(library.read(&driver)?[0], 512);
/// # Ok(())
/// # });
/// ```
#[must_use = "the closures are gone when the table is dropped"]
pub struct Table<T: Foreign> {
    place: ForeignBox<T>,
    closures: Vec<Box<dyn Any + Send>>,
}

impl<T: Foreign> Table<T> {
    /// Makes the struct with `fill`, and puts it into foreign memory.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::{FnPtr, Table};
    /// # use omniglot_mock::Callback as driver_read_fn;
    /// # let library = &mut **library;
    ///
    /// // C: struct driver { uint32_t (*read)(uint32_t block); };
    /// let driver = Table::new(library, |table| table.closure::<driver_read_fn>(|_, block| Ok(block)))?;
    /// assert!(!library.read(&driver)?.is_null());
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// What `fill` returns; [`Error::OutOfMemory`](crate::Error::OutOfMemory) if the struct
    /// does not fit; [`Error::Poisoned`](crate::Error::Poisoned).
    pub fn new<A: Api + ?Sized>(
        api: &mut A,
        fill: impl FnOnce(&mut Entries<'_, A>) -> Result<T>,
    ) -> Result<Self> {
        let mut entries = Entries { api, closures: Vec::new() };
        let value = fill(&mut entries)?;
        let place = entries.api.base_mut().alloc(value)?;
        Ok(Self { place, closures: entries.closures })
    }

    /// The struct's address, to read.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::{FnPtr, Table};
    /// # use omniglot_mock::Callback as driver_read_fn;
    /// # let library = &mut **library;
    ///
    /// # let driver = Table::new(library, |table| table.closure::<driver_read_fn>(|_, block| Ok(block)))?;
    /// let address = driver.as_ref().as_ptr(); // to compare with what the library passes to a callback
    /// assert_eq!(library.read_at(address)?, library.read(&driver)?);
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn as_ref(&self) -> Ref<T> {
        self.place.as_ref()
    }

    /// The struct's address, to write.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::{FnPtr, Table};
    /// # use omniglot_mock::Callback as driver_read_fn;
    /// # let library = &mut **library;
    ///
    /// # let driver = Table::new(library, |table| table.closure::<driver_read_fn>(|_, block| Ok(block)))?;
    /// library.write(driver.as_mut(), FnPtr::null())?; // from now on the library finds no function
    /// assert!(library.read(&driver)?.is_null());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub const fn as_mut(&self) -> RefMut<T> {
        self.place.as_mut()
    }
}

/// Registers a table's closures while it is filled.
pub struct Entries<'a, A: Api + ?Sized> {
    api: &'a mut A,
    closures: Vec<Box<dyn Any + Send>>,
}

impl<A: Api + ?Sized> Entries<'_, A> {
    /// A function pointer that calls `closure` for as long as the table lives.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::{FnPtr, Table};
    /// # use omniglot_mock::Callback as driver_read_fn;
    /// # let library = &mut **library;
    ///
    /// let mut reads = 0;
    /// let driver = Table::new(library, |table| {
    ///     table.closure::<driver_read_fn>(move |_, _block| {
    ///         reads += 1; // it owns what it uses
    ///         Ok(reads)
    ///     })
    /// })?;
    /// # drop(driver);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`Error::NoCallbackSlot`](crate::Error::NoCallbackSlot) if every slot of the
    /// signature is in use.
    pub fn closure<S: Signature>(
        &mut self,
        closure: impl FnMut(&mut A, S::Arguments) -> Answer<S> + Send + 'static,
    ) -> Result<FnPtr<S>> {
        self.fallible_closure::<S>(answer_valid::<S, A>(closure))
    }

    /// As [`closure`](Self::closure), for one that decides itself what to do if arguments are not
    /// valid values of their types.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::{FnPtr, Table};
    /// # use omniglot_mock::Callback as driver_read_fn;
    /// # let library = &mut **library;
    ///
    /// const FAILED: u32 = u32::MAX; // what the library takes for a failure
    /// let driver = Table::new(library, |table| {
    ///     table.fallible_closure::<driver_read_fn>(|_, block| Ok(block.unwrap_or(FAILED)))
    /// })?;
    /// # drop(driver);
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// As [`closure`](Self::closure).
    pub fn fallible_closure<S: Signature>(
        &mut self,
        closure: impl FnMut(&mut A, Received<S>) -> Answer<S> + Send + 'static,
    ) -> Result<FnPtr<S>> {
        let registered = self.api.base_mut().register_fallible::<S>(closure)?;
        let function = registered.function();
        self.closures.push(Box::new(registered));
        Ok(function)
    }

    /// The instance, for whatever else the struct points to.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # use omniglot_core::{Ptr, Table};
    /// # let library = &mut **library;
    /// // C: struct driver { const char *name; };
    /// let name = library.alloc_str("disk")?;
    /// let driver = Table::new(library, |table| {
    ///     let name: Ptr<core::ffi::c_char> = table.api().address(&name)?;
    ///     Ok(name)
    /// })?;
    /// assert_eq!(library.read_string(library.read(&driver)?, 16)?, "disk");
    /// # Ok(())
    /// # });
    /// ```
    pub fn api(&mut self) -> &mut A {
        self.api
    }
}

impl<T: Foreign> AsPtr<T> for Table<T> {
    fn as_ptr_of(&self) -> (Ptr<T>, Option<InstanceId>) {
        self.place.as_ptr_of()
    }
}

impl<T: Foreign> AsPtr<Void> for Table<T> {
    fn as_ptr_of(&self) -> (Ptr<Void>, Option<InstanceId>) {
        self.place.as_ptr_of()
    }
}

impl<T: Foreign> ToRef<T> for Table<T> {
    fn convert(&self) -> Ref<T> {
        self.as_ref()
    }
}

impl<T: Foreign> ToRefMut<T> for Table<T> {
    fn convert(&self) -> RefMut<T> {
        self.as_mut()
    }
}

impl<T: Foreign> fmt::Debug for Table<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Table")
            .field("place", &self.place)
            .field("closures", &self.closures.len())
            .finish()
    }
}

impl<A: Api + ?Sized> fmt::Debug for Entries<'_, A> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Entries").field("closures", &self.closures.len()).finish_non_exhaustive()
    }
}
