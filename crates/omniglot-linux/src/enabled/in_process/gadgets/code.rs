//! What the process can execute. Protection keys do not restrict where code may jump, so
//! no executable memory may contain an instruction that changes what they allow, at any
//! byte offset.
//!
//! The gate's own are followed by checks. The known ones of the C library and the dynamic linker
//! are replaced: in a domain's copy by an instruction that faults; in the host by one that the
//! signal handler carries out for the host, or by a jump to an equivalent that checks what it did.
//! Bytes that only happen to form one, such as the displacement of a call, are encoded differently.
//! Any other makes domains behind keys unsupported in the process.
//!
//! Scanned code is identified by its address and by the file and offset mapped there. That holds
//! only until something changes there: `changes` says when to scan again.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::{File, read_to_string};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Mutex, PoisonError};

use omniglot_core::{Error, Result, Text};
use omniglot_scan::{Code, Gadget, Kind, Known, Obstacle, Setting, find, known};

use super::linker::{self, Notice};
use super::rewrite::{self, Refusal};
use super::{changes, patch};
use crate::enabled::generation::PerProcess;
use crate::enabled::in_process::addresses::Addresses;
use crate::enabled::in_process::places;
use crate::enabled::layout::PAGE;
use crate::enabled::system::{failed, own_number};

/// `ud2; nop`, in the place of `WRPKRU`.
const STOP: [u8; 3] = [0x0f, 0x0b, 0x90];
/// How long the instruction is that the signal handler carries out.
pub(crate) const EMULATED_LENGTH: u64 = 3;

/// Where the handler carries out `WRPKRU` for the host.
static EMULATED: Addresses = Addresses::new();
/// Instructions that are followed by a check. Forked children inherit them.
static CHECKED: Addresses = Addresses::new();

/// A forked child has a record of its own: its parent's may be in use by a thread that scans.
static RECORD: PerProcess<Record> = PerProcess::new();
/// Whether the host ever made memory executable itself.
static HOSTS_OWN: AtomicBool = AtomicBool::new(false);

/// What was looked at.
#[derive(Debug, Default)]
struct Record {
    /// The thread that uses `seen`; 0 if none does. It is one word, so that a handler can tell
    /// whether it interrupted that thread.
    owner: AtomicU32,
    /// Whether such a handler changed something.
    is_missed: AtomicBool,
    /// Only for the owner.
    seen: Mutex<Seen>,
}

/// The code that was scanned, and what may stay in it.
#[derive(Debug, Default)]
struct Seen {
    regions: Vec<ExecutableRange>,
    /// Windows of domains, whose code was scanned before it was mapped.
    windows: Vec<Range<usize>>,
    /// Windows of domains without a key: code that counts as the host's, in files of ours that
    /// nobody writes.
    plain: Vec<Range<usize>>,
    /// The dynamic linker's counts of loads and unloads.
    linked: Linked,
}

/// Executable memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ExecutableRange {
    range: Range<usize>,
    file: FileIdentity,
}

/// What is mapped there: device, inode and offset (proc_pid_maps(5)); zeros for no file.
type FileIdentity = (u64, u64, u64);

/// Whether the host's `WRPKRU` was there.
pub(crate) fn is_emulated(place: usize) -> bool {
    EMULATED.contains(place)
}

/// How often to start again if code is unmapped during a scan.
const ATTEMPTS: usize = 10;

impl Record {
    /// This process's record, for its owner.
    ///
    /// # Errors
    /// As [`PerProcess::get`].
    fn get() -> Result<&'static Self> {
        RECORD.get()
    }

    /// Does something with what was seen, as soon as no other thread does. Not in a handler that
    /// interrupted the owner.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child that a handler forked since the record was asked for: a thread
    /// of its parent's may have that for ever.
    fn with<T>(&self, what: impl FnOnce(&mut Seen) -> T) -> Result<T> {
        let own = own_number();
        while self.owner.compare_exchange(0, own, SeqCst, SeqCst).is_err() {
            if !RECORD.is(self) {
                return Err(Error::Forked);
            }
            changes::pause();
        }
        let _owned = Owned(self);
        Ok(what(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn is_own(&self) -> bool {
        self.owner.load(SeqCst) == own_number()
    }
}

/// Owns the record until it is dropped.
struct Owned<'a>(&'a Record);

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        self.0.owner.store(0, SeqCst);
    }
}

/// Whether a scan is in progress. Usable in signal handlers (invariant 7).
pub(crate) fn is_being_looked_at() -> bool {
    RECORD.known().is_some_and(|record| record.owner.load(SeqCst) != 0)
}

/// A window of a domain, while it is mapped.
#[derive(Debug)]
pub(crate) struct Admitted(Range<usize>);

impl Admitted {
    /// Of which [`disarm`] looked at the code.
    pub(crate) fn window(range: Range<usize>) -> Result<Self> {
        Record::get()?.with(|seen| seen.windows.push(range.clone()))?;
        Ok(Self(range))
    }

    /// Of which nobody did.
    pub(crate) fn plain(range: Range<usize>) -> Result<Self> {
        Record::get()?.with(|seen| seen.plain.push(range.clone()))?;
        Ok(Self(range))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        // A forked child's record never had it.
        let _ = Record::get().and_then(|record| {
            record.with(|seen| {
                seen.windows.retain(|window| *window != self.0);
                seen.plain.retain(|window| *window != self.0);
            })
        });
    }
}

/// Whether a scan ever began: from then on there are results to discard.
static LOOKS: AtomicBool = AtomicBool::new(false);

/// Whether anything in this program scans code: only domains with keys do.
pub(crate) fn is_watched() -> bool {
    LOOKS.load(SeqCst)
}

/// Records that the host makes memory executable itself. If it unmaps that memory later, what the
/// dynamic linker loads at the same place cannot be identified by its place.
pub(crate) fn note_hosts_own() {
    HOSTS_OWN.store(true, SeqCst);
}

/// Discards the results for a range whose content has changed, or may have.
///
/// Takes a lock only in programs that have scanned, which only those with keys do. Without a lock
/// it is right that no scan has begun: a scan that begins afterwards sees the change. So does a
/// scan by this very thread that a handler interrupted: it starts again.
pub(crate) fn forget(changed: &Range<usize>) {
    if !is_watched() {
        return;
    }
    let Ok(record) = Record::get() else {
        return; // without one, nothing was looked at
    };
    if record.is_own() {
        return record.is_missed.store(true, SeqCst);
    }
    let is_apart = |range: &Range<usize>| range.end <= changed.start || changed.end <= range.start;
    // A forked child's own record has nothing to forget.
    let _ = record.with(|seen| seen.regions.retain(|region| is_apart(&region.range)));
}

/// Looks at all executable memory that was not looked at before.
pub(crate) fn check_process() -> Result<()> {
    linker::find()?;
    LOOKS.store(true, SeqCst);
    let record = Record::get()?;
    if record.is_own() {
        // In a handler that interrupted a look, which then begins again.
        record.is_missed.store(true, SeqCst);
        return Ok(());
    }
    if !linker::is_watched() {
        record.with(|_| linker::watch(on_change))??;
        linker::wait_for_others();
    }
    record.with(|seen| {
        let mut outcome = check_once(seen, &record.is_missed);
        for _ in 1..ATTEMPTS {
            let is_missed = record.is_missed.load(SeqCst);
            if !is_missed && !matches!(outcome, Err(Error::System { .. })) {
                break;
            }
            outcome = check_once(seen, &record.is_missed);
        }
        outcome
    })?
}

fn check_once(seen: &mut Seen, is_missed: &AtomicBool) -> Result<()> {
    let (epoch, linked) = (changes::epoch(), Linked::now());
    if is_missed.swap(false, SeqCst) {
        seen.regions.clear();
    }
    // What was loaded after an unload may lie at the same addresses.
    if linked.removals != seen.linked.removals {
        seen.regions.clear();
    }
    // So may what was loaded where the host had a mapping of its own, and unmapped it without an
    // announcement.
    if linked.additions != seen.linked.additions && HOSTS_OWN.load(SeqCst) {
        seen.regions.clear();
    }
    seen.linked = linked;
    linker::check_relocations()?;
    let executable = executable_regions(seen)?;
    // What was unmapped may be mapped again with other content.
    seen.regions.retain(|region| executable.contains(region));
    let fresh = not_seen(&executable, seen);
    seen.regions = look_and_replace(executable, &fresh, seen)?;
    changes::looked(epoch);
    Ok(())
}

fn is_in_window(range: &Range<usize>, seen: &Seen) -> bool {
    seen.windows.iter().any(|window| holds(window, range))
}

const fn holds(window: &Range<usize>, range: &Range<usize>) -> bool {
    window.start <= range.start && range.end <= window.end
}

/// The new ranges, and those adjacent to them, since an instruction can begin in one and end in the
/// other.
fn not_seen(executable: &[ExecutableRange], seen: &Seen) -> Vec<Range<usize>> {
    let is_new = |region: &&ExecutableRange| !seen.regions.contains(region);
    let fresh = ranges(executable.iter().filter(is_new));
    let touches = |region: &&ExecutableRange| {
        fresh.iter().any(|new| new.start <= region.range.end && region.range.start <= new.end)
    };
    ranges(executable.iter().filter(touches))
}

fn ranges<'a>(regions: impl Iterator<Item = &'a ExecutableRange>) -> Vec<Range<usize>> {
    regions.map(|region| region.range.clone()).collect()
}

/// Replaces what can be replaced, and checks whether the replacement uncovered other gadgets, in
/// old code or new. Returns all ranges scanned so far.
fn look_and_replace(
    executable: Vec<ExecutableRange>,
    fresh: &[Range<usize>],
    seen: &Seen,
) -> Result<Vec<ExecutableRange>> {
    if fresh.is_empty() {
        return Ok(executable);
    }
    let memory = File::open("/proc/self/mem").map_err(failed("reading the process's code"))?;
    let mut places = look(&memory, fresh)?;
    places.retain(|place| !is_allowed(place));
    if places.is_empty() {
        return Ok(executable);
    }
    handle(&memory, &places)?;
    let all = executable_regions(seen)?;
    let after = look(&memory, &ranges(all.iter()))?;
    match after.iter().find(|place| !is_allowed(place)) {
        Some(place) => Err(refusal(place.gadget.address as usize, Obstacle::Needed)),
        None => Ok(all),
    }
}

/// Scans again if the process's executable memory has changed, once the change has ended.
///
/// # Errors
/// As [`changes::wait`], and if there is code that cannot be replaced.
pub(crate) fn check_changes(must_stop: impl Fn() -> bool) -> Result<()> {
    if changes::are_settled() {
        return Ok(());
    }
    changes::wait(must_stop)?;
    check_process()
}

/// Called by the dynamic linker before and after it loads or unloads anything.
extern "C" fn on_change() {
    match linker::noticed() {
        Some(Notice::Begins) => changes::begin(),
        Some(Notice::Ends) => changes::end(check_process),
        None => {}
    }
}

/// A gadget, and the bytes from seven before it, as far as they are code.
struct Site {
    gadget: Gadget,
    known: Option<Known>,
}

fn is_allowed(place: &Site) -> bool {
    let address = place.gadget.address as usize;
    CHECKED.contains(address) || places::writes().contains(&address)
}

fn look(memory: &File, ranges: &[Range<usize>]) -> Result<Vec<Site>> {
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
    Ok(sites(&code))
}

fn sites(code: &[Code<'_>]) -> Vec<Site> {
    find(code, Kind::changes_keys)
        .into_iter()
        .map(|gadget| Site { known: recognise(&gadget, code), gadget })
        .collect()
}

/// Recognises a known gadget by the instructions around it, each of which has to match.
fn recognise(gadget: &Gadget, code: &[Code<'_>]) -> Option<Known> {
    known(gadget, Setting::Unknown, code, None)
}

/// Replaces the gadgets that are known in the host, or that occur by accident.
fn handle(memory: &File, places: &[Site]) -> Result<()> {
    for place in places {
        let address = place.gadget.address as usize;
        match place.known {
            Some(Known::PkeySet) => emulate(address)?,
            Some(Known::Restoring { mask, .. }) => {
                let announce = |place| CHECKED.add(place);
                // SAFETY: an instruction of the host's that was recognised, with this mask
                // (invariant 16).
                unsafe { patch::detour(address, place.gadget.length, mask, announce) }?;
            }
            _ => match rewrite::remove(memory, &place.gadget) {
                Ok(()) => {}
                Err(Refusal::Error(error)) => return Err(error),
                Err(Refusal::Obstacle(obstacle)) => return Err(refusal(address, obstacle)),
            },
        }
    }
    Ok(())
}

fn emulate(address: usize) -> Result<()> {
    // Before any thread can execute it.
    EMULATED.add(address);
    // SAFETY: one instruction, by another of its length that the signal handler carries out
    // (invariant 16).
    unsafe { patch::replace(address, &STOP) }
}

#[cold]
fn refusal(address: usize, obstacle: Obstacle) -> Error {
    let file = read_to_string("/proc/self/maps").unwrap_or_default();
    let mut lines = file.lines().filter_map(MapsLine::parse);
    let found = lines.find(|line| line.range.contains(&address));
    if let Some(path) = found.map(|line| line.name).filter(|name| !name.is_empty()) {
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
struct MapsLine<'a> {
    range: Range<usize>,
    access: &'a str,
    file: FileIdentity,
    name: &'a str,
}

impl<'a> MapsLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut columns = line.split_whitespace();
        let (start, end) = columns.next()?.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let access = columns.next()?;
        let offset = u64::from_str_radix(columns.next()?, 16).ok()?;
        let (major, minor) = columns.next()?.split_once(':')?;
        let number = |digits| u64::from_str_radix(digits, 16).ok();
        let device = number(major)? << 32 | number(minor)?;
        let inode = columns.next()?.parse().ok()?;
        let name = columns.next().unwrap_or_default();
        Some(Self { range: start..end, access, file: (device, inode, offset), name })
    }

    /// Whether it is memory of a file that may be written elsewhere, through another mapping or a
    /// descriptor.
    fn is_shared(&self) -> bool {
        self.access.contains('s') || self.name.starts_with("/memfd:")
    }

    /// Checks that the content of the range cannot change unnoticed.
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

/// All executable ranges, without the windows whose code was scanned.
fn executable_regions(seen: &Seen) -> Result<Vec<ExecutableRange>> {
    /// The page of three system calls that the kernel emulates; it cannot be read.
    const VSYSCALL: usize = 0xffff_ffff_ff60_0000;
    let maps =
        read_to_string("/proc/self/maps").map_err(failed("reading the process's mappings"))?;
    let lines = maps.lines().filter_map(MapsLine::parse);
    lines
        .filter(|line| line.access.contains('x') && line.range.start != VSYSCALL)
        .filter(|line| !is_in_window(&line.range, seen))
        .map(|line| {
            line.check_constant(seen)?;
            Ok(ExecutableRange { range: line.range, file: line.file })
        })
        .collect()
}

/// How many objects the dynamic linker has loaded, and unloaded, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
            // SAFETY: the dynamic linker's record, which has these since glibc 2.4 (invariant 15).
            let info = unsafe { &*info };
            let linked = Linked { additions: info.dlpi_adds, removals: info.dlpi_subs };
            // SAFETY: the caller's variable, which nobody else uses meanwhile (invariant 12).
            unsafe { into.cast::<Linked>().write(linked) };
            1
        }
        let mut linked = Self::default();
        // SAFETY: calls `note` once, with a variable that outlives the call (invariant 12).
        unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut linked).cast()) };
        linked
    }
}

/// Takes the known gadgets out of a domain's copy, whose window begins at `base`; any other
/// makes the library unfit.
pub(crate) fn disarm(copy: &File, base: usize, code: &[Range<usize>]) -> Result<()> {
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

fn look_at_copy(copy: &File, base: usize, code: &[Range<usize>]) -> Result<Vec<Site>> {
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
    Ok(sites(&code))
}

const _: () = assert!(PAGE == 4096, "what the kernel's mappings are multiples of");

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::enabled::generation::tests::in_child;

    #[test]
    fn a_look_of_the_parents_is_waited_for_by_no_child() {
        let record = Record::get().expect("a record");
        assert!(in_child(|| {
            // As if a handler had forked here while another thread looked.
            record.owner.store(own_number() + 1, SeqCst);
            record.with(|_| ()) == Err(Error::Forked) && has_a_record_of_its_own()
        }));
    }

    /// The child has a record that nobody has.
    fn has_a_record_of_its_own() -> bool {
        Record::get().is_ok_and(|own| own.with(|_| ()) == Ok(()))
    }
}
