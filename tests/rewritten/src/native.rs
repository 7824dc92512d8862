//! The same code as the compiler generated it: a shared library in this process.
#![allow(unsafe_code)]

use std::ffi::{CString, c_void};
use std::io::{Error, Result};
use std::path::Path;
use std::time::Duration;

/// Returns the processor time of this thread.
#[must_use]
pub fn own_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: this writes the time only.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// A loaded library, which is never unloaded.
pub struct Native(*mut c_void);

impl Native {
    pub fn load(path: &Path) -> Result<Self> {
        let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(Error::other)?;
        // SAFETY: these libraries have no constructors except the tests' own.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        if handle.is_null() {
            return Err(Error::other(format!("{} cannot be loaded", path.display())));
        }
        Ok(Self(handle))
    }

    /// Calls `long name(const unsigned char *in, long length, unsigned char *out, long capacity)`.
    pub fn run(&self, name: &str, input: &[u8], output: &mut [u8]) -> i64 {
        let symbol = CString::new(name).unwrap_or_default();
        // SAFETY: the handle is that of an open library.
        let function = unsafe { libc::dlsym(self.0, symbol.as_ptr()) };
        assert!(!function.is_null(), "the library has no {name}");
        type Function = extern "C" fn(*const u8, i64, *mut u8, i64) -> i64;
        // SAFETY: the tests' C code declares the function with this type.
        let function: Function = unsafe { std::mem::transmute(function) };
        function(input.as_ptr(), input.len() as i64, output.as_mut_ptr(), output.len() as i64)
    }
}
