//! Structs of callbacks that the library keeps, such as a file system's driver.

use std::any::Any;
use std::boxed::Box;
use std::fmt;
use std::vec::Vec;

use crate::address::AsPtr;
use crate::callback::answer_valid;
use crate::identity::InstanceId;
use crate::{
    Answer, Api, FnPtr, Foreign, ForeignBox, Ptr, Received, Ref, RefMut, Result, Signature,
};
use crate::{ToRef, ToRefMut, Void};

/// A struct in foreign memory, together with the closures that its function pointers call.
///
/// The library may keep its address and call the closures during any later call, until the
/// table is dropped.
///
/// ```ignore
/// let driver = Table::new(&mut fs, |table| {
///     Ok(lfs_config {
///         read: table.closure::<lfs_config_read_fn>(move |fs, (_, block, ..)| { ... })?,
///         sync: table.closure::<lfs_config_sync_fn>(|_, _| Ok(0))?,
///         block_size: 512,
///         ..Default::default()
///     })
/// })?;
/// fs.lfs_mount(&lfs, &driver)?;
/// ```
#[must_use = "the closures are gone when the table is dropped"]
pub struct Table<T: Foreign> {
    place: ForeignBox<T>,
    closures: Vec<Box<dyn Any + Send>>,
}

impl<T: Foreign> Table<T> {
    /// Makes the struct with `fill`, and puts it into foreign memory.
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
    #[must_use]
    pub const fn as_ref(&self) -> Ref<T> {
        self.place.as_ref()
    }

    /// The struct's address, to write.
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
