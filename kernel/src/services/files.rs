//! A file system on any [`BlockDevice`], by littlefs.
//!
//! Each operation mounts the file system, does its work and unmounts it. So the library's memory
//! holds nothing of it between two operations, and a library that is restarted after a crash
//! continues from what is on the device, as after a loss of power.

use core::cell::RefCell;
use core::ffi::CStr;

use omniglot::{FnPtr, Ptr, RefMut, Scope, SliceMut, Void};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::ForeignRegion;

use super::blocks::{BLOCK, BlockDevice, BlockError, UNIT};
use crate::domain::{Failure, ForeignLibrary, Runtime};
use crate::foreign::littlefs::{
    Api, Littlefs, lfs_config, lfs_config_erase_fn, lfs_config_prog_fn, lfs_config_read_fn,
    lfs_config_sync_fn, lfs_dir_t, lfs_error, lfs_file_config, lfs_file_t, lfs_info,
    lfs_open_flags, lfs_t, lfs_type,
};

/// How many bytes of a file are passed at a time.
const CHUNK: usize = 4096;
/// How many bytes littlefs uses to look for free blocks: one bit for each of 512 blocks.
const LOOKAHEAD: usize = 64;
/// After how many erasures littlefs moves its own data, for even wear (as lfs.h advises).
const CYCLES: i32 = 500;
/// Size of the longest file name, with its NUL, as littlefs is configured.
const NAME: usize = 256;

/// The error that the device's callbacks return to littlefs.
const DEVICE_FAILED: i32 = lfs_error::LFS_ERR_IO as i32;
/// littlefs's error if there is no such file.
pub const NO_ENTRY: i32 = lfs_error::LFS_ERR_NOENT as i32;
/// littlefs's error if there is no file system on the device.
pub const CORRUPT: i32 = lfs_error::LFS_ERR_CORRUPT as i32;

/// The file service.
#[derive(Debug)]
pub struct Files {
    /// littlefs in its domain.
    pub domain: ForeignLibrary<Littlefs<Runtime>>,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The name, which need not be UTF-8.
    pub name: &'a [u8],
    /// The size in bytes, if it is a file.
    pub size: u32,
    /// True for a directory.
    pub is_directory: bool,
}

/// The foreign functions that call the device.
#[derive(Clone, Copy)]
struct Callbacks {
    read: FnPtr<lfs_config_read_fn>,
    prog: FnPtr<lfs_config_prog_fn>,
    erase: FnPtr<lfs_config_erase_fn>,
    sync: FnPtr<lfs_config_sync_fn>,
}

/// The device while littlefs runs. Each callback borrows it exclusively.
type Device<'a> = RefCell<&'a mut dyn BlockDevice>;
type InScope<'a, 's, 'e> = &'a mut Scope<'s, 'e, Api<Runtime>>;

impl Files {
    /// Starts the library in its region.
    #[must_use]
    pub fn new(hart: Hart, region: ForeignRegion) -> Self {
        Self { domain: ForeignLibrary::start(hart, region) }
    }

    /// Puts an empty file system on a device.
    ///
    /// # Errors
    /// littlefs's errors, or the call fails.
    pub fn format(&mut self, device: &mut dyn BlockDevice) -> Result<(), Failure> {
        self.on(device, |scope, config| {
            let system = single::<lfs_t>(scope)?;
            done(scope.lfs_format(system, config)?).map(|_| ())
        })
    }

    /// Writes a file and replaces its old contents.
    ///
    /// # Errors
    /// littlefs's errors, or the call fails.
    pub fn write(
        &mut self,
        device: &mut dyn BlockDevice,
        path: &str,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let flags = lfs_open_flags::LFS_O_WRONLY
            | lfs_open_flags::LFS_O_CREAT
            | lfs_open_flags::LFS_O_TRUNC;
        let flags = flags.0 as i32;
        self.mounted(device, |scope, system| {
            let file = File::open(scope, system, path, flags)?;
            let written = file.write(scope, bytes);
            file.close(scope).and(written)
        })
    }

    /// Reads a file, and passes its contents to the closure in order.
    ///
    /// # Errors
    /// littlefs's errors, or the call fails.
    pub fn read(
        &mut self,
        device: &mut dyn BlockDevice,
        path: &str,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), Failure> {
        let flags = lfs_open_flags::LFS_O_RDONLY.0 as i32;
        self.mounted(device, |scope, system| {
            let file = File::open(scope, system, path, flags)?;
            let read = file.read(scope, &mut take);
            file.close(scope).and(read)
        })
    }

    /// Removes a file or an empty directory.
    ///
    /// # Errors
    /// littlefs's errors, or the call fails.
    pub fn remove(&mut self, device: &mut dyn BlockDevice, path: &str) -> Result<(), Failure> {
        self.mounted(device, |scope, system| {
            let path = scope.str(path)?;
            done(scope.lfs_remove(system, path)?).map(|_| ())
        })
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// littlefs's errors, or the call fails.
    pub fn make_directory(
        &mut self,
        device: &mut dyn BlockDevice,
        path: &str,
    ) -> Result<(), Failure> {
        self.mounted(device, |scope, system| {
            let path = scope.str(path)?;
            done(scope.lfs_mkdir(system, path)?).map(|_| ())
        })
    }

    /// Passes each entry of a directory to the closure.
    ///
    /// # Errors
    /// littlefs's errors, or the call fails.
    pub fn list(
        &mut self,
        device: &mut dyn BlockDevice,
        path: &str,
        mut take: impl FnMut(Entry<'_>),
    ) -> Result<(), Failure> {
        self.mounted(device, |scope, system| {
            let path = scope.str(path)?;
            let directory = single::<lfs_dir_t>(scope)?;
            done(scope.lfs_dir_open(system, directory, path)?)?;
            let listed = entries(scope, system, directory, &mut take);
            let closed = done(scope.lfs_dir_close(system, directory)?);
            listed.and(closed.map(|_| ()))
        })
    }

    /// Makes the library read from a forbidden address, as a bug would.
    ///
    /// # Errors
    /// Always: the fault.
    pub fn crash(&mut self, address: usize) -> Result<(), Failure> {
        self.domain.run(|library| {
            library.lfs_crc(0, Ptr::from_addr(address), 4)?;
            Ok(())
        })
    }

    /// Runs `work` on the mounted file system.
    fn mounted<T>(
        &mut self,
        device: &mut dyn BlockDevice,
        work: impl FnOnce(InScope<'_, '_, '_>, RefMut<lfs_t>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.on(device, |scope, config| {
            let system = single::<lfs_t>(scope)?;
            done(scope.lfs_mount(system, config)?)?;
            let outcome = work(scope, system);
            let unmounted = scope.lfs_unmount(system);
            let value = outcome?;
            done(unmounted?)?;
            Ok(value)
        })
    }

    /// Runs `work` while the library can call the device.
    fn on<T>(
        &mut self,
        device: &mut dyn BlockDevice,
        work: impl FnOnce(InScope<'_, '_, '_>, RefMut<lfs_config>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let blocks = device.blocks();
        let device = RefCell::new(device);
        self.domain.run(|library| {
            with_callbacks(library, &device, |api, callbacks| {
                api.scope(|scope| {
                    let config = configure(scope, callbacks, blocks)?;
                    Ok(work(scope, config))
                })?
            })
        })
    }
}

/// Runs `work` while the C functions that call the device exist.
fn with_callbacks<T>(
    api: &mut Api<Runtime>,
    device: &Device<'_>,
    work: impl FnOnce(&mut Api<Runtime>, Callbacks) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // The library does not run while the device reads or writes its memory in place.
    let mut read = |api: &mut Api<Runtime>, (_, block, offset, to, len)| {
        let to = api.upgrade_slice_mut(Ptr::<u8>::from_addr(Ptr::addr(to)), len as usize)?;
        let read =
            |bytes: &mut [u8]| borrow(device, |device| device.read(block, offset as usize, bytes));
        Ok(status(api.write_slice_with(to, read)?))
    };
    let mut prog = |api: &mut Api<Runtime>, (_, block, offset, from, len)| {
        let from = api.upgrade_slice(Ptr::<u8>::from_addr(Ptr::addr(from)), len as usize)?;
        let bytes = api.view_slice(from)?;
        Ok(status(borrow(device, |device| device.program(block, offset as usize, &bytes))))
    };
    let mut erase =
        |_: &mut Api<Runtime>, (_, block)| Ok(status(borrow(device, |device| device.erase(block))));
    let mut sync = |_: &mut Api<Runtime>, _| Ok(status(borrow(device, |device| device.sync())));
    api.with_callback::<lfs_config_read_fn, _>(&mut read, |api, read| {
        api.with_callback::<lfs_config_prog_fn, _>(&mut prog, |api, prog| {
            api.with_callback::<lfs_config_erase_fn, _>(&mut erase, |api, erase| {
                api.with_callback::<lfs_config_sync_fn, _>(&mut sync, |api, sync| {
                    work(api, Callbacks { read, prog, erase, sync })
                })?
            })?
        })?
    })?
}

/// Borrows the device. It is borrowed already only if one of its own functions calls littlefs.
fn borrow(
    device: &Device<'_>,
    work: impl FnOnce(&mut dyn BlockDevice) -> Result<(), BlockError>,
) -> Result<(), BlockError> {
    let mut device = device.try_borrow_mut().map_err(|_| BlockError)?;
    work(&mut **device)
}

/// Returns littlefs's error number for the device's result.
fn status(outcome: Result<(), BlockError>) -> i32 {
    outcome.map_or(DEVICE_FAILED, |()| 0)
}

/// Describes the device to littlefs, with its buffers (lfs.h, `struct lfs_config`).
fn configure(
    scope: InScope<'_, '_, '_>,
    callbacks: Callbacks,
    blocks: u32,
) -> omniglot::Result<RefMut<lfs_config>> {
    let (read_buffer, prog_buffer) = (buffer(scope, UNIT)?, buffer(scope, UNIT)?);
    let lookahead_buffer = buffer(scope, LOOKAHEAD)?;
    scope.value(lfs_config {
        context: Ptr::null(),
        read: callbacks.read,
        prog: callbacks.prog,
        erase: callbacks.erase,
        sync: callbacks.sync,
        read_size: UNIT as u32,
        prog_size: UNIT as u32,
        block_size: BLOCK as u32,
        block_count: blocks,
        block_cycles: CYCLES,
        cache_size: UNIT as u32,
        lookahead_size: LOOKAHEAD as u32,
        compact_thresh: 0,
        read_buffer,
        prog_buffer,
        lookahead_buffer,
        name_max: 0,
        file_max: 0,
        attr_max: 0,
        metadata_max: 0,
        inline_max: 0,
    })
}

/// Allocates a buffer of the library's, aligned for any type.
fn buffer(scope: InScope<'_, '_, '_>, len: usize) -> omniglot::Result<Ptr<Void>> {
    Ok(scope.reserve::<u64>(len / size_of::<u64>())?.as_ptr().cast())
}

/// An open file, in the library's memory.
struct File {
    system: RefMut<lfs_t>,
    file: RefMut<lfs_file_t>,
    buffer: SliceMut<u8>,
}

impl File {
    fn open(
        scope: InScope<'_, '_, '_>,
        system: RefMut<lfs_t>,
        path: &str,
        flags: i32,
    ) -> Result<Self, Failure> {
        let path = scope.str(path)?;
        let cache = buffer(scope, UNIT)?;
        let config = lfs_file_config { buffer: cache, attrs: Ptr::null(), attr_count: 0 };
        let config = scope.value(config)?;
        let (file, buffer) = (single::<lfs_file_t>(scope)?, scope.reserve(CHUNK)?);
        done(scope.lfs_file_opencfg(system, file, path, flags, config)?)?;
        Ok(Self { system, file, buffer })
    }

    fn write(&self, api: &mut Api<Runtime>, bytes: &[u8]) -> Result<(), Failure> {
        for chunk in bytes.chunks(CHUNK) {
            let part = self.buffer.range(0, chunk.len()).ok_or(Failure::TooLarge)?;
            api.write_slice(part, chunk)?;
            let from = part.as_ptr().cast();
            done(api.lfs_file_write(self.system, self.file, from, chunk.len() as u32)?)?;
        }
        Ok(())
    }

    fn read(&self, api: &mut Api<Runtime>, take: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        loop {
            let to = self.buffer.as_ptr().cast();
            let count = done(api.lfs_file_read(self.system, self.file, to, CHUNK as u32)?)?;
            if count == 0 {
                return Ok(());
            }
            // The number of bytes read is attacker-controlled. If it exceeds the buffer, this is an
            // error.
            let part = self.buffer.range(0, count as usize).ok_or(Failure::TooLarge)?;
            take(&api.view_slice(part)?);
        }
    }

    fn close(self, api: &mut Api<Runtime>) -> Result<(), Failure> {
        done(api.lfs_file_close(self.system, self.file)?).map(|_| ())
    }
}

/// Passes the remaining entries of a directory to the closure.
fn entries(
    scope: InScope<'_, '_, '_>,
    system: RefMut<lfs_t>,
    directory: RefMut<lfs_dir_t>,
    take: &mut dyn FnMut(Entry<'_>),
) -> Result<(), Failure> {
    let place = single::<lfs_info>(scope)?;
    while done(scope.lfs_dir_read(system, directory, place)?)? > 0 {
        let info = scope.read(place)?;
        let mut name = [0; NAME];
        for (to, from) in name.iter_mut().zip(info.name) {
            *to = from;
        }
        let name = CStr::from_bytes_until_nul(&name).map(CStr::to_bytes).unwrap_or(&name);
        let is_directory = info.type_ == lfs_type::LFS_TYPE_DIR as u8;
        take(Entry { name, size: info.size, is_directory });
    }
    Ok(())
}

/// Allocates room for one value, which littlefs fills.
fn single<T: omniglot::Foreign>(scope: InScope<'_, '_, '_>) -> omniglot::Result<RefMut<T>> {
    let room = scope.reserve::<T>(1)?;
    room.get(0).ok_or(omniglot::Error::OutOfRange { address: room.as_ptr().addr(), len: 1 })
}

/// Returns littlefs's result, or its error if the result is negative.
fn done(answer: i32) -> Result<i32, Failure> {
    if answer < 0 { Err(Failure::Refused(answer)) } else { Ok(answer) }
}
