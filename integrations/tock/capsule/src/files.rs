//! Files on the capsule's [`Disk`], by littlefs.

use core::cell::RefCell;
use core::fmt;

use omniglot::{Error, FnPtr, Foreign, Ptr, RefMut, Result, Runtime, Scope, Void};

use crate::disk::{BLOCK, BLOCKS, Disk, NoSuchPlace};
use crate::foreign::littlefs::{
    Api, Littlefs, lfs_config, lfs_config_erase_fn, lfs_config_prog_fn, lfs_config_read_fn,
    lfs_config_sync_fn, lfs_error, lfs_file_config, lfs_file_t, lfs_open_flags, lfs_t,
};

/// The smallest unit of reading, writing and caching, in bytes.
const UNIT: usize = 64;
/// How many bytes littlefs uses to look for free blocks: one bit for each.
const LOOKAHEAD: usize = 8;
/// After how many erasures littlefs moves its own data, for even wear (as lfs.h advises).
const CYCLES: i32 = 500;
/// The error that the device's callbacks return to littlefs.
const DEVICE_FAILED: i32 = lfs_error::LFS_ERR_IO as i32;

/// Why an operation failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// The call failed, or was wrong.
    Foreign(Error),
    /// littlefs returned an error of its own, with this number.
    Refused(i32),
}

/// The result of an operation.
pub(crate) type Outcome<T> = core::result::Result<T, Failure>;
type InScope<'a, 's, 'e, R> = &'a mut Scope<'s, 'e, Api<R>>;
/// The device while littlefs runs. Each callback borrows it exclusively.
type Device<'a> = RefCell<&'a mut Disk>;

/// The foreign functions that call the device.
#[derive(Clone, Copy)]
struct Callbacks {
    read: FnPtr<lfs_config_read_fn>,
    prog: FnPtr<lfs_config_prog_fn>,
    erase: FnPtr<lfs_config_erase_fn>,
    sync: FnPtr<lfs_config_sync_fn>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Foreign(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(error) => error.fmt(out),
            Self::Refused(code) => write!(out, "littlefs refused, with its error {code}"),
        }
    }
}

/// Puts an empty file system on the disk.
pub(crate) fn format<R: Runtime>(library: &mut Littlefs<R>, disk: &mut Disk) -> Outcome<()> {
    on(library, disk, |scope, config| {
        let system = single::<lfs_t, R>(scope)?;
        done(scope.lfs_format(system, config)?).map(|_| ())
    })
}

/// Mounts the file system, writes a file and unmounts it.
pub(crate) fn write<R: Runtime>(
    library: &mut Littlefs<R>,
    disk: &mut Disk,
    path: &str,
    bytes: &[u8],
) -> Outcome<()> {
    let flags = (lfs_open_flags::LFS_O_WRONLY | lfs_open_flags::LFS_O_CREAT).0 as i32;
    on_file(library, disk, (path, flags), |scope, system, file| {
        let from = scope.copy_in(bytes)?.as_ptr().cast();
        done(scope.lfs_file_write(system, file, from, bytes.len() as u32)?).map(|_| ())
    })
}

/// Mounts the file system, reads a file and unmounts it. Returns the number of bytes that littlefs
/// reports. That number is attacker-controlled and may exceed the length of `bytes`; the rest of
/// `bytes` is undefined.
pub(crate) fn read<R: Runtime>(
    library: &mut Littlefs<R>,
    disk: &mut Disk,
    path: &str,
    bytes: &mut [u8],
) -> Outcome<usize> {
    let flags = lfs_open_flags::LFS_O_RDONLY.0 as i32;
    on_file(library, disk, (path, flags), |scope, system, file| {
        let buffer = scope.zeroed::<u8>(bytes.len())?;
        let to = buffer.as_ptr().cast();
        let count = done(scope.lfs_file_read(system, file, to, bytes.len() as u32)?)?;
        scope.read_into(buffer, bytes)?;
        Ok(count)
    })
}

/// Runs `work` on one file of the mounted file system.
fn on_file<R: Runtime, T>(
    library: &mut Littlefs<R>,
    disk: &mut Disk,
    (path, flags): (&str, i32),
    work: impl FnOnce(InScope<'_, '_, '_, R>, RefMut<lfs_t>, RefMut<lfs_file_t>) -> Outcome<T>,
) -> Outcome<T> {
    on(library, disk, |scope, config| {
        let (system, file) = (single::<lfs_t, R>(scope)?, single::<lfs_file_t, R>(scope)?);
        let (path, settings) = (scope.str(path)?, file_settings(scope)?);
        done(scope.lfs_mount(system, config)?)?;
        done(scope.lfs_file_opencfg(system, file, path, flags, settings)?)?;
        let outcome = work(scope, system, file);
        done(scope.lfs_file_close(system, file)?)?;
        done(scope.lfs_unmount(system)?)?;
        outcome
    })
}

/// Runs `work` while the library can call the disk.
fn on<R: Runtime, T>(
    library: &mut Littlefs<R>,
    disk: &mut Disk,
    work: impl FnOnce(InScope<'_, '_, '_, R>, RefMut<lfs_config>) -> Outcome<T>,
) -> Outcome<T> {
    let disk = RefCell::new(disk);
    with_callbacks(library, &disk, |api, callbacks| {
        api.scope(|scope| {
            let config = configure(scope, callbacks)?;
            Ok(work(scope, config))
        })
    })?
}

/// Runs `work` while the C functions that call the disk exist.
fn with_callbacks<R: Runtime, T>(
    api: &mut Api<R>,
    disk: &Device<'_>,
    work: impl FnOnce(&mut Api<R>, Callbacks) -> Result<T>,
) -> Result<T> {
    let mut read = |api: &mut Api<R>, (_, block, offset, to, len)| {
        let to = api.upgrade_slice_mut(Ptr::<u8>::from_addr(Ptr::addr(to)), len as usize)?;
        let mut disk = disk.borrow_mut();
        let Ok(place) = disk.place(block, offset, to.len()) else { return Ok(DEVICE_FAILED) };
        api.write_slice(to, place)?;
        Ok(0)
    };
    let mut prog = |api: &mut Api<R>, (_, block, offset, from, len)| {
        let from = api.upgrade_slice(Ptr::<u8>::from_addr(Ptr::addr(from)), len as usize)?;
        let mut bytes = [0; BLOCK];
        let Some(bytes) = bytes.get_mut(..from.len()) else { return Ok(DEVICE_FAILED) };
        api.read_into(from, bytes)?;
        Ok(status(disk.borrow_mut().program(block, offset, bytes)))
    };
    let mut erase = |_: &mut Api<R>, (_, block)| Ok(status(disk.borrow_mut().erase(block)));
    let mut sync = |_: &mut Api<R>, _| Ok(0);
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

/// Returns littlefs's error number for the disk's result.
fn status(outcome: core::result::Result<(), NoSuchPlace>) -> i32 {
    outcome.map_or(DEVICE_FAILED, |()| 0)
}

/// Describes the disk to littlefs, with its buffers (lfs.h, `struct lfs_config`).
fn configure<R: Runtime>(
    scope: InScope<'_, '_, '_, R>,
    callbacks: Callbacks,
) -> Result<RefMut<lfs_config>> {
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
        block_count: BLOCKS as u32,
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

/// Allocates a file's own buffer.
fn file_settings<R: Runtime>(scope: InScope<'_, '_, '_, R>) -> Result<RefMut<lfs_file_config>> {
    let buffer = buffer(scope, UNIT)?;
    scope.value(lfs_file_config { buffer, attrs: Ptr::null(), attr_count: 0 })
}

/// Allocates a buffer of the library's, aligned for any type.
fn buffer<R: Runtime>(scope: InScope<'_, '_, '_, R>, len: usize) -> Result<Ptr<Void>> {
    Ok(scope.zeroed::<u64>(len / size_of::<u64>())?.as_ptr().cast())
}

/// Allocates room for one value, which is zero.
fn single<T: Foreign, R: Runtime>(scope: InScope<'_, '_, '_, R>) -> Result<RefMut<T>> {
    let room = scope.zeroed::<T>(1)?;
    room.get(0).ok_or(Error::OutOfRange { address: room.as_ptr().addr(), len: 1 })
}

/// Returns littlefs's result, or its error if the result is negative.
fn done(answer: i32) -> Outcome<usize> {
    usize::try_from(answer).map_err(|_| Failure::Refused(answer))
}
