//! Instances that are reused.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use omniglot::{Library, Result};

type Idle = HashMap<TypeId, Vec<Box<dyn Any + Send>>>;

static IDLE: LazyLock<Mutex<Idle>> = LazyLock::new(Mutex::default);

fn idle() -> MutexGuard<'static, Idle> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An instance that the next test reuses if it can be reset.
#[derive(Debug)]
pub(crate) struct Kept<L: Library + Send + 'static> {
    /// `None` only during the drop.
    library: Option<L>,
    is_kept: bool,
}

impl<L: Library + Send + 'static> Kept<L> {
    /// Returns a reset instance if there is one, otherwise a fresh one.
    pub(crate) fn get(is_kept: bool, fresh: impl FnOnce() -> Result<L>) -> Result<Self> {
        let used = idle().get_mut(&TypeId::of::<L>()).and_then(Vec::pop);
        let used = used.and_then(|used| used.downcast::<L>().ok());
        let reset = used.and_then(|mut library| library.reset().is_ok().then_some(*library));
        let library = Some(reset.map_or_else(fresh, Ok)?);
        Ok(Self { library, is_kept })
    }
}

impl<L: Library + Send + 'static> Drop for Kept<L> {
    fn drop(&mut self) {
        if let Some(library) = self.library.take().filter(|_| self.is_kept) {
            idle().entry(TypeId::of::<L>()).or_default().push(Box::new(library));
        }
    }
}

impl<L: Library + Send + 'static> Deref for Kept<L> {
    type Target = L;
    #[allow(clippy::expect_used)]
    fn deref(&self) -> &L {
        self.library.as_ref().expect("there is one until it is dropped")
    }
}

impl<L: Library + Send + 'static> DerefMut for Kept<L> {
    #[allow(clippy::expect_used)]
    fn deref_mut(&mut self) -> &mut L {
        self.library.as_mut().expect("there is one until it is dropped")
    }
}
