//! One way to do a workload.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The most operations in a batch.
const MOST: u32 = 1_000_000;

/// One way to do a workload.
pub struct Variant {
    name: String,
    wake: Box<dyn FnMut() -> Result<()>>,
    batch: Box<dyn FnMut(u32) -> Result<Duration>>,
    most: u32,
}

impl Variant {
    /// A variant that does as many operations as it is told.
    ///
    /// Its name has no spaces.
    pub fn new(
        name: impl Into<String>,
        mut batch: impl FnMut(u32) -> Result<()> + 'static,
    ) -> Self {
        Self::timed(name, move |count| {
            let start = Instant::now();
            batch(count)?;
            Ok(start.elapsed())
        })
    }

    /// The same, for one that says itself how long that took.
    pub fn timed(
        name: impl Into<String>,
        batch: impl FnMut(u32) -> Result<Duration> + 'static,
    ) -> Self {
        let (wake, batch) = (Box::new(|| Ok(())), Box::new(batch));
        Self { name: name.into(), wake, batch, most: MOST }
    }

    /// Has something to do before each batch that is not measured.
    #[must_use]
    pub fn waking(mut self, wake: impl FnMut() -> Result<()> + 'static) -> Self {
        self.wake = Box::new(wake);
        self
    }

    /// Takes so few operations at a time, for those that need something to be ready.
    #[must_use]
    pub fn at_most(mut self, count: u32) -> Self {
        self.most = count;
        self
    }

    /// The same under another name.
    #[must_use]
    pub fn renamed(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What tables call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The most operations in a batch.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// Takes its turn: does `count` operations, and says how long they took.
    ///
    /// # Errors
    /// Whatever the work came to, such as a wrong result.
    pub fn turn(&mut self, count: u32) -> Result<Duration> {
        (self.wake)()?;
        (self.batch)(count)
    }
}

impl fmt::Debug for Variant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Variant({})", self.name)
    }
}

/// What is compared in one run.
#[derive(Debug)]
pub struct Workload {
    /// Bytes or elements that one operation handles; 0 where that means nothing.
    pub size: usize,
    /// The ways to do it.
    pub variants: Vec<Variant>,
}

impl Workload {
    /// Keeps the variants of these names, or all if there are no names.
    pub fn keep(&mut self, names: &[String]) {
        self.variants.retain(|variant| names.is_empty() || names.contains(&variant.name));
    }
}
