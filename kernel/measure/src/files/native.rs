//! littlefs linked to this program.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::ffi::c_int;
use core::hint::black_box;

use omniglot_kernel::services::blocks::BlockDevice;

use super::{Device, Function, LENGTH, Littlefs, place, run, status};
use crate::count::count;

// The declarations are those of lfs.h; pointers and sizes are words on this machine.
unsafe extern "C" {
    pub(crate) fn lfs_format(system: usize, config: usize) -> c_int;
    pub(crate) fn lfs_mount(system: usize, config: usize) -> c_int;
    pub(crate) fn lfs_unmount(system: usize) -> c_int;
    pub(crate) fn lfs_file_opencfg(
        system: usize,
        file: usize,
        path: usize,
        flags: usize,
        config: usize,
    ) -> c_int;
    pub(crate) fn lfs_file_close(system: usize, file: usize) -> c_int;
    pub(crate) fn lfs_file_rewind(system: usize, file: usize) -> c_int;
    pub(crate) fn lfs_file_write(system: usize, file: usize, from: usize, len: usize) -> c_int;
    pub(crate) fn lfs_file_read(system: usize, file: usize, to: usize, len: usize) -> c_int;
}

/// Measures the workload.
pub(crate) fn measure(bytes: &[u8; LENGTH]) -> u64 {
    let counted = count(|| {
        let whole = run(&mut Native, bytes);
        black_box(matches!(whole, Ok(true)));
        Ok::<_, Infallible>(())
    });
    match counted {
        Ok(count) => count,
    }
}

/// The memory that the library uses, and the device that its callbacks use.
#[repr(align(16))]
struct Shared<T>(UnsafeCell<T>);

// SAFETY: there is one hart, and each access ends before the next one begins.
unsafe impl<T> Sync for Shared<T> {}

static MEMORY: Shared<[u8; place::END]> = Shared(UnsafeCell::new([0; place::END]));
static DEVICE: Shared<Device> = Shared(UnsafeCell::new(Device::new()));

struct Native;

impl Littlefs for Native {
    type Error = Infallible;

    fn base(&self) -> usize {
        MEMORY.0.get().expose_provenance()
    }

    fn device(&self) -> [usize; 4] {
        [
            read as *const () as usize,
            program as *const () as usize,
            erase as *const () as usize,
            synchronise as *const () as usize,
        ]
    }

    fn write(&mut self, address: usize, bytes: &[u8]) -> Result<(), Infallible> {
        let to = core::ptr::with_exposed_provenance_mut::<u8>(address);
        // SAFETY: the address is in `MEMORY`, as are all addresses of `run`; nothing else uses it
        // now.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    fn read(&self, address: usize, bytes: &mut [u8]) -> Result<(), Infallible> {
        let from = core::ptr::with_exposed_provenance::<u8>(address);
        // SAFETY: as in `write`.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn call(&mut self, function: Function, arguments: &[usize]) -> Result<i32, Infallible> {
        let mut words = [0; 5];
        for (word, argument) in words.iter_mut().zip(arguments) {
            *word = *argument;
        }
        let [a, b, c, d, e] = words;
        Ok(match function {
            // SAFETY: declared as in lfs.h. The addresses are of sufficient room in `MEMORY`, and
            // the configuration describes the device.
            Function::Format => unsafe { lfs_format(a, b) },
            // SAFETY: as above.
            Function::Mount => unsafe { lfs_mount(a, b) },
            // SAFETY: as above.
            Function::Unmount => unsafe { lfs_unmount(a) },
            // SAFETY: as above.
            Function::Open => unsafe { lfs_file_opencfg(a, b, c, d, e) },
            // SAFETY: as above.
            Function::Close => unsafe { lfs_file_close(a, b) },
            // SAFETY: as above.
            Function::Write => unsafe { lfs_file_write(a, b, c, d) },
            // SAFETY: as above.
            Function::Read => unsafe { lfs_file_read(a, b, c, d) },
        })
    }
}

fn with_device(work: impl FnOnce(&mut dyn BlockDevice) -> i32) -> i32 {
    // SAFETY: littlefs calls one function of its device at a time, and none calls littlefs.
    work(super::some(unsafe { &mut *DEVICE.0.get() }))
}

unsafe extern "C" fn read(_: usize, block: u32, offset: usize, to: *mut u8, len: usize) -> c_int {
    // SAFETY: littlefs passes room for as many bytes as `len` says (lfs.h).
    let bytes = unsafe { core::slice::from_raw_parts_mut(to, len) };
    with_device(|device| status(device.read(block, offset, bytes)))
}

unsafe extern "C" fn program(
    _: usize,
    block: u32,
    offset: usize,
    from: *const u8,
    len: usize,
) -> c_int {
    // SAFETY: littlefs passes as many bytes as `len` says (lfs.h).
    let bytes = unsafe { core::slice::from_raw_parts(from, len) };
    with_device(|device| status(device.program(block, offset, bytes)))
}

extern "C" fn erase(_: usize, block: u32) -> c_int {
    with_device(|device| status(device.erase(block)))
}

extern "C" fn synchronise(_: usize) -> c_int {
    with_device(|device| status(device.sync()))
}

// The functions of the C library that littlefs uses (ISO C, 7.24.5) besides `memcpy` and the like,
// which are Rust's.

/// Returns the length of the prefix of `text` whose bytes are (or are not) in `set`. Both end with
/// a NUL.
///
/// # Safety
/// Both must be strings of C.
unsafe fn span(text: *const u8, set: *const u8, is_wanted: bool) -> usize {
    let mut len = 0;
    loop {
        // SAFETY: reads stop at the NUL, which is in no set.
        let byte = unsafe { text.wrapping_add(len).read() };
        // SAFETY: the caller's promise.
        let is_in_set = !unsafe { strchr(set, c_int::from(byte)) }.is_null();
        if byte == 0 || is_in_set != is_wanted {
            return len;
        }
        len += 1;
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strspn(text: *const u8, set: *const u8) -> usize {
    // SAFETY: the caller passes strings of C (ISO C, 7.24.5.6).
    unsafe { span(text, set, true) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strcspn(text: *const u8, set: *const u8) -> usize {
    // SAFETY: the caller passes strings of C (ISO C, 7.24.5.3).
    unsafe { span(text, set, false) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strchr(text: *const u8, wanted: c_int) -> *const u8 {
    let mut place = text;
    loop {
        // SAFETY: reads stop at the NUL that ends every string.
        let byte = unsafe { place.read() };
        if c_int::from(byte) == wanted {
            return place;
        }
        if byte == 0 {
            return core::ptr::null();
        }
        place = place.wrapping_add(1);
    }
}

/// Called when an assertion of littlefs fails: then there is nothing to measure.
#[unsafe(no_mangle)]
extern "C" fn __assert_func(_: *const u8, _: c_int, _: *const u8, _: *const u8) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
