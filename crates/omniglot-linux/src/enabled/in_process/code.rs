//! What the process can execute. Protection keys do not restrict where code may jump, so
//! no executable memory may contain an instruction that changes what they allow, at any
//! byte offset.
//!
//! The gate's own are followed by checks. The known ones of the C library and the dynamic
//! linker are replaced: in a domain's copy by an instruction that faults; in the host by
//! one that the signal handler carries out for the host, or by a jump to an equivalent that
//! checks what it did. What only reads as one, such as the distance of a call, is written
//! in another way. Any other makes domains behind keys unsupported in the process.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::{File, read_to_string};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use omniglot_core::{Error, Result, Text};
use omniglot_scan::{Code, Gadget, Kind, Known, Obstacle, Setting, find, known};

use super::super::layout::PAGE;
use super::super::system::failed;
use super::gate;
use super::mending::{self, Refusal};
use super::patch;

/// `ud2; nop`, in the place of `WRPKRU`.
const STOP: [u8; 3] = [0x0f, 0x0b, 0x90];
/// How long the instruction is that the signal handler carries out.
pub(super) const EMULATED_LENGTH: u64 = 3;

/// Where the handler carries out `WRPKRU` for the host.
static EMULATED: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

/// Ranges that were looked at, and what may stay there.
static SEEN: Mutex<Seen> =
    Mutex::new(Seen { ranges: Vec::new(), windows: Vec::new(), checked: Vec::new() });
/// How many objects the dynamic linker had loaded when the process was looked at.
static ADDITIONS: AtomicU64 = AtomicU64::new(0);

struct Seen {
    ranges: Vec<Range<usize>>,
    /// Windows of domains, whose code was looked at before it was mapped.
    windows: Vec<Range<usize>>,
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

/// A window whose code [`disarm`] looked at, while it is mapped.
#[derive(Debug)]
pub(super) struct Admitted(Range<usize>);

impl Admitted {
    pub(super) fn window(range: Range<usize>) -> Self {
        seen().windows.push(range.clone());
        Self(range)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut seen = seen();
        if let Some(index) = seen.windows.iter().position(|window| *window == self.0) {
            seen.windows.swap_remove(index);
        }
    }
}

/// Looks at all executable memory that was not looked at before.
pub(super) fn check_process() -> Result<()> {
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
    let additions = additions();
    let executable = executable_ranges()?;
    // What is gone may come back with other content.
    seen.ranges.retain(|range| executable.contains(range));
    let fresh = not_seen(&executable, seen);
    if !fresh.is_empty() {
        look_and_replace(&fresh, seen)?;
        let mut all = executable_ranges()?;
        all.retain(|range| !is_in_window(range, seen));
        seen.ranges = all;
    }
    ADDITIONS.store(additions, Ordering::Release);
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
    let is_new = |range: &&Range<usize>| !seen.ranges.contains(range) && !is_in_window(range, seen);
    let fresh: Vec<_> = executable.iter().filter(is_new).cloned().collect();
    let touches = |range: &&Range<usize>| {
        fresh.iter().any(|new| new.start <= range.end && range.start <= new.end)
    };
    executable.iter().filter(touches).cloned().collect()
}

/// Replaces what can be replaced, and looks whether that made anything else visible, in what
/// was there or in what was made.
fn look_and_replace(fresh: &[Range<usize>], seen: &mut Seen) -> Result<()> {
    let memory = File::open("/proc/self/mem").map_err(failed("reading the process's code"))?;
    let mut places = look(&memory, fresh)?;
    places.retain(|place| !is_allowed(place, &seen.checked));
    if places.is_empty() {
        return Ok(());
    }
    handle(&memory, &places, &mut seen.checked)?;
    let mut all = executable_ranges()?;
    all.retain(|range| !is_in_window(range, seen));
    let after = look(&memory, &all)?;
    match after.iter().find(|place| !is_allowed(place, &seen.checked)) {
        Some(place) => Err(refusal(place.gadget.address as usize, Obstacle::Needed)),
        None => Ok(()),
    }
}

/// Looks again if the dynamic linker has loaded anything.
#[inline]
pub(super) fn check_additions() -> Result<()> {
    if additions() == ADDITIONS.load(Ordering::Acquire) {
        return Ok(());
    }
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
                checked.push(patch::detour(address, place.gadget.length, mask)?);
            }
            _ => match mending::remove(memory, &place.gadget) {
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
    patch::replace(address, &STOP)
}

#[cold]
fn refusal(address: usize, obstacle: Obstacle) -> Error {
    let file = read_to_string("/proc/self/maps").unwrap_or_default();
    let line =
        file.lines().find(|line| parse(line).is_some_and(|(range, _)| range.contains(&address)));
    if let Some(path) = line.and_then(|line| line.split_whitespace().nth(5)) {
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

/// What is executable, from /proc/self/maps (proc_pid_maps(5)).
fn executable_ranges() -> Result<Vec<Range<usize>>> {
    /// Holds three system calls that the kernel emulates, and cannot be read.
    const VSYSCALL: usize = 0xffff_ffff_ff60_0000;
    let maps =
        read_to_string("/proc/self/maps").map_err(failed("reading the process's mappings"))?;
    let executable = maps.lines().filter_map(parse).filter(|(_, access)| access.contains('x'));
    executable
        .filter(|(range, _)| range.start != VSYSCALL)
        .map(|(range, access)| if access.contains('w') { Err(writable()) } else { Ok(range) })
        .collect()
}

/// What is there now may be something else soon.
const fn writable() -> Error {
    Error::Unsupported {
        what: "the process has memory that is both writable and executable",
        remedy: "use Isolation::Process",
    }
}

fn parse(line: &str) -> Option<(Range<usize>, &str)> {
    let mut columns = line.split_whitespace();
    let (start, end) = columns.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    Some((start..end, columns.next()?))
}

/// How many objects the dynamic linker ever loaded, and unloaded.
fn additions() -> u64 {
    unsafe extern "C" fn note(
        info: *mut libc::dl_phdr_info,
        _size: libc::size_t,
        into: *mut c_void,
    ) -> libc::c_int {
        // SAFETY: the dynamic linker's record, which has these since glibc 2.4.
        let info = unsafe { &*info };
        let sum = info.dlpi_adds.wrapping_add(info.dlpi_subs.rotate_left(32));
        // SAFETY: the caller's word.
        unsafe { into.cast::<u64>().write(sum) };
        1
    }
    let mut sum = 0u64;
    // SAFETY: calls `note` once, with our word.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut sum).cast()) };
    sum
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
