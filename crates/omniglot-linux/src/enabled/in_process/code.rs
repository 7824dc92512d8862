//! What the process can execute. Protection keys do not restrict where code may jump, so
//! no executable memory may contain an instruction that changes what they allow, at any
//! byte offset.
//!
//! The gate's own are followed by checks. The known ones of the C library and the dynamic
//! linker are replaced: in a domain's copy by an instruction that faults; in the host by
//! one that the signal handler carries out for the host, or by a jump to an equivalent that
//! checks what it did. What only reads as one, such as the distance of a call, is written
//! in another way. Any other makes domains behind keys unsupported in the process.
//!
//! What was looked at is known by its address only until something changes there: `changes`
//! says when to look again.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::{File, read_to_string};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use omniglot_core::{Error, Result, Text};
use omniglot_scan::{Code, Gadget, Kind, Known, Obstacle, Setting, find, known};

use super::super::layout::PAGE;
use super::super::system::failed;
use super::gadgets::{self, Refusal};
use super::{changes, gate, linker, patch};

/// `ud2; nop`, in the place of `WRPKRU`.
const STOP: [u8; 3] = [0x0f, 0x0b, 0x90];
/// How long the instruction is that the signal handler carries out.
pub(super) const EMULATED_LENGTH: u64 = 3;

/// Where the handler carries out `WRPKRU` for the host.
static EMULATED: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

/// Ranges that were looked at, and what may stay there.
static SEEN: Mutex<Seen> = Mutex::new(Seen {
    ranges: Vec::new(),
    windows: Vec::new(),
    plain: Vec::new(),
    removals: 0,
    checked: Vec::new(),
});
/// What the dynamic linker had loaded and unloaded when the process was looked at.
static COUNTED: AtomicU64 = AtomicU64::new(0);

struct Seen {
    ranges: Vec<Range<usize>>,
    /// Windows of domains, whose code was looked at before it was mapped.
    windows: Vec<Range<usize>>,
    /// Windows of domains without a key: code of the host's, in files of ours that nobody writes.
    plain: Vec<Range<usize>>,
    /// How many objects the dynamic linker had unloaded.
    removals: u64,
    /// Instructions that are followed by a check.
    checked: Vec<usize>,
}

/// Whether the host's `WRPKRU` was there.
pub(super) fn is_emulated(place: usize) -> bool {
    EMULATED.iter().any(|emulated| emulated.load(Ordering::Acquire) == place)
}

/// How often to begin again when code is unmapped while we look.
const ATTEMPTS: usize = 10;

fn seen() -> MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A window of a domain, while it is mapped.
#[derive(Debug)]
pub(super) struct Admitted(Range<usize>);

impl Admitted {
    /// Of which [`disarm`] looked at the code.
    pub(super) fn window(range: Range<usize>) -> Self {
        seen().windows.push(range.clone());
        Self(range)
    }

    /// Of which nobody did.
    pub(super) fn plain(range: Range<usize>) -> Self {
        seen().plain.push(range.clone());
        Self(range)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut seen = seen();
        seen.windows.retain(|window| *window != self.0);
        seen.plain.retain(|window| *window != self.0);
    }
}

/// Whether anybody has begun to look: from then on there is something to forget.
static LOOKS: AtomicBool = AtomicBool::new(false);

/// Forgets what was seen in a range, where there is, or may be, something else now.
///
/// Takes a lock only in programs that have looked, which only those with keys do. Who finds that
/// nobody has begun is right: a look that begins afterwards finds the change made.
pub(super) fn forget(changed: &Range<usize>) {
    if !LOOKS.load(SeqCst) {
        return;
    }
    seen().ranges.retain(|range| range.end <= changed.start || changed.end <= range.start);
}

/// Looks at all executable memory that was not looked at before.
pub(super) fn check_process() -> Result<()> {
    linker::watch()?;
    LOOKS.store(true, SeqCst);
    let mut seen = seen();
    let mut outcome = check_once(&mut seen);
    for _ in 1..ATTEMPTS {
        if !matches!(outcome, Err(Error::System { .. })) {
            break;
        }
        outcome = check_once(&mut seen);
    }
    outcome
}

fn check_once(seen: &mut Seen) -> Result<()> {
    let (epoch, linked) = (changes::epoch(), Linked::now());
    // What took the place of something that was unloaded may lie at its very addresses.
    if linked.removals != seen.removals {
        seen.ranges.clear();
        seen.removals = linked.removals;
    }
    let executable = executable_ranges(seen)?;
    // What is gone may come back with other content.
    seen.ranges.retain(|range| executable.contains(range));
    let fresh = not_seen(&executable, seen);
    seen.ranges = look_and_replace(executable, &fresh, seen)?;
    COUNTED.store(linked.sum(), Ordering::Release);
    changes::looked(epoch);
    Ok(())
}

fn is_in_window(range: &Range<usize>, seen: &Seen) -> bool {
    seen.windows.iter().any(|window| holds(window, range))
}

const fn holds(window: &Range<usize>, range: &Range<usize>) -> bool {
    window.start <= range.start && range.end <= window.end
}

/// What is new, and what it touches, since an instruction can begin in one and end in the
/// other.
fn not_seen(executable: &[Range<usize>], seen: &Seen) -> Vec<Range<usize>> {
    let is_new = |range: &&Range<usize>| !seen.ranges.contains(range);
    let fresh: Vec<_> = executable.iter().filter(is_new).cloned().collect();
    let touches = |range: &&Range<usize>| {
        fresh.iter().any(|new| new.start <= range.end && range.start <= new.end)
    };
    executable.iter().filter(touches).cloned().collect()
}

/// Replaces what can be replaced, and looks whether that made anything else visible, in what
/// was there or in what was made. Says all that was looked at, now or before.
fn look_and_replace(
    executable: Vec<Range<usize>>,
    fresh: &[Range<usize>],
    seen: &mut Seen,
) -> Result<Vec<Range<usize>>> {
    if fresh.is_empty() {
        return Ok(executable);
    }
    let memory = File::open("/proc/self/mem").map_err(failed("reading the process's code"))?;
    let mut places = look(&memory, fresh)?;
    places.retain(|place| !is_allowed(place, &seen.checked));
    if places.is_empty() {
        return Ok(executable);
    }
    handle(&memory, &places, &mut seen.checked)?;
    let all = executable_ranges(seen)?;
    let after = look(&memory, &all)?;
    match after.iter().find(|place| !is_allowed(place, &seen.checked)) {
        Some(place) => Err(refusal(place.gadget.address as usize, Obstacle::Needed)),
        None => Ok(all),
    }
}

/// Looks again if anything has changed that the process can execute, once that is over.
#[inline]
pub(super) fn check_changes() -> Result<()> {
    if changes::are_settled() && Linked::now().sum() == COUNTED.load(Ordering::Acquire) {
        return Ok(());
    }
    changes::wait()?;
    check_process()
}

/// A gadget, and the bytes from seven before it on, as far as they are code.
struct Place {
    gadget: Gadget,
    known: Option<Known>,
}

fn is_allowed(place: &Place, checked: &[usize]) -> bool {
    let address = place.gadget.address as usize;
    checked.contains(&address) || gate::writes().contains(&address)
}

fn look(memory: &File, ranges: &[Range<usize>]) -> Result<Vec<Place>> {
    let contents = ranges
        .iter()
        .map(|range| {
            let mut bytes = vec![0; range.len()];
            memory
                .read_exact_at(&mut bytes, range.start as u64)
                .map_err(failed("reading the process's code"))?;
            Ok(bytes)
        })
        .collect::<Result<Vec<_>>>()?;
    let code: Vec<_> = ranges
        .iter()
        .zip(&contents)
        .map(|(range, bytes)| Code { address: range.start as u64, bytes })
        .collect();
    Ok(places(&code))
}

fn places(code: &[Code<'_>]) -> Vec<Place> {
    find(code, Kind::changes_keys)
        .into_iter()
        .map(|gadget| Place { known: recognise(&gadget, code), gadget })
        .collect()
}

/// Tells a known gadget by the instructions around it, of which each has to fit.
fn recognise(gadget: &Gadget, code: &[Code<'_>]) -> Option<Known> {
    known(gadget, Setting::Unknown, code, None)
}

/// Replaces what is known in the host, or there by accident.
fn handle(memory: &File, places: &[Place], checked: &mut Vec<usize>) -> Result<()> {
    for place in places {
        let address = place.gadget.address as usize;
        match place.known {
            Some(Known::PkeySet) => emulate(address)?,
            Some(Known::Restoring { mask, .. }) => {
                // SAFETY: an instruction of the host's that has this mask, as was recognised.
                let detour = unsafe { patch::detour(address, place.gadget.length, mask) };
                checked.push(detour?);
            }
            _ => match gadgets::remove(memory, &place.gadget) {
                Ok(()) => {}
                Err(Refusal::Error(error)) => return Err(error),
                Err(Refusal::Obstacle(obstacle)) => return Err(refusal(address, obstacle)),
            },
        }
    }
    Ok(())
}

fn emulate(address: usize) -> Result<()> {
    let unused = EMULATED.iter().find(|emulated| {
        emulated.compare_exchange(0, address, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    });
    if unused.is_none() {
        return Err(refusal(address, Obstacle::Needed));
    }
    // SAFETY: one instruction, by another of its length that the signal handler carries out.
    unsafe { patch::replace(address, &STOP) }
}

#[cold]
fn refusal(address: usize, obstacle: Obstacle) -> Error {
    let file = read_to_string("/proc/self/maps").unwrap_or_default();
    let mut mapped = file.lines().filter_map(Mapped::parse);
    let found = mapped.find(|mapped| mapped.range.contains(&address));
    if let Some(path) = found.map(|mapped| mapped.name).filter(|name| !name.is_empty()) {
        return Error::Load(Text::from_untrusted(
            format!(
                "{}: {address:#x} switches protection keys off, {}; use Isolation::Process",
                path.rsplit('/').next().unwrap_or(path),
                reason(obstacle)
            )
            .as_bytes(),
        ));
    }
    Error::Unsupported {
        what: "the process has code that switches protection keys off",
        remedy: "use Isolation::Process",
    }
}

const fn reason(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Unclear => "in unknown code",
        Obstacle::Place => "without room near it",
        _ => "and cannot be replaced",
    }
}

/// A line of /proc/self/maps (proc_pid_maps(5)).
struct Mapped<'a> {
    range: Range<usize>,
    access: &'a str,
    name: &'a str,
}

impl<'a> Mapped<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut columns = line.split_whitespace();
        let (start, end) = columns.next()?.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let access = columns.next()?;
        // Behind offset, device and file number.
        Some(Self { range: start..end, access, name: columns.nth(3).unwrap_or_default() })
    }

    /// Whether it is memory of a file that may be written elsewhere, through another mapping or
    /// a descriptor.
    fn is_shared(&self) -> bool {
        self.access.contains('s') || self.name.starts_with("/memfd:")
    }

    /// Checks that what is there now stays there.
    fn check_constant(&self, seen: &Seen) -> Result<()> {
        let unsupported = |what| Err(Error::Unsupported { what, remedy: "use Isolation::Process" });
        if self.access.contains('w') {
            return unsupported("the process has memory that is both writable and executable");
        }
        if self.is_shared() && !seen.plain.iter().any(|window| holds(window, &self.range)) {
            return unsupported("the process has executable memory that can be written elsewhere");
        }
        Ok(())
    }
}

/// What is executable, without the windows whose code was looked at.
fn executable_ranges(seen: &Seen) -> Result<Vec<Range<usize>>> {
    /// Holds three system calls that the kernel emulates, and cannot be read.
    const VSYSCALL: usize = 0xffff_ffff_ff60_0000;
    let maps =
        read_to_string("/proc/self/maps").map_err(failed("reading the process's mappings"))?;
    let mapped = maps.lines().filter_map(Mapped::parse);
    mapped
        .filter(|mapped| mapped.access.contains('x') && mapped.range.start != VSYSCALL)
        .filter(|mapped| !is_in_window(&mapped.range, seen))
        .map(|mapped| mapped.check_constant(seen).map(|()| mapped.range))
        .collect()
}

/// How many objects the dynamic linker ever loaded, and unloaded.
#[derive(Clone, Copy, Debug, Default)]
struct Linked {
    additions: u64,
    removals: u64,
}

impl Linked {
    fn now() -> Self {
        unsafe extern "C" fn note(
            info: *mut libc::dl_phdr_info,
            _size: libc::size_t,
            into: *mut c_void,
        ) -> libc::c_int {
            // SAFETY: the dynamic linker's record, which has these since glibc 2.4.
            let info = unsafe { &*info };
            let linked = Linked { additions: info.dlpi_adds, removals: info.dlpi_subs };
            // SAFETY: the caller's word.
            unsafe { into.cast::<Linked>().write(linked) };
            1
        }
        let mut linked = Self::default();
        // SAFETY: calls `note` once, with our words.
        unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut linked).cast()) };
        linked
    }

    /// In one word.
    const fn sum(self) -> u64 {
        self.additions.wrapping_add(self.removals.rotate_left(32))
    }
}

/// Takes the known gadgets out of a domain's copy, whose window begins at `base`; any other
/// makes the library unfit.
pub(super) fn disarm(copy: &File, base: usize, code: &[Range<usize>]) -> Result<()> {
    for place in look_at_copy(copy, base, code)? {
        let (address, length) = (place.gadget.address as usize, place.gadget.length);
        if place.known.is_none() {
            return Err(unfit(address - base));
        }
        let mut bytes = vec![STOP[2]; length];
        if let Some(start) = bytes.get_mut(..2) {
            start.copy_from_slice(&[STOP[0], STOP[1]]);
        }
        copy.write_all_at(&bytes, (address - base) as u64)
            .map_err(failed("writing the library's code"))?;
    }
    match look_at_copy(copy, base, code)?.first() {
        Some(place) => Err(unfit(place.gadget.address as usize - base)),
        None => Ok(()),
    }
}

fn unfit(offset: usize) -> Error {
    Error::Load(Text::from_untrusted(
        format!(
            "the library has an instruction at offset {offset:#x} of its memory that switches \
             protection keys off; use Isolation::Process"
        )
        .as_bytes(),
    ))
}

fn look_at_copy(copy: &File, base: usize, code: &[Range<usize>]) -> Result<Vec<Place>> {
    let contents = code
        .iter()
        .map(|range| {
            let mut bytes = vec![0; range.len()];
            copy.read_exact_at(&mut bytes, (range.start - base) as u64)
                .map_err(failed("reading the library's code"))?;
            Ok(bytes)
        })
        .collect::<Result<Vec<_>>>()?;
    let code: Vec<_> = code
        .iter()
        .zip(&contents)
        .map(|(range, bytes)| Code { address: range.start as u64, bytes })
        .collect();
    Ok(places(&code))
}

const _: () = assert!(PAGE == 4096, "what the kernel's mappings are multiples of");
