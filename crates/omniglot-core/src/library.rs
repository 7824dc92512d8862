//! What the generator knows of a library, and how an instance of it is made.

use core::time::Duration;

use crate::error::{Cause, Result};
use crate::runtime::Runtime;

/// How many shims every image starts with: `malloc` and `free` of the library's own libc.
pub const BUILTIN_SHIMS: u32 = 2;

/// A generated library: its shims and how many there are.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The library's name in messages.
    pub name: &'static str,
    /// The shared object with the shims (and the C sources, if the user named any),
    /// for the target that the host was compiled for; empty where there is none. Aligned to
    /// 16 bytes. Where the library was built for [software fault
    /// isolation](crate::IsolationKind::Sfi), too, that image [follows](Self::sandboxed).
    pub image: &'static [u8],
    /// How many shims it has, built-in ones included.
    pub shims: u32,
    /// How many callback slots it has.
    pub slots: u32,
    /// The C function that each shim calls, in the order of the shims.
    pub functions: &'static [&'static str],
}

/// What ends an image that a sandboxed one is part of: behind the length of that, in 8 bytes, the
/// lowest first.
pub const SANDBOXED: [u8; 8] = *b"omni-sfi";

impl Description {
    /// The image for [software fault isolation](crate::IsolationKind::Sfi), if the library was
    /// built for it: the last part of [`image`](Self::image), but for its length and
    /// [`SANDBOXED`]. Who reads a shared object does not look there.
    ///
    /// ```
    /// use omniglot_core::{Description, SANDBOXED};
    /// const BOTH: &[u8] = b"shared object;sandboxed\x09\0\0\0\0\0\0\0omni-sfi";
    /// let both = Description { name: "both", image: BOTH, shims: 2, slots: 0, functions: &[] };
    /// assert_eq!(both.sandboxed(), Some(&b"sandboxed"[..]));
    /// assert_eq!(Description { image: b"shared object", ..both }.sandboxed(), None);
    /// ```
    #[must_use]
    pub fn sandboxed(&self) -> Option<&'static [u8]> {
        let rest = self.image.strip_suffix(&SANDBOXED)?;
        let (rest, length) = rest.split_last_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        rest.get(rest.len().checked_sub(length)?..)
    }
}

/// What generated code embeds an image in, so that tables in it can be read word by word.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Aligned<B: ?Sized>(pub B);

/// A generated instance type.
///
/// ```
/// # omniglot_mock::example([], |library| {
/// use std::time::Duration;
///
/// use omniglot_core::{Library, Result};
///
/// /// Runs one user's job, on an instance of any library.
/// fn one_job<L: Library>(library: &mut L, job: impl FnOnce(&mut L) -> Result<()>) -> Result<()> {
///     library.set_timeout(Some(Duration::from_secs(1)));
///     let outcome = job(library);
///     if let Some(cause) = library.poisoned() {
///         eprintln!("{}: {cause:?}", L::DESCRIPTION.name);
///     }
///     library.reset()?; // the next user's job finds nothing of this one
///     outcome
/// }
/// one_job(library, |library| library.alloc(7_u32).map(drop))?;
/// # Ok(())
/// # });
/// ```
pub trait Library: Sized + Send {
    /// The runtime that the instance runs on.
    type Runtime: Runtime;
    /// What the generator knows of the library.
    const DESCRIPTION: Description;
    /// Makes an instance of a runtime in which the library is loaded.
    fn assemble(runtime: Self::Runtime) -> Self;
    /// Brings the instance back to the state after loading.
    ///
    /// # Errors
    /// As [`Instance::reset`](crate::Instance::reset).
    fn reset(&mut self) -> Result<()>;
    /// Limits the foreign time of each outermost call: see
    /// [`Base::set_timeout`](crate::Base::set_timeout).
    fn set_timeout(&mut self, limit: Option<Duration>);
    /// Why the instance is unusable; `None` if it is usable.
    fn poisoned(&self) -> Option<Cause>;
}
