//! The owned instance, and the macro that defines a library's.
#![allow(unsafe_code)]

use crate::error::Result;

/// Owns an instance's state `A`: the sized form of an [`Api`](crate::Api).
///
/// It is `Send`, unlike what it owns.
#[derive(Debug)]
pub struct Instance<A>(A);

// SAFETY: `A` is made only by `define_library!` from a `Runtime`, which is `Send`,
// and `Base`, whose slot table holds only `Send` closures while the instance is
// not borrowed (invariant 7). `A` is not `Send` only so that a callback cannot
// send its `&mut A`, which is then a borrow of the whole, to another thread.
unsafe impl<A: OwnedApi> Send for Instance<A> {}

// SAFETY: nothing is `UsedByManyThreads`, so no instance is ever shared
// (invariant 7 is about moving alone). This impl exists for the message: without it, the compiler
// would name each of the parts that cannot be shared.
unsafe impl<A: UsedByManyThreads> Sync for Instance<A> {}

/// A trait that no instance has; see [`Instance`].
#[diagnostic::on_unimplemented(
    message = "an instance of a library is used by one thread at a time",
    label = "shared between threads",
    note = "each instance is a copy of the library of its own: give each thread its own, or let threads and jobs borrow from a `omniglot::Pool`, which many threads may share",
    note = "an instance can be moved to another thread, and shared as `Arc<Mutex<_>>`"
)]
#[doc(hidden)]
pub trait UsedByManyThreads: sealed::Never {}

mod sealed {
    /// Implemented by nothing, and not nameable elsewhere.
    pub trait Never {}
}

impl<A: OwnedApi> Instance<A> {
    /// Takes ownership of fresh state.
    pub const fn new(state: A) -> Self {
        Self(state)
    }

    /// The state.
    pub const fn get(&self) -> &A {
        &self.0
    }

    /// The state.
    pub const fn get_mut(&mut self) -> &mut A {
        &mut self.0
    }

    /// Brings the instance back to the state after its library was loaded.
    ///
    /// Nothing of the previous life is left in the library's memory or anywhere else where foreign
    /// code could find it, and a poisoned instance is usable again. Values made before belong to
    /// another instance now: references and boxes are
    /// [`WrongInstance`](crate::Error::WrongInstance), registered closures are dropped, and
    /// dropping their handles has no effect. Time limit, permissions and interrupt handles stay
    /// valid.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// use omniglot_core::{Error, Ref};
    ///
    /// let box_of_before = library.alloc(7_u32)?;
    /// library.reset()?; // the next user's data shall not meet this one's
    /// assert_eq!(library.read(&box_of_before), Err(Error::WrongInstance));
    /// # Ok(())
    /// # });
    /// ```
    ///
    /// # Errors
    /// The runtime's error, such as a limit of the system. The instance is poisoned then, and can
    /// be reset again.
    pub fn reset(&mut self) -> Result<()> {
        self.0.reset()
    }
}

/// Marks the sized state that [`define_library!`](crate::define_library) defines.
///
/// # Safety
/// The type holds a [`Base`](crate::Base) and nothing else.
#[doc(hidden)]
pub unsafe trait OwnedApi {
    /// See [`Base::reset`], which only this sized form has.
    ///
    /// # Errors
    /// As there.
    fn reset(&mut self) -> Result<()>;
}

/// Defines a library's instance type and its interface type; used by generated code.
///
/// Its two `unsafe impl`s are this crate's, so the code that uses it compiles under
/// `forbid(unsafe_code)`.
///
/// `define_library! { pub struct Png, Api; DESCRIPTION }` defines `Api<R>`, which
/// carries the functions, and `Png<R>`, which owns an instance and derefs to it.
/// With `; default Linux` at the end, that is what `R` is unless said otherwise.
#[macro_export]
macro_rules! define_library {
    ($(#[$meta:meta])* pub struct $name:ident, $api:ident; $description:path $(; default $runtime:ty)?) => {
        /// The library's functions and its memory; what an instance and a scope
        /// deref to and what a callback gets.
        pub struct $api<R: $crate::Runtime $(= $runtime)?, U: ?Sized = [$crate::Unsized]> {
            base: $crate::Base<R, $api<R>, U>,
        }

        // SAFETY: both methods give the same field. Nobody can exchange it, since the type is
        // unsized and not `Send`, as `Base` is (invariant 6).
        unsafe impl<R: $crate::Runtime> $crate::Api for $api<R> {
            type Runtime = R;
            #[inline]
            fn base(&self) -> &$crate::Base<R, Self> {
                &self.base
            }
            #[inline]
            fn base_mut(&mut self) -> &mut $crate::Base<R, Self> {
                &mut self.base
            }
        }

        impl<R: $crate::Runtime> ::core::ops::Deref for $api<R> {
            type Target = $crate::Base<R, $api<R>>;
            #[inline]
            fn deref(&self) -> &Self::Target {
                &self.base
            }
        }

        impl<R: $crate::Runtime> ::core::ops::DerefMut for $api<R> {
            #[inline]
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.base
            }
        }

        impl<R: $crate::Runtime> $api<R> {
            /// Runs `body` with temporary memory and callbacks that are gone at its end.
            ///
            /// # Errors
            /// What `body` returns.
            pub fn scope<'env, T>(
                &mut self,
                body: impl for<'scope> FnOnce(&mut $crate::Scope<'scope, 'env, Self>) -> $crate::Result<T>,
            ) -> $crate::Result<T> {
                $crate::scope(self, body)
            }

            /// As [`scope`](Self::scope), for a body with errors of its own.
            ///
            /// # Errors
            /// What `body` returns.
            pub fn try_scope<'env, T, E: ::core::convert::From<$crate::Error>>(
                &mut self,
                body: impl for<'scope> FnOnce(&mut $crate::Scope<'scope, 'env, Self>) -> $crate::Result<T, E>,
            ) -> $crate::Result<T, E> {
                $crate::try_scope(self, body)
            }

            /// Runs `body` with a function pointer that calls `closure`; needs no allocator.
            ///
            /// # Errors
            /// `NoCallbackSlot` if every slot of the signature is in use.
            pub fn with_callback<S: $crate::Signature, T>(
                &mut self,
                closure: &mut dyn FnMut(&mut Self, S::Arguments) -> $crate::Answer<S>,
                body: impl FnOnce(&mut Self, $crate::FnPtr<S>) -> T,
            ) -> $crate::Result<T> {
                $crate::with_callback::<S, Self, T>(self, closure, body)
            }

            /// As `with_callback`, at the address that an earlier closure had, for a library
            /// that keeps it; a null pointer stands for any address.
            ///
            /// # Errors
            /// As `with_callback`, also if another closure has the address; `Misuse` if it is
            /// none that closures of the signature can have.
            pub fn with_callback_at<S: $crate::Signature, T>(
                &mut self,
                function: $crate::FnPtr<S>,
                closure: &mut dyn FnMut(&mut Self, S::Arguments) -> $crate::Answer<S>,
                body: impl FnOnce(&mut Self, $crate::FnPtr<S>) -> T,
            ) -> $crate::Result<T> {
                $crate::with_callback_at::<S, Self, T>(self, function, closure, body)
            }

            /// As `with_callback`, for a closure that decides itself what comes of arguments
            /// that are no values of their types.
            ///
            /// # Errors
            /// `NoCallbackSlot` if every slot of the signature is in use.
            pub fn with_fallible_callback<S: $crate::Signature, T>(
                &mut self,
                closure: &mut dyn FnMut(&mut Self, $crate::Received<S>) -> $crate::Answer<S>,
                body: impl FnOnce(&mut Self, $crate::FnPtr<S>) -> T,
            ) -> $crate::Result<T> {
                $crate::with_fallible_callback::<S, Self, T>(self, closure, body)
            }

            /// Memory for `len` elements from the library's own `malloc`.
            ///
            /// # Errors
            /// `OutOfMemory` if it gives none; as any call.
            pub fn malloc<T: $crate::Foreign>(&mut self, len: usize) -> $crate::Result<$crate::SliceMut<T>> {
                $crate::malloc(self, len)
            }

            /// Gives memory back to the library's own `free`.
            ///
            /// # Errors
            /// As any call.
            pub fn free(&mut self, pointer: impl $crate::AsPtr<$crate::Void>) -> $crate::Result<()> {
                $crate::free(self, pointer)
            }

            /// Calls a function of the library through its address.
            ///
            /// # Errors
            /// As any call of a foreign function.
            pub fn call_pointer<S: $crate::Signature>(
                &mut self,
                function: $crate::FnPtr<S>,
                arguments: S::Arguments,
            ) -> $crate::Result<S::Return> {
                $crate::call_pointer::<S, Self>(self, function, arguments)
            }

            /// The address of the library's own function `name`, as a function pointer.
            ///
            /// # Errors
            /// `NoSuchFunction` unless a function of that name and type is bound; as any call.
            pub fn fn_ptr<S: $crate::Signature>(
                &mut self,
                name: &str,
            ) -> $crate::Result<$crate::FnPtr<S>> {
                $crate::fn_ptr::<S, Self>(self, name)
            }
        }

        $(#[$meta])*
        pub struct $name<R: $crate::Runtime $(= $runtime)?>($crate::Instance<$api<R, [$crate::Unsized; 0]>>);

        // SAFETY: the type is defined above, with one field, a `Base` (invariant 7).
        unsafe impl<R: $crate::Runtime> $crate::OwnedApi for $api<R, [$crate::Unsized; 0]> {
            fn reset(&mut self) -> $crate::Result<()> {
                self.base.reset()
            }
        }

        impl<R: $crate::Runtime> $name<R> {
            /// Makes an instance of a runtime in which the library is loaded.
            pub fn from_runtime(runtime: R) -> Self {
                let base = $crate::Base::new(runtime, &$description);
                Self($crate::Instance::new($api { base }))
            }

            /// Brings the instance back to the state after its library was loaded: nothing of
            /// before is left, a poisoned instance is usable again, and references, boxes and
            /// callbacks of before are another instance's.
            ///
            /// # Errors
            /// The runtime's error; the instance is poisoned then, and can be reset again.
            pub fn reset(&mut self) -> $crate::Result<()> {
                self.0.reset()
            }
        }

        impl<R: $crate::Runtime> $crate::Library for $name<R> {
            type Runtime = R;
            const DESCRIPTION: $crate::Description = $description;
            fn assemble(runtime: R) -> Self {
                Self::from_runtime(runtime)
            }
            fn reset(&mut self) -> $crate::Result<()> {
                self.0.reset()
            }
            fn set_timeout(&mut self, limit: ::core::option::Option<::core::time::Duration>) {
                $crate::Base::set_timeout(self, limit);
            }
            fn poisoned(&self) -> ::core::option::Option<$crate::Cause> {
                $crate::Base::poisoned(self)
            }
        }

        impl<R: $crate::Runtime> ::core::ops::Deref for $name<R> {
            type Target = $api<R>;
            #[inline]
            fn deref(&self) -> &$api<R> {
                self.0.get()
            }
        }

        impl<R: $crate::Runtime> ::core::ops::DerefMut for $name<R> {
            #[inline]
            fn deref_mut(&mut self) -> &mut $api<R> {
                self.0.get_mut()
            }
        }

        impl<R: $crate::Runtime> ::core::fmt::Debug for $name<R> {
            fn fmt(&self, out: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                out.debug_tuple(stringify!($name)).field(&self.isolation()).finish()
            }
        }
    };
}
