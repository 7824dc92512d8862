//! The libraries with Omniglot.

use core::cell::{Cell, RefCell};

use omniglot::{FnPtr, Library as _, Ptr, RefMut, Result, Scope, SliceMut};
use omniglot_kernel::domain::Runtime;
use omniglot_kernel::services::network::QEMU;
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::{ForeignRegion, Pmp};

use super::foreign::{
    Api, br_hmac_context, lfs_config, lfs_config_erase_fn, lfs_config_prog_fn, lfs_config_read_fn,
    lfs_config_sync_fn, lfs_file_config, lfs_file_t, lfs_t, netif, netif_linkoutput_fn, pbuf,
    pbuf_layer, pbuf_type,
};
use super::{
    CHUNK, CHUNKS, CONTENTS, Counts, Disk, FAILED, FLAGS, KEY, Library, NAME, PACKETS, Packets,
    TAG, expect,
};
use crate::count::count;
use crate::network::{HEADERS, OWN};

/// Measures all workloads.
pub(super) fn measure(hart: Hart, region: ForeignRegion) -> Result<Counts> {
    let mut library = Library::assemble(Pmp::start(hart, region, &Library::DESCRIPTION)?);
    let authenticated = count(|| library.scope(authenticate))?;
    let [in_c, in_rust] = [in_c(&mut library)?, in_rust(&mut library)?];
    Ok([authenticated, in_c, in_rust, echo(&mut library)?])
}

type InScope<'a, 's, 'e> = &'a mut Scope<'s, 'e, Api<Runtime>>;

fn authenticate(scope: InScope<'_, '_, '_>) -> Result<()> {
    let context = single::<br_hmac_context>(scope)?;
    let (key, chunk) = (scope.copy_in(&KEY.0)?, scope.copy_in(&CHUNK.0)?);
    let tag = scope.reserve::<u8>(TAG.0.len())?;
    scope.hmac_start(context, key.as_ptr().cast(), KEY.0.len())?;
    for _ in 0..CHUNKS {
        scope.br_hmac_update(context, chunk.as_ptr().cast(), CHUNK.0.len())?;
    }
    scope.br_hmac_out(context, tag.as_ptr().cast())?;
    expect(*scope.view_slice(tag)? == TAG.0)
}

/// Allocates room for one value, which the library fills.
fn single<T: omniglot::Foreign>(scope: InScope<'_, '_, '_>) -> Result<RefMut<T>> {
    let room = scope.reserve::<T>(1)?;
    room.get(0).ok_or(omniglot::Error::OutOfRange { address: room.as_ptr().addr(), len: 1 })
}

/// What littlefs is given, in its own memory.
struct Files {
    system: RefMut<lfs_t>,
    file: RefMut<lfs_file_t>,
    path: Ptr<core::ffi::c_char>,
    settings: Ptr<lfs_file_config>,
    data: SliceMut<u8>,
    back: SliceMut<u8>,
}

#[inline(never)]
fn in_c(library: &mut Library) -> Result<u64> {
    library.scope(|scope| {
        let files = Files::new(scope)?;
        let config = scope.ram_disk()?;
        count(|| files.run(scope, config))
    })
}

#[inline(never)]
fn in_rust(library: &mut Library) -> Result<u64> {
    let disk = RefCell::new(Disk::new());
    with_device(library, &disk, |api, device| {
        api.scope(|scope| {
            let files = Files::new(scope)?;
            let Device { read, prog, erase, sync } = device;
            let in_c = scope.ram_disk()?;
            let config = lfs_config { read, prog, erase, sync, ..scope.read_at(in_c)? };
            let config = scope.value(config)?;
            count(|| files.run(scope, config.as_ptr()))
        })
    })
}

impl Files {
    fn new(scope: InScope<'_, '_, '_>) -> Result<Self> {
        Ok(Self {
            data: scope.reserve(CONTENTS.0.len())?,
            back: scope.reserve(CONTENTS.0.len())?,
            system: single(scope)?,
            file: single(scope)?,
            path: scope.c_str(NAME)?,
            settings: scope.ram_file()?,
        })
    }

    fn run(&self, api: &mut Api<Runtime>, config: Ptr<lfs_config>) -> Result<()> {
        let Self { system, file, path, settings, data, back } = *self;
        let len = CONTENTS.0.len() as u32;
        let formatted = api.lfs_format(system, config)?;
        let mounted = api.lfs_mount(system, config)?;
        let opened = api.lfs_file_opencfg(system, file, path, FLAGS as i32, settings)?;
        expect((formatted, mounted, opened) == (0, 0, 0))?;
        api.write_slice(data, &CONTENTS.0)?;
        let written = api.lfs_file_write(system, file, data.as_ptr().cast(), len)?;
        let rewound = api.lfs_file_rewind(system, file)?;
        let read = api.lfs_file_read(system, file, back.as_ptr().cast(), len)?;
        expect((written, rewound, read) == (len as i32, 0, len as i32))?;
        expect(*api.view_slice(back)? == CONTENTS.0)?;
        expect(api.lfs_file_close(system, file)? == 0)
    }
}

/// The C functions that call the device.
struct Device {
    read: FnPtr<lfs_config_read_fn>,
    prog: FnPtr<lfs_config_prog_fn>,
    erase: FnPtr<lfs_config_erase_fn>,
    sync: FnPtr<lfs_config_sync_fn>,
}

/// Runs `work` while these functions exist.
fn with_device<T>(
    api: &mut Api<Runtime>,
    disk: &RefCell<Disk>,
    work: impl FnOnce(&mut Api<Runtime>, Device) -> Result<T>,
) -> Result<T> {
    let mut read = |api: &mut Api<Runtime>, (_, block, offset, to, len)| {
        let to = api.upgrade_slice_mut(Ptr::<u8>::from_addr(Ptr::addr(to)), len as usize)?;
        let read = |bytes: &mut [u8]| borrow(disk, |disk| disk.read(block, offset, bytes));
        Ok(api.write_slice_with(to, read)?)
    };
    let mut prog = |api: &mut Api<Runtime>, (_, block, offset, from, len)| {
        let from = api.upgrade_slice(Ptr::<u8>::from_addr(Ptr::addr(from)), len as usize)?;
        let bytes = api.view_slice(from)?;
        Ok(borrow(disk, |disk| disk.program(block, offset, &bytes)))
    };
    let mut erase = |_: &mut Api<Runtime>, (_, block)| Ok(borrow(disk, |disk| disk.erase(block)));
    let mut sync = |_: &mut Api<Runtime>, _| Ok(0);
    api.with_callback::<lfs_config_read_fn, _>(&mut read, |api, read| {
        api.with_callback::<lfs_config_prog_fn, _>(&mut prog, |api, prog| {
            api.with_callback::<lfs_config_erase_fn, _>(&mut erase, |api, erase| {
                api.with_callback::<lfs_config_sync_fn, _>(&mut sync, |api, sync| {
                    work(api, Device { read, prog, erase, sync })
                })?
            })?
        })?
    })?
}

/// Borrows the device.
fn borrow(disk: &RefCell<Disk>, work: impl FnOnce(&mut Disk) -> i32) -> i32 {
    disk.try_borrow_mut().map_or(FAILED, |mut disk| work(&mut disk))
}

#[inline(never)]
fn echo(library: &mut Library) -> Result<u64> {
    let (packets, answered) = (Packets::new(), Cell::new(0));
    let mut transmit = |api: &mut Api<Runtime>, (_, frame): (Ptr<netif>, Ptr<pbuf>)| {
        let buffer = api.read(api.upgrade(frame)?)?;
        let frame = api.upgrade_slice(buffer.payload.cast::<u8>(), buffer.len.into())?;
        if *api.view_slice(frame)? == packets.reply {
            answered.set(answered.get() + 1);
        }
        Ok(0)
    };
    library.with_callback::<netif_linkoutput_fn, _>(&mut transmit, |api, transmit| {
        api.scope(|scope| {
            let card = start(scope, transmit)?;
            let question = scope.copy_in(&packets.question)?;
            receive(scope, question, card)?;
            let request = scope.copy_in(&packets.request)?;
            count(|| {
                answered.set(0);
                for _ in 0..PACKETS {
                    receive(scope, request, card)?;
                }
                expect(answered.get() == PACKETS)
            })
        })
    })?
}

/// Starts lwIP, and returns its network card.
fn start(scope: InScope<'_, '_, '_>, transmit: FnPtr<netif_linkoutput_fn>) -> Result<Ptr<netif>> {
    let [own, mask, gateway] = [QEMU.own, QEMU.mask, QEMU.gateway].map(u32::from_ne_bytes);
    let hardware = scope.copy_in(&OWN)?;
    expect(scope.echo_start(transmit, hardware, own, mask, gateway)? == 0)?;
    scope.network_netif()
}

/// Passes a frame to lwIP.
#[inline(always)]
fn receive(api: &mut Api<Runtime>, frame: SliceMut<u8>, card: Ptr<netif>) -> Result<()> {
    let len = HEADERS as u16;
    let buffer = api.pbuf_alloc(pbuf_layer::PBUF_RAW, len, pbuf_type::PBUF_POOL)?;
    expect(!buffer.is_null())?;
    let taken = api.pbuf_take(buffer, frame.as_ptr().cast(), len)?;
    let received = api.netif_input(buffer, card)?;
    expect((taken, received) == (0, 0))
}
