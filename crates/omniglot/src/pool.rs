//! Instances of one library, shared by threads or jobs that use one at a time.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use omniglot_core::{Library, Result};

/// Instances of one library, for more jobs than there are instances.
///
/// A job that asks for an instance gets a [`Pooled`] guard, which derefs to the instance. The pool
/// makes an instance if none is idle and there are fewer than its size.
///
/// When the guard is dropped, also by a panic, the instance is *reset* and goes back. So the next
/// job finds no data of the one before, and a poisoned instance is usable again. The job that gives
/// the instance back waits for the reset. [`Builder::spares`](crate::Builder::spares) keeps that
/// time short. If a reset fails, the instance is dropped, and the pool makes another when a job
/// needs it.
///
/// A reset does not change the time limit. So set it where the pool makes instances, or in every
/// job.
///
/// A pool works with every runtime.
///
/// ```
/// # use omniglot_guide::parts::Parts;
/// # fn main() -> omniglot::Result<()> {
/// use omniglot::{Pool, Result};
///
/// let pool = Pool::new(2, || Parts::builder().build());
/// let totals = std::thread::scope(|threads| {
///     let jobs: Vec<_> = (0..8)
///         .map(|job| {
///             let pool = &pool;
///             threads.spawn(move || {
///                 let mut parts = pool.get()?; // waits until one is free
///                 let counts = parts.alloc_slice(&[job, job])?;
///                 parts.parts_total(&counts, 2)
///             })
///         })
///         .collect();
///     jobs.into_iter().map(|job| job.join().expect("a job panicked")).collect::<Result<Vec<_>>>()
/// })?;
/// assert_eq!(totals, [0, 2, 4, 6, 8, 10, 12, 14]);
/// # Ok(())
/// # }
/// ```
pub struct Pool<L: Library> {
    factory: Box<dyn Fn() -> Result<L> + Send + Sync>,
    size: usize,
    keeps_state: bool,
    inventory: Mutex<Inventory<L>>,
    returned: Condvar,
}

struct Inventory<L> {
    idle: Vec<L>,
    /// How many instances there are, including those in use and those being made.
    count: usize,
}

/// The next step of a job that asks for an instance.
enum Turn<L> {
    Use(L),
    /// There is room for one more.
    Make,
    Wait,
}

impl<L> Inventory<L> {
    fn turn(&mut self, size: usize) -> Turn<L> {
        if let Some(instance) = self.idle.pop() {
            return Turn::Use(instance);
        }
        if self.count < size {
            self.count += 1;
            return Turn::Make;
        }
        Turn::Wait
    }
}

impl<L: Library> Pool<L> {
    /// Makes a pool of at most `size` instances. A size of 0 counts as 1. The pool calls `factory`
    /// when it needs an instance.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use std::time::Duration;
    ///
    /// use omniglot::Pool;
    ///
    /// let limit = Duration::from_secs(1);
    /// let pool = Pool::new(4, move || Parts::builder().timeout(limit).build());
    /// assert!(pool.get()?.parts_clock()? > 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(size: usize, factory: impl Fn() -> Result<L> + Send + Sync + 'static) -> Self {
        Self {
            factory: Box::new(factory),
            size: size.max(1),
            keeps_state: false,
            inventory: Mutex::new(Inventory { idle: Vec::new(), count: 0 }),
            returned: Condvar::new(),
        }
    }

    /// Resets poisoned instances only. So the library's memory keeps what a job left there, and the
    /// next job's calls can find it.
    ///
    /// Use this only if the jobs may see each other's data, *and* if no job's input can come from an
    /// attacker. Input that takes over the library in one job keeps control of it in the next.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::Pool;
    ///
    /// let pool = Pool::new(1, || Parts::builder().build()).keep_state_between_trusting_jobs();
    /// pool.get()?.write_parts_verbosity(2)?;
    /// assert_eq!(pool.get()?.read_parts_verbosity()?, 2); // as the job before left it
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn keep_state_between_trusting_jobs(mut self) -> Self {
        self.keeps_state = true;
        self
    }

    /// The most instances that exist at a time.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::Pool;
    ///
    /// let pool = Pool::new(4, || Parts::builder().build());
    /// assert_eq!(pool.size(), 4); // as many threads as it is worth to start
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Gives an instance. Waits until one is free.
    ///
    /// A job should not ask for a second instance while it has one: if the pool has no other, the
    /// job waits for ever.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::Pool;
    ///
    /// let pool = Pool::new(1, || Parts::builder().build());
    /// pool.get()?.write_parts_verbosity(2)?; // goes back and is reset
    /// assert_eq!(pool.get()?.read_parts_verbosity()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The factory's errors, if a new instance was to be made.
    pub fn get(&self) -> Result<Pooled<'_, L>> {
        loop {
            // No wait is as long as that; if one were, it would begin again.
            if let Some(instance) = self.get_timeout(Duration::MAX)? {
                return Ok(instance);
            }
        }
    }

    /// Gives an instance if one is free now or can be made, and `None` otherwise. Does not wait.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use omniglot::Pool;
    ///
    /// let pool = Pool::new(1, || Parts::builder().build());
    /// let busy = pool.get()?;
    /// assert!(pool.try_get()?.is_none()); // such as "503 Service Unavailable"
    /// drop(busy);
    /// assert!(pool.try_get()?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn try_get(&self) -> Result<Option<Pooled<'_, L>>> {
        self.get_timeout(Duration::ZERO)
    }

    /// Gives an instance if one becomes free within this time, and `None` otherwise. The limit is for
    /// waiting only: making an instance may take longer.
    ///
    /// ```
    /// # use omniglot_guide::parts::Parts;
    /// # fn main() -> omniglot::Result<()> {
    /// use std::time::Duration;
    ///
    /// use omniglot::Pool;
    ///
    /// let pool = Pool::new(1, || Parts::builder().build());
    /// let busy = pool.get()?;
    /// assert!(pool.get_timeout(Duration::from_millis(10))?.is_none());
    /// # drop(busy);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_timeout(&self, limit: Duration) -> Result<Option<Pooled<'_, L>>> {
        let begin = Instant::now();
        let mut inventory = self.inventory();
        loop {
            match inventory.turn(self.size) {
                Turn::Use(instance) => return Ok(Some(self.lend(instance))),
                Turn::Make => {
                    drop(inventory);
                    return self.make().map(Some);
                }
                Turn::Wait => {}
            }
            let left = limit.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            let waited = self.returned.wait_timeout(inventory, left);
            inventory = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The lock is never held while foreign code, a factory or a closure runs, so a
    /// panic of theirs cannot leave the inventory half changed.
    fn inventory(&self) -> MutexGuard<'_, Inventory<L>> {
        self.inventory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    const fn lend(&self, instance: L) -> Pooled<'_, L> {
        Pooled { pool: self, instance: Some(instance) }
    }

    /// Makes an instance, for which there is room.
    fn make(&self) -> Result<Pooled<'_, L>> {
        let mut lease = Lease::new(self);
        lease.instance = Some((self.factory)()?);
        Ok(Pooled { pool: self, instance: lease.keep() })
    }

    /// Returns true if the instance may serve another job.
    fn refresh(&self, instance: &mut L) -> bool {
        if self.keeps_state && instance.poisoned().is_none() {
            return true;
        }
        instance.reset().is_ok()
    }

    fn take_back(&self, instance: Option<L>) {
        let mut inventory = self.inventory();
        match instance {
            Some(instance) => inventory.idle.push(instance),
            None => inventory.count -= 1,
        }
        drop(inventory);
        self.returned.notify_one();
    }
}

impl<L: Library> fmt::Debug for Pool<L> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inventory = self.inventory();
        out.debug_struct("Pool")
            .field("size", &self.size)
            .field("count", &inventory.count)
            .field("idle", &inventory.idle.len())
            .finish_non_exhaustive()
    }
}

/// An instance that is out of its pool. Returns instance or room, also if making or resetting the
/// instance panics.
struct Lease<'pool, L: Library> {
    pool: &'pool Pool<L>,
    instance: Option<L>,
    kept: bool,
}

impl<'pool, L: Library> Lease<'pool, L> {
    const fn new(pool: &'pool Pool<L>) -> Self {
        Self { pool, instance: None, kept: false }
    }

    /// Hands the instance over; the lease continues.
    fn keep(mut self) -> Option<L> {
        self.kept = true;
        self.instance.take()
    }
}

impl<L: Library> Drop for Lease<'_, L> {
    fn drop(&mut self) {
        if !self.kept {
            self.pool.take_back(self.instance.take());
        }
    }
}

/// An instance of a [`Pool`]; it is returned when this is dropped.
pub struct Pooled<'pool, L: Library> {
    pool: &'pool Pool<L>,
    /// Present until it is dropped.
    instance: Option<L>,
}

impl<L: Library> Drop for Pooled<'_, L> {
    fn drop(&mut self) {
        let Some(mut instance) = self.instance.take() else { return };
        let mut lease = Lease::new(self.pool);
        if self.pool.refresh(&mut instance) {
            lease.instance = Some(instance);
        }
        // An unusable instance is dropped before another is made instead.
    }
}

/// The guard's instance, which only `drop` takes.
const NEVER_EMPTY: &str = "a guard has its instance until it is dropped";

impl<L: Library> Deref for Pooled<'_, L> {
    type Target = L;
    fn deref(&self) -> &L {
        self.instance.as_ref().unwrap_or_else(|| unreachable!("{NEVER_EMPTY}"))
    }
}

impl<L: Library> DerefMut for Pooled<'_, L> {
    fn deref_mut(&mut self) -> &mut L {
        self.instance.as_mut().unwrap_or_else(|| unreachable!("{NEVER_EMPTY}"))
    }
}

impl<L: Library + fmt::Debug> fmt::Debug for Pooled<'_, L> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Pooled").field(&self.instance).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use omniglot_core::{Cause, Description, Error};
    use omniglot_linux::Linux;

    use super::*;

    /// An instance without a runtime, whose resets fail while `refused` is not 0.
    #[derive(Debug, Default)]
    struct Fake {
        poison: Option<Cause>,
        lives: usize,
        refused: Arc<AtomicUsize>,
    }

    impl Library for Fake {
        type Runtime = Linux;
        const DESCRIPTION: Description =
            Description { name: "fake", image: &[], shims: 0, slots: 0, functions: &[] };
        fn assemble(_: Linux) -> Self {
            Self::default()
        }
        fn reset(&mut self) -> Result<()> {
            if self.refused.load(Ordering::SeqCst) > 0 {
                return Err(Error::NoKeyLeft);
            }
            self.poison = None;
            self.lives += 1;
            Ok(())
        }
        fn set_timeout(&mut self, _: Option<std::time::Duration>) {}
        fn poisoned(&self) -> Option<Cause> {
            self.poison
        }
    }

    /// A pool and how many instances it made.
    fn counted(size: usize) -> (Pool<Fake>, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let pool = Pool::new(size, move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(Fake::default())
        });
        (pool, made)
    }

    #[test]
    fn pools_are_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Pool<Fake>>();
    }

    #[test]
    fn instances_are_made_when_needed_and_used_again() {
        let (pool, made) = counted(3);
        assert_eq!(made.load(Ordering::SeqCst), 0);
        for lives in 0..5 {
            assert_eq!(pool.get().unwrap().lives, lives, "reset each time it came back");
        }
        assert_eq!(made.load(Ordering::SeqCst), 1);
        let all = [pool.get().unwrap(), pool.get().unwrap(), pool.get().unwrap()];
        assert_eq!(made.load(Ordering::SeqCst), 3);
        assert!(pool.try_get().unwrap().is_none());
        assert!(pool.get_timeout(Duration::from_millis(5)).unwrap().is_none());
        drop(all);
        assert!(pool.try_get().unwrap().is_some());
        assert_eq!(made.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn who_waits_gets_what_comes_back() {
        let (pool, _) = counted(1);
        let first = pool.get().unwrap();
        std::thread::scope(|scope| {
            let waiting = [(); 3].map(|()| scope.spawn(|| pool.get().unwrap().lives));
            drop(first);
            let mut lives = waiting.map(|thread| thread.join().unwrap());
            lives.sort_unstable();
            assert_eq!(lives, [1, 2, 3]);
        });
    }

    #[test]
    fn a_factory_that_fails_or_panics_leaves_its_room() {
        let attempts = AtomicUsize::new(0);
        let pool = Pool::new(1, move || match attempts.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Error::NoKeyLeft),
            1 => resume_unwind(Box::new("in the factory")),
            _ => Ok(Fake::default()),
        });
        assert_eq!(pool.get().map(drop), Err(Error::NoKeyLeft));
        assert!(catch_unwind(AssertUnwindSafe(|| pool.get().map(drop))).is_err());
        assert!(pool.try_get().unwrap().is_some());
    }

    #[test]
    fn an_instance_that_cannot_be_reset_is_replaced() {
        let (pool, made) = counted(1);
        let instance = pool.get().unwrap();
        let refused = Arc::clone(&instance.refused);
        refused.store(1, Ordering::SeqCst);
        drop(instance);
        assert_eq!(Arc::strong_count(&refused), 1, "it is gone");
        assert_eq!(pool.try_get().unwrap().unwrap().lives, 0);
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn an_instance_comes_back_from_a_panic_reset() {
        let (pool, made) = counted(1);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _instance = pool.get().unwrap();
            resume_unwind(Box::new("in a job"))
        }));
        assert!(panic.is_err());
        assert_eq!(pool.get().unwrap().lives, 1);
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn trusting_jobs_keep_all_but_poison() {
        let (pool, _) = counted(1);
        let pool = pool.keep_state_between_trusting_jobs();
        drop(pool.get().unwrap());
        assert_eq!(pool.get().unwrap().lives, 0);
        pool.get().unwrap().poison = Some(Cause::Fault);
        let instance = pool.get().unwrap();
        assert_eq!((instance.lives, instance.poison), (1, None));
    }

    #[test]
    fn there_is_room_for_one_at_least() {
        assert_eq!(counted(0).0.size(), 1);
        assert!(counted(0).0.try_get().unwrap().is_some());
    }
}
