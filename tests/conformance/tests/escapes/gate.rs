//! Where the gate is: its symbols, which foreign code would have to find.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, Mnemonic};

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
    static omniglot_shared: [u64; 32];
}

type Symbol = unsafe extern "C" fn();

fn address(symbol: Symbol) -> usize {
    symbol as *const () as usize
}

/// All of the gate, but for the exits of unprotected domains, of which there are many
/// that are alike: the first ones only.
pub(crate) fn ranges() -> [Range<usize>; 5] {
    const EXITS: usize = 64;
    let (returns, callbacks) = (address(omniglot_return_exits), address(omniglot_callback_exits));
    [
        address(omniglot_enter)..returns,
        returns..returns + EXITS,
        callbacks..callbacks + EXITS,
        // What follows all exits begins at what follows the last one of 1024.
        callbacks + 1024 * 16..address(omniglot_resume),
        address(omniglot_resume)..address(omniglot_rights) + 16,
    ]
}

/// Where the gate begins.
pub(crate) fn start() -> usize {
    address(omniglot_enter)
}

/// Where it begins behind a key.
pub(crate) fn keyed_start() -> usize {
    address(omniglot_keyed_enter)
}

/// The instructions that a call and a callback run, and what follows a signal in them,
/// without keys or with.
pub(crate) fn instructions(is_keyed: bool) -> Vec<usize> {
    if !is_keyed {
        let after = address(omniglot_callback_exits) + 1024 * 16;
        let resume = address(omniglot_resume);
        let ranges = [
            start()..address(omniglot_return_exits),
            after..resume,
            resume..address(omniglot_signal),
        ];
        return ranges.into_iter().flat_map(decoded).collect();
    }
    /// Of an exit.
    const INSTRUCTIONS: usize = 3;
    let last_door = address(omniglot_keyed_callback_exits) + 15 * 16;
    let leave = decoded(last_door..address(omniglot_keyed_resume));
    let enter = address(omniglot_keyed_enter)..address(omniglot_keyed_return_exits);
    let resume = address(omniglot_keyed_resume)..address(omniglot_keyed_resume_end);
    [decoded(enter), leave.into_iter().skip(INSTRUCTIONS).collect(), decoded(resume)].concat()
}

/// The jump that ends the way back from a signal, by a word below the stack.
pub(crate) fn end_of_way_back(is_keyed: bool) -> usize {
    let part = if is_keyed {
        address(omniglot_keyed_resume)..address(omniglot_keyed_resume_end)
    } else {
        address(omniglot_resume)..address(omniglot_resume_end)
    };
    decoded(part.clone()).pop().unwrap_or(part.end)
}

/// All instructions of the gate but for most exits: with keys; or those of the gate without, which
/// has no exit that is another domain's.
pub(crate) fn all_instructions(is_keyed: bool) -> Vec<usize> {
    let exits = address(omniglot_return_exits)..address(omniglot_callback_exits) + 1024 * 16;
    let all = ranges().into_iter().flat_map(decoded);
    let keyed = address(omniglot_keyed_enter);
    all.filter(|place| is_keyed || *place < keyed && !exits.contains(place)).collect()
}

/// The instructions of the way out with a key, up to where the stack is the host's.
pub(crate) fn way_out() -> Vec<usize> {
    decoded(address(omniglot_keyed_leave)..address(omniglot_keyed_exit_end))
}

/// Where the instructions of a range begin, but for what only fills it.
fn decoded(range: Range<usize>) -> Vec<usize> {
    let start = std::ptr::with_exposed_provenance(range.start);
    // SAFETY: code of the gate.
    let code: &[u8] = unsafe { std::slice::from_raw_parts(start, range.len()) };
    let decoder = Decoder::with_ip(64, code, range.start as u64, DecoderOptions::NONE);
    let real = decoder.into_iter().filter(|instruction| {
        !matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Ud2 | Mnemonic::INVALID)
    });
    real.map(|instruction| instruction.ip() as usize).collect()
}

/// Which instruction is there.
pub(crate) fn code(place: usize) -> Code {
    let start = std::ptr::with_exposed_provenance(place);
    // SAFETY: code of the gate, behind which there is more.
    let code: &[u8] = unsafe { std::slice::from_raw_parts(start, LONGEST) };
    Decoder::with_ip(64, code, place as u64, DecoderOptions::NONE).decode().code()
}

/// The gate's jump into foreign code, which ends the way in.
pub(crate) fn jump(is_keyed: bool) -> usize {
    let part = if is_keyed {
        address(omniglot_keyed_commit)..address(omniglot_keyed_commit_end)
    } else {
        address(omniglot_enter)..address(omniglot_commit_end)
    };
    decoded(part.clone()).pop().unwrap_or(part.end)
}

/// The gate's entries.
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

/// The instructions that write PKRU.
pub(crate) fn writes() -> [(&'static str, usize); 5] {
    [
        ("on_entry", address(omniglot_write_on_entry)),
        ("on_exit", address(omniglot_write_on_exit)),
        ("on_resume", address(omniglot_write_on_resume)),
        ("in_signal", address(omniglot_write_in_signal)),
        ("for_host", address(omniglot_write_for_host)),
    ]
}

/// `syscall(2)` of the host's C library.
pub(crate) fn system_call_of_the_host() -> usize {
    libc::syscall as *const () as usize
}

/// What the page that foreign code can read says of a domain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    /// Its key.
    pub(crate) key: usize,
    /// PKRU while it runs.
    pub(crate) rights: u64,
    /// PKRU of the thread that ran it last, outside.
    pub(crate) host: u64,
}

/// The same for foreign code that finds it by its window. Offsets as in the runtime's
/// `keys.rs`.
pub(crate) fn shared(window: usize) -> omniglot::Result<Shared> {
    const WINDOWS: usize = 8;
    const HOSTS: usize = 24;
    // SAFETY: a page of the runtime's, which a thread with a domain may read.
    let words = unsafe { (&raw const omniglot_shared).read_volatile() };
    let key = words.iter().skip(WINDOWS).take(16).position(|start| *start == window as u64);
    let key = key.ok_or(omniglot::Error::Misuse("the domain has no key"))?;
    let half = |table: usize| {
        words.get(table + key / 2).map_or(0, |pair| pair >> (32 * (key % 2)) & 0xffff_ffff)
    };
    Ok(Shared { key, rights: half(0), host: half(HOSTS) })
}

/// Where the gate keeps the contexts of domains with keys, as its code says behind the
/// instruction that writes PKRU on the way out: the second `lea r9, [rip + distance]`.
pub(crate) fn table_of_contexts() -> Option<usize> {
    const LEA: [u8; 3] = [0x4c, 0x8d, 0x0d];
    let start = std::ptr::with_exposed_provenance::<[u8; 80]>(writes()[1].1);
    // SAFETY: code of the gate, which goes on for longer.
    let code = unsafe { start.read_unaligned() };
    let place = code.windows(3).rposition(|bytes| bytes == LEA)?;
    let distance = code.get(place + 3..place + 7)?.try_into().ok().map(i32::from_le_bytes)?;
    Some(start.addr().wrapping_add(place + 7).wrapping_add_signed(distance as isize))
}

/// Where a domain's memory has what the gate takes from it on the way in, and on the way
/// back from a signal: `NEXT` and `SCRATCH` of the runtime's `layout.rs`.
pub(crate) const NEXT: usize = 0xa00;
pub(crate) const SCRATCH: usize = 0x900;

/// Writes a word of a domain that runs, as its own code might.
pub(crate) fn put_at(address: usize, value: u64) {
    let word = std::ptr::with_exposed_provenance_mut::<u64>(address);
    // SAFETY: in the host's mapping of a domain that lives, aligned.
    unsafe { word.write_volatile(value) };
}

/// Whether a jump to that byte would end the machine that emulates the processor.
pub(crate) fn is_fatal_to_the_emulator(address: usize) -> bool {
    emulated::crashes_the_emulators_kernel(address as u64, |place| {
        let start = std::ptr::with_exposed_provenance::<[u8; LONGEST]>(place as usize);
        let is_code = ranges().iter().any(|range| range.contains(&start.addr()));
        // SAFETY: in the gate's code, or shortly after it in the same page, which is there for
        // ever and can be read.
        is_code.then(|| unsafe { start.read_unaligned() })
    })
}

/// Where code of this process loads registers, PKRU perhaps among them, from memory: the
/// detours of the dynamic linker's instructions, which lie near it. Each is followed by a
/// look at the mask.
pub(crate) fn loads_of_registers() -> Vec<usize> {
    /// `xrstor [rsp + 0x40]; cmp eax, mask`: data, since in code it would be one more.
    static LOAD: [u8; 6] = [0x0f, 0xae, 0x6c, 0x24, 0x40, 0x3d];
    let load = black_box(&LOAD);
    let mut places = Vec::new();
    for range in executable() {
        // SAFETY: readable, as /proc says, and no other thread unmaps code now.
        let code: &[u8] = unsafe {
            std::slice::from_raw_parts(std::ptr::with_exposed_provenance(range.start), range.len())
        };
        let found = code.windows(load.len()).enumerate().filter(|(_, bytes)| bytes == load);
        places.extend(found.map(|(offset, _)| range.start + offset));
    }
    places
}

/// The pages of this process that hold code, those of domains left out.
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

/// Where `pkey_set` of the host's C library writes PKRU, or wrote it.
pub(crate) fn write_of_the_c_library() -> Option<usize> {
    const LENGTH: usize = 96;
    /// `wrpkru`, and what takes its place: data, as above.
    static WRITES: [[u8; 3]; 2] = [[0x0f, 0x01, 0xef], [0x0f, 0x0b, 0x90]];
    let writes = black_box(&WRITES);
    // SAFETY: looks a name up.
    let start = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"pkey_set".as_ptr()) };
    // SAFETY: the function, or what follows it in the C library.
    let code = unsafe { start.cast::<[u8; LENGTH]>().as_ref() }?;
    let write = |bytes: &[u8]| writes.iter().any(|write| bytes == write);
    code.windows(3).position(write).map(|offset| start.addr() + offset)
}
