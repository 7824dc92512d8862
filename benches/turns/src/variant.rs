//! One variant of a workload.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The largest number of operations in a batch.
const MOST: u32 = 1_000_000;

/// One way to do a workload's operation.
pub struct Variant {
    name: String,
    wake: Box<dyn FnMut() -> Result<()>>,
    batch: Box<dyn FnMut(u32) -> Result<Duration>>,
    most: u32,
}

impl Variant {
    /// Makes a variant from a function that does as many operations as its argument says.
    ///
    /// The name must not contain spaces.
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

    /// Makes a variant from a function that measures the time itself.
    pub fn timed(
        name: impl Into<String>,
        batch: impl FnMut(u32) -> Result<Duration> + 'static,
    ) -> Self {
        let (wake, batch) = (Box::new(|| Ok(())), Box::new(batch));
        Self { name: name.into(), wake, batch, most: MOST }
    }

    /// Adds work that is done before each batch and is not measured.
    #[must_use]
    pub fn waking(mut self, wake: impl FnMut() -> Result<()> + 'static) -> Self {
        self.wake = Box::new(wake);
        self
    }

    /// Limits the operations in a batch, for variants that need something to be prepared.
    #[must_use]
    pub fn at_most(mut self, count: u32) -> Self {
        self.most = count;
        self
    }

    /// Returns the same variant with another name.
    #[must_use]
    pub fn renamed(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Returns the variant's name in tables.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the largest number of operations in a batch.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// Does `count` operations, and returns how long they took.
    ///
    /// # Errors
    /// Any error of the operations, such as a wrong result.
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

/// A workload: variants that are compared in one run.
#[derive(Debug)]
pub struct Workload {
    /// Bytes or elements that one operation handles, or 0 if the workload has no size.
    pub size: usize,
    /// The variants.
    pub variants: Vec<Variant>,
}

impl Workload {
    /// Keeps only the variants with these names, or all if there are no names.
    pub fn keep(&mut self, names: &[String]) {
        self.variants.retain(|variant| names.is_empty() || names.contains(&variant.name));
    }
}
