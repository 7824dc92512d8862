//! An instance's state (where it runs, what is allocated, what is registered), and the trait
//! through which the core reaches it.

#[cfg(feature = "alloc")]
use alloc::sync::Arc;
use core::marker::PhantomData;

use crate::checks::CHECKED;
use crate::domain::Domain;
use crate::error::{Cause, Error, Result};
use crate::identity::InstanceId;
use crate::library::Description;
#[cfg(feature = "alloc")]
use crate::queue::{Queue, Waits};
use crate::runtime::{IsolationKind, Runtime};
use crate::session::Session;
use crate::slots::Slots;
use crate::stack::Stack;

/// A library's interface, as generated: unsized, so that two of them cannot be
/// swapped, and not `Send`, so that a callback cannot send it to another thread.
///
/// Implemented by [`define_library!`](crate::define_library).
///
/// ```
/// # omniglot_mock::example([], |library| {
/// use omniglot_core::{Api, Ptr, Result};
///
/// /// Reads a pair of any library that has such pairs, in and outside of scopes and callbacks.
/// fn read_pair<A: Api + ?Sized>(library: &A, pair: Ptr<[u32; 2]>) -> Result<(u32, u32)> {
///     let [left, right] = library.base().read_at(pair)?;
///     Ok((left, right))
/// }
/// # let pair = library.alloc([3_u32, 4])?;
/// assert_eq!(read_pair(&**library, pair.as_ref().as_ptr())?, (3, 4));
/// # Ok(())
/// # });
/// ```
///
/// # Safety
/// `base` and `base_mut` always return the same [`Base`], a field of `self`, and no other code can
/// exchange it: `Self` is unsized and not `Send`. Guards rely on finding again what they put there
/// (invariant 6).
#[allow(unsafe_code)]
pub unsafe trait Api: 'static {
    /// Where the library runs.
    type Runtime: Runtime;
    /// The instance's state.
    fn base(&self) -> &Base<Self::Runtime, Self>;
    /// The instance's state.
    fn base_mut(&mut self) -> &mut Base<Self::Runtime, Self>;
}

/// The tail that makes an interface unsized, and not `Send`.
#[derive(Debug)]
pub struct Unsized(PhantomData<*mut ()>);

/// An instance's state, with the operations on foreign memory.
///
/// Every library's interface derefs to it. `A` is that interface, which callbacks
/// get; `U` makes it unsized, so that two of them cannot be swapped.
pub struct Base<R: Runtime, A: ?Sized + 'static, U: ?Sized = [Unsized]> {
    pub(crate) state: State<R, A>,
    _unsized: U,
}

/// The fields of [`Base`].
pub(crate) struct State<R: Runtime, A: ?Sized + 'static> {
    pub(crate) domain: Domain<R>,
    pub(crate) id: InstanceId,
    #[cfg(feature = "alloc")]
    pub(crate) scopes: crate::identity::Scopes,
    pub(crate) slots: Slots<A>,
    #[cfg(feature = "alloc")]
    pub(crate) waits: Waits,
    #[cfg(feature = "alloc")]
    pub(crate) deferred: Arc<Queue<crate::slots::SlotId>>,
    #[cfg(feature = "alloc")]
    pub(crate) destructors: Arc<Queue<crate::queue::Destructor>>,
    #[cfg(feature = "std")]
    pub(crate) boxes: crate::boxes::Boxes,
}

impl<R: Runtime, A: ?Sized + 'static> Base<R, A, [Unsized; 0]> {
    /// Fresh state for a runtime in which the library is loaded.
    #[must_use]
    pub fn new(runtime: R, description: &'static Description) -> Self {
        let parts = Parts::of(&runtime);
        let domain = Domain::new(Session::new(runtime), parts.stack, description);
        let state = State {
            domain,
            id: InstanceId::next(),
            #[cfg(feature = "alloc")]
            scopes: crate::identity::Scopes::default(),
            slots: Slots::new(description.slots),
            #[cfg(feature = "alloc")]
            deferred: Queue::new(&parts.waits),
            #[cfg(feature = "alloc")]
            destructors: Queue::new(&parts.waits),
            #[cfg(feature = "alloc")]
            waits: parts.waits,
            #[cfg(feature = "std")]
            boxes: parts.boxes,
        };
        Self { state, _unsized: [] }
    }

    /// Brings the instance back to the state after loading: see
    /// [`Instance::reset`](crate::Instance::reset).
    ///
    /// Only the owner has this sized form of the state. What a callback gets is unsized,
    /// so no callback can reset the instance under the call that runs it.
    ///
    /// # Errors
    /// The runtime's error; the instance is poisoned then.
    pub fn reset(&mut self) -> Result<()> {
        let outcome = self.state.domain.session.reset();
        // Dropped last: dropping a closure may panic.
        let _closures = self.state.begin_anew();
        outcome
    }
}

/// The parts of an instance's exchange area, and the flag that says that boxes were freed.
struct Parts {
    stack: Stack,
    #[cfg(feature = "alloc")]
    waits: Waits,
    #[cfg(feature = "std")]
    boxes: crate::boxes::Boxes,
}

impl Parts {
    fn of<R: Runtime>(runtime: &R) -> Self {
        let (start, len) = runtime.exchange();
        let stack_len = if cfg!(feature = "std") { len / 2 } else { len };
        #[cfg(feature = "alloc")]
        let waits = Waits::default();
        Self {
            stack: Stack::new(start, stack_len),
            #[cfg(feature = "std")]
            boxes: crate::boxes::Boxes::new(start + stack_len, len - stack_len, &waits),
            #[cfg(feature = "alloc")]
            waits,
        }
    }
}

impl<R: Runtime, A: ?Sized + 'static> State<R, A> {
    /// Starts a new life: everything made before has another instance's identity, and frees into
    /// queues that are no longer read.
    fn begin_anew(&mut self) -> Closures<A> {
        let parts = Parts::of(&self.domain.session.runtime);
        self.id = InstanceId::next();
        self.domain.begin_anew(parts.stack);
        #[cfg(feature = "alloc")]
        {
            self.deferred = Queue::new(&parts.waits);
            self.destructors = Queue::new(&parts.waits);
            self.waits = parts.waits;
        }
        #[cfg(feature = "std")]
        {
            self.boxes = parts.boxes;
        }
        self.slots.clear()
    }
}

/// What [`State::begin_anew`] leaves to be dropped.
#[cfg(feature = "alloc")]
type Closures<A> = alloc::vec::Vec<crate::slots::Closure<A>>;
#[cfg(not(feature = "alloc"))]
type Closures<A> = core::marker::PhantomData<fn(&A)>;

impl<R: Runtime, A: ?Sized + 'static> Base<R, A> {
    /// How the instance is isolated.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// use omniglot_core::IsolationKind;
    ///
    /// if library.isolation() == IsolationKind::Unprotected {
    ///     eprintln!("the library is not isolated");
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub fn isolation(&self) -> IsolationKind {
        self.state.domain.session.runtime.isolation()
    }

    /// The C library's `errno` after the last call.
    ///
    /// ```
    /// # omniglot_mock::example(omniglot_mock::returns(4, 2_i32), |library| {
    /// # omniglot_mock::run(library)?;
    /// // after a call whose result means failure:
    /// assert_eq!(library.errno(), 2); // ENOENT
    /// # Ok(())
    /// # });
    /// ```
    pub fn errno(&self) -> i32 {
        self.state.domain.error_number
    }

    /// Limits the time in foreign code of each outermost call, together with the destructors of
    /// dropped handles that run before it; callbacks in the host do not count. `None` is no limit.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// use std::time::Duration;
    ///
    /// library.set_timeout(Some(Duration::from_millis(50))); // for input from a stranger
    /// // ... calls
    /// library.set_timeout(None);
    /// # Ok(())
    /// # });
    /// ```
    pub fn set_timeout(&mut self, limit: Option<core::time::Duration>) {
        self.state.domain.session.set_timeout(limit);
    }

    /// A handle to interrupt calls from other threads.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// # trait Interrupt { fn interrupt(&self); }
    /// # impl Interrupt for () { fn interrupt(&self) {} }
    /// let handle = library.interrupt_handle();
    /// let watchdog = std::thread::spawn(move || {
    ///     handle.interrupt(); // ends the call that runs at this time, if there is one
    /// });
    /// # drop(watchdog.join());
    /// # Ok(())
    /// # });
    /// ```
    pub fn interrupt_handle(&self) -> R::InterruptHandle {
        self.state.domain.session.runtime.interrupt_handle()
    }

    /// Why the instance is unusable; `None` if it is usable.
    ///
    /// ```
    /// # omniglot_mock::example([omniglot_mock::Step::Fail(omniglot_core::Error::Interrupted)], |library| {
    /// use omniglot_core::{Cause, Error};
    ///
    /// # use omniglot_mock::run as decode;
    /// assert_eq!(decode(library), Err(Error::Interrupted));
    /// assert_eq!(library.poisoned(), Some(Cause::Interrupted));
    /// library.reset()?;
    /// assert_eq!(library.poisoned(), None);
    /// # Ok(())
    /// # });
    /// ```
    pub fn poisoned(&self) -> Option<Cause> {
        self.state.domain.session.poisoned()
    }

    /// The runtime, for what is specific to it.
    ///
    /// ```
    /// # omniglot_mock::example([], |library| {
    /// use omniglot_core::Runtime;
    ///
    /// let (start, len) = library.runtime().exchange(); // where scopes and boxes are
    /// assert!(library.runtime().window().check(start, len).is_ok());
    /// # Ok(())
    /// # });
    /// ```
    pub fn runtime(&self) -> &R {
        &self.state.domain.session.runtime
    }

    pub(crate) fn check_usable(&self) -> Result<()> {
        self.state.domain.session.check_usable()
    }

    /// Poisons the instance: no call in progress is resumed. The first cause is kept.
    pub(crate) fn poison(&mut self, cause: Cause) {
        self.state.domain.session.poison(cause);
    }

    pub(crate) fn check_instance(&self, id: InstanceId) -> Result<()> {
        if !CHECKED {
            return Ok(());
        }
        if id.life != self.state.id.life {
            return Err(Error::WrongInstance);
        }
        #[cfg(feature = "alloc")]
        if id.scope != 0 && !self.state.scopes.is_live(id.scope) {
            return Err(Error::Stale);
        }
        Ok(())
    }

    /// Does the deferred work that needs the instance: frees and removals.
    #[inline(always)]
    pub(crate) fn run_deferred(&mut self) {
        // What is queued sets the flag, and the next call clears it.
        #[cfg(feature = "alloc")]
        if self.state.waits.get() {
            self.run_queued();
        }
    }

    #[cfg(feature = "alloc")]
    #[inline(never)]
    pub(crate) fn run_queued(&mut self) {
        while let Some(id) = self.state.deferred.pop() {
            let closure = self.state.slots.remove(id);
            // Dropping what it captured may panic: the next call then does the rest.
            self.state.waits.set();
            drop(closure);
        }
        #[cfg(feature = "std")]
        self.state.boxes.collect();
    }
}

impl<R: Runtime, A: ?Sized + 'static, U: ?Sized> core::fmt::Debug for Base<R, A, U> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Base")
            .field("library", &self.state.domain.description.name)
            .field("isolation", &self.state.domain.session.runtime.isolation())
            .field("poisoned", &self.state.domain.session.poisoned())
            .finish_non_exhaustive()
    }
}
