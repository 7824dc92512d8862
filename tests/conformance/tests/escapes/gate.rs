//! Where the gate is, by its symbols, which real foreign code would have to find.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, Mnemonic};
use omniglot::IsolationKind;

use super::emulated::{self, LONGEST};

unsafe extern "C" {
    fn omniglot_enter();
    fn omniglot_return_exits();
    fn omniglot_callback_exits();
    fn omniglot_resume();
    fn omniglot_resume_end();
    fn omniglot_signal();
    fn omniglot_keyed_enter();
    fn omniglot_keyed_commit();
    fn omniglot_keyed_commit_end();
    fn omniglot_commit_end();
    fn omniglot_keyed_return_exits();
    fn omniglot_keyed_callback_exits();
    fn omniglot_keyed_abandoned();
    fn omniglot_keyed_leave();
    fn omniglot_keyed_exit_end();
    fn omniglot_keyed_resume();
    fn omniglot_keyed_resume_end();
    fn omniglot_set_rights();
    fn omniglot_rights();
    fn omniglot_write_on_entry();
    fn omniglot_write_on_exit();
    fn omniglot_write_on_resume();
    fn omniglot_write_in_signal();
    fn omniglot_write_for_host();
    fn omniglot_sfi_enter();
    fn omniglot_sfi_commit();
    fn omniglot_sfi_commit_end();
    fn omniglot_sfi_asked();
    fn omniglot_sfi_called_back();
    fn omniglot_sfi_returned();
    fn omniglot_sfi_abandoned();
    fn omniglot_sfi_abandoned_end();
    static omniglot_shared: [u64; 32];
}

type Symbol = unsafe extern "C" fn();

fn address(symbol: Symbol) -> usize {
    symbol as *const () as usize
}

/// Returns the ranges of the gate's code. Of the exits of unprotected domains, which are all alike,
/// it includes only the first ones.
pub(crate) fn ranges() -> [Range<usize>; 5] {
    const EXITS: usize = 64;
    let (returns, callbacks) = (address(omniglot_return_exits), address(omniglot_callback_exits));
    [
        address(omniglot_enter)..returns,
        returns..returns + EXITS,
        callbacks..callbacks + EXITS,
        // The code after all 1024 exits, up to the end of this part.
        callbacks + 1024 * 16..address(omniglot_resume),
        address(omniglot_resume)..address(omniglot_rights) + 16,
    ]
}

/// Returns the start of the gate.
pub(crate) fn start() -> usize {
    address(omniglot_enter)
}

/// Returns the start of the gate for domains behind a key.
pub(crate) fn keyed_start() -> usize {
    address(omniglot_keyed_enter)
}

/// Returns the instructions that a call and a callback execute, and those of the return from a
/// signal, with keys, without, or for regions.
pub(crate) fn instructions(isolation: IsolationKind) -> Vec<usize> {
    if isolation == IsolationKind::Sfi {
        return decoded(address(omniglot_sfi_enter)..address(omniglot_sfi_abandoned_end));
    }
    if isolation != IsolationKind::ProtectionKeys {
        let after = address(omniglot_callback_exits) + 1024 * 16;
        let resume = address(omniglot_resume);
        let ranges = [
            start()..address(omniglot_return_exits),
            after..resume,
            resume..address(omniglot_signal),
        ];
        return ranges.into_iter().flat_map(decoded).collect();
    }
    /// Number of instructions in an exit.
    const INSTRUCTIONS: usize = 3;
    let last_door = address(omniglot_keyed_callback_exits) + 15 * 16;
    let leave = decoded(last_door..address(omniglot_keyed_resume));
    let enter = address(omniglot_keyed_enter)..address(omniglot_keyed_return_exits);
    let resume = address(omniglot_keyed_resume)..address(omniglot_keyed_resume_end);
    [decoded(enter), leave.into_iter().skip(INSTRUCTIONS).collect(), decoded(resume)].concat()
}

/// Returns the jump that ends the return from a signal, through a word below the stack.
pub(crate) fn end_of_way_back(is_keyed: bool) -> usize {
    let part = if is_keyed {
        address(omniglot_keyed_resume)..address(omniglot_keyed_resume_end)
    } else {
        address(omniglot_resume)..address(omniglot_resume_end)
    };
    decoded(part.clone()).pop().unwrap_or(part.end)
}

/// Returns all instructions of the gate except most exits: either those with keys, or those
/// without, where no exit belongs to another domain.
pub(crate) fn all_instructions(is_keyed: bool) -> Vec<usize> {
    let exits = address(omniglot_return_exits)..address(omniglot_callback_exits) + 1024 * 16;
    let all = ranges().into_iter().flat_map(decoded);
    let keyed = address(omniglot_keyed_enter);
    all.filter(|place| is_keyed || *place < keyed && !exits.contains(place)).collect()
}

/// Returns the instructions of the exit path with a key, up to the switch to the host's stack.
pub(crate) fn way_out() -> Vec<usize> {
    decoded(address(omniglot_keyed_leave)..address(omniglot_keyed_exit_end))
}

/// Returns the addresses of a range's instructions, without padding.
fn decoded(range: Range<usize>) -> Vec<usize> {
    let start = std::ptr::with_exposed_provenance(range.start);
    // SAFETY: the range is code of the gate.
    let code: &[u8] = unsafe { std::slice::from_raw_parts(start, range.len()) };
    let decoder = Decoder::with_ip(64, code, range.start as u64, DecoderOptions::NONE);
    let real = decoder.into_iter().filter(|instruction| {
        !matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Ud2 | Mnemonic::INVALID)
    });
    real.map(|instruction| instruction.ip() as usize).collect()
}

/// Returns the kind of the instruction at an address.
pub(crate) fn code(place: usize) -> Code {
    let start = std::ptr::with_exposed_provenance(place);
    // SAFETY: this is code of the gate, and more code follows it.
    let code: &[u8] = unsafe { std::slice::from_raw_parts(start, LONGEST) };
    Decoder::with_ip(64, code, place as u64, DecoderOptions::NONE).decode().code()
}

/// Returns the gate's jump into foreign code, which ends the entry path.
pub(crate) fn jump(isolation: IsolationKind) -> usize {
    let part = match isolation {
        IsolationKind::ProtectionKeys => {
            address(omniglot_keyed_commit)..address(omniglot_keyed_commit_end)
        }
        IsolationKind::Sfi => address(omniglot_sfi_commit)..address(omniglot_sfi_commit_end),
        _ => address(omniglot_enter)..address(omniglot_commit_end),
    };
    decoded(part.clone()).pop().unwrap_or(part.end)
}

/// Returns the gate's entries.
pub(crate) fn entries() -> [(&'static str, usize); 13] {
    [
        ("enter", address(omniglot_enter)),
        ("return_door", address(omniglot_return_exits)),
        ("callback_door", address(omniglot_callback_exits)),
        ("resume", address(omniglot_resume)),
        ("signal", address(omniglot_signal)),
        ("keyed_enter", address(omniglot_keyed_enter)),
        ("keyed_commit", address(omniglot_keyed_commit)),
        ("keyed_return_door", address(omniglot_keyed_return_exits)),
        ("keyed_callback_door", address(omniglot_keyed_callback_exits)),
        ("keyed_abandoned", address(omniglot_keyed_abandoned)),
        ("keyed_resume", address(omniglot_keyed_resume)),
        ("set_rights", address(omniglot_set_rights)),
        ("rights", address(omniglot_rights)),
    ]
}

/// Returns the gate's entries for regions.
pub(crate) fn entries_for_regions() -> [(&'static str, usize); 6] {
    [
        ("enter", address(omniglot_sfi_enter)),
        ("commit", address(omniglot_sfi_commit)),
        ("asked", address(omniglot_sfi_asked)),
        ("called_back", address(omniglot_sfi_called_back)),
        ("returned", address(omniglot_sfi_returned)),
        ("abandoned", address(omniglot_sfi_abandoned)),
    ]
}

/// Returns where foreign code can enter the page of gates in its region: at each line, in its own
/// addresses (`GATES` and `LINE` of omniglot-verify).
pub(crate) fn lines() -> impl Iterator<Item = usize> {
    const GATES: usize = 1 << 18;
    const LINE: usize = 32;
    (GATES..GATES + 4096).step_by(LINE)
}

/// Returns the instructions that write PKRU.
pub(crate) fn writes() -> [(&'static str, usize); 5] {
    [
        ("on_entry", address(omniglot_write_on_entry)),
        ("on_exit", address(omniglot_write_on_exit)),
        ("on_resume", address(omniglot_write_on_resume)),
        ("in_signal", address(omniglot_write_in_signal)),
        ("for_host", address(omniglot_write_for_host)),
    ]
}

/// Returns the function `syscall(2)` of the host's C library.
pub(crate) fn system_call_of_the_host() -> usize {
    libc::syscall as *const () as usize
}

/// What the page that foreign code can read contains about a domain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    /// Its key.
    pub(crate) key: usize,
    /// PKRU while the domain runs.
    pub(crate) rights: u64,
    /// PKRU outside the domain, of the thread that ran it last.
    pub(crate) host: u64,
}

/// Finds a domain's entry by its window, as foreign code could. Offsets as in the runtime's
/// `keys.rs`.
pub(crate) fn shared(window: usize) -> omniglot::Result<Shared> {
    const WINDOWS: usize = 8;
    const HOSTS: usize = 24;
    // SAFETY: this is a page of the runtime, which a thread with a domain may read.
    let words = unsafe { (&raw const omniglot_shared).read_volatile() };
    let key = words.iter().skip(WINDOWS).take(16).position(|start| *start == window as u64);
    let key = key.ok_or(omniglot::Error::Misuse("the domain has no key"))?;
    let half = |table: usize| {
        words.get(table + key / 2).map_or(0, |pair| pair >> (32 * (key % 2)) & 0xffff_ffff)
    };
    Ok(Shared { key, rights: half(0), host: half(HOSTS) })
}

/// Returns the table in which the gate keeps the contexts of domains with keys. The gate's code
/// contains its address, after the instruction that writes PKRU on the exit path: in the second
/// `lea r9, [rip + distance]`.
pub(crate) fn table_of_contexts() -> Option<usize> {
    const LEA: [u8; 3] = [0x4c, 0x8d, 0x0d];
    let start = std::ptr::with_exposed_provenance::<[u8; 80]>(writes()[1].1);
    // SAFETY: this is code of the gate, which is long enough.
    let code = unsafe { start.read_unaligned() };
    let place = code.windows(3).rposition(|bytes| bytes == LEA)?;
    let distance = code.get(place + 3..place + 7)?.try_into().ok().map(i32::from_le_bytes)?;
    Some(start.addr().wrapping_add(place + 7).wrapping_add_signed(distance as isize))
}

/// Offsets in a domain's memory of what the gate takes from it on entry, and on return from a
/// signal: `NEXT` and `SCRATCH` of the runtime's `layout.rs`.
pub(crate) const NEXT: usize = 0xa00;
pub(crate) const SCRATCH: usize = 0x900;

/// Writes a word of a running domain, as its own code might.
pub(crate) fn put_at(address: usize, value: u64) {
    let word = std::ptr::with_exposed_provenance_mut::<u64>(address);
    // SAFETY: the address is aligned, in the host's mapping of a living domain.
    unsafe { word.write_volatile(value) };
}

/// Returns true if a jump to this byte would crash the machine that emulates the processor.
pub(crate) fn is_fatal_to_the_emulator(address: usize) -> bool {
    emulated::crashes_the_emulators_kernel(address as u64, |place| {
        let start = std::ptr::with_exposed_provenance::<[u8; LONGEST]>(place as usize);
        let is_code = ranges().iter().any(|range| range.contains(&start.addr()));
        // SAFETY: the address is in the gate's code, or shortly after it in the same page, which is
        // readable and never unmapped.
        is_code.then(|| unsafe { start.read_unaligned() })
    })
}

/// Returns where this process's code loads registers from memory, possibly PKRU among them. These
/// are the detours of the dynamic linker's instructions, which are near it. A check of the mask
/// follows each.
pub(crate) fn loads_of_registers() -> Vec<usize> {
    /// `xrstor [rsp + 0x40]; cmp eax, mask`. It is data, since in code it would be another such
    /// place.
    static LOAD: [u8; 6] = [0x0f, 0xae, 0x6c, 0x24, 0x40, 0x3d];
    let load = black_box(&LOAD);
    let mut places = Vec::new();
    for range in executable() {
        // SAFETY: the range is readable according to /proc, and no other thread unmaps code now.
        let code: &[u8] = unsafe {
            std::slice::from_raw_parts(std::ptr::with_exposed_provenance(range.start), range.len())
        };
        let found = code.windows(load.len()).enumerate().filter(|(_, bytes)| bytes == load);
        places.extend(found.map(|(offset, _)| range.start + offset));
    }
    places
}

/// Returns the pages of this process that hold code, except those of domains.
fn executable() -> Vec<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let code = maps.lines().filter(|line| line.contains("r-xp"));
    let ranges = code.filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(start)?..number(end)?)
    });
    ranges.collect()
}

/// Returns where `pkey_set` of the host's C library writes PKRU, or did so before it was rewritten.
pub(crate) fn write_of_the_c_library() -> Option<usize> {
    const LENGTH: usize = 96;
    /// `wrpkru` and its replacement. They are data, since in code they would be another such place.
    static WRITES: [[u8; 3]; 2] = [[0x0f, 0x01, 0xef], [0x0f, 0x0b, 0x90]];
    let writes = black_box(&WRITES);
    // SAFETY: this looks a name up.
    let start = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pkey_set".as_ptr()) };
    // SAFETY: this reads the function, or what follows it in the C library.
    let code = unsafe { start.cast::<[u8; LENGTH]>().as_ref() }?;
    let write = |bytes: &[u8]| writes.iter().any(|write| bytes == write);
    code.windows(3).position(write).map(|offset| start.addr() + offset)
}
