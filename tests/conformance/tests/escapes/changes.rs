//! The host's executable memory changes: between calls, in callbacks, and on another thread during
//! a call. Foreign code must not run until the new code has been scanned.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use omniglot::{Error, IsolationKind, Runtime};

use super::gadgets::{PAGE, check, fxrstor, in_data, lfence, wrpkru};
use super::gate;
use super::library::{Escapes, HostCallback};
use crate::attacks::home::Home;

type Outcome = std::result::Result<(), Failed>;

/// `wrpkru; ret`, and a harmless variant.
const GADGET: &[u8] = &[0x0f, 0x01, 0xef, 0xc3];
const HARMLESS: &[u8] = &[0x90, 0x90, 0x90, 0xc3];

/// A library whose code is harmless until it is relocated.
const RELOCATED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relocated.so"));

pub(crate) fn trials<R: Runtime>(home: Home<R>) -> Vec<Trial> {
    let only_keys = home.isolation != IsolationKind::ProtectionKeys;
    let all = [
        home.trial_in(name("a_library_in_anothers_place"), move || reloaded(home), true),
        home.trial_in(name("a_library_where_a_page_was"), move || after_own(home), true),
        home.trial_in(name("a_library_where_an_unknown_page_was"), move || after_raw(home), true),
        home.trial_in(
            name("a_library_whose_code_is_relocated_during_a_call"),
            move || relocated(home),
            true,
        ),
        home.trial_in(name("a_page_made_executable"), move || made(home), true),
        home.trial_in(name("a_page_made_executable_again"), move || made_again(home), true),
        home.trial_in(
            name("a_page_made_executable_by_a_handler_on_the_way_in"),
            move || made_on_the_way_in(home),
            true,
        ),
        home.trial_in(name("a_page_mapped_over_one_that_was_seen"), move || over(home), true),
        home.trial_in(name("a_page_moved_over_one_that_was_seen"), move || moved(home), true),
        home.trial_in(name("a_page_that_is_written_elsewhere"), move || shared(home), true),
        home.trial_in(name("a_library_loaded_in_a_callback"), move || in_a_callback(home), true),
        home.trial_in(name("a_library_loaded_during_a_call"), move || during(home), true),
        home.trial_in(
            name("a_page_made_executable_during_a_call"),
            move || made_during(home),
            true,
        ),
        home.trial_in(name("harmless_code_during_a_call"), move || harmless_during(home), true),
    ];
    all.map(|trial| trial.with_ignored_flag(only_keys)).into()
}

fn name(of: &str) -> String {
    format!("changes::{of}")
}

/// Makes an instance of a harmless library, and checks that it works.
fn working<R: Runtime>(home: Home<R>) -> std::result::Result<lfence::GadgetLfence<R>, Failed> {
    let mut library = home.instance::<lfence::GadgetLfence<R>>()?;
    check(library.sound(2, 3), false)?;
    Ok(library)
}

/// A library in the host, until it is closed.
struct Loaded {
    handle: *mut libc::c_void,
    start: usize,
}

impl Loaded {
    fn open(image: &[u8]) -> std::result::Result<Self, Failed> {
        let file = Plugin::new();
        file.write(image)?;
        Self::of(&file)
    }

    fn of(file: &Plugin) -> std::result::Result<Self, Failed> {
        let name = CString::new(file.0.to_string_lossy().into_owned())?;
        // SAFETY: the object's initialisers do nothing.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        if handle.is_null() {
            return Err("the host cannot load the library".into());
        }
        // SAFETY: the object is open.
        let start = unsafe { libc::dlsym(handle, c"gadget_constants".as_ptr()) }.addr();
        Ok(Self { handle, start })
    }

    /// Returns the address at which it is loaded.
    fn base(&self) -> std::result::Result<usize, Failed> {
        // SAFETY: all zeros are valid for this type.
        let mut found: libc::Dl_info = unsafe { std::mem::zeroed() };
        // SAFETY: this queries an address in an object that is open.
        let known = unsafe { libc::dladdr(address(self.start), &raw mut found) };
        if known == 0 { Err("no such object".into()) } else { Ok(found.dli_fbase.addr()) }
    }

    fn close(self) {
        // SAFETY: nothing of the object is in use.
        unsafe { libc::dlclose(self.handle) };
    }
}

/// A library's file. It is replaced while no process has it loaded, as a compiler does.
struct Plugin(std::path::PathBuf);

impl Plugin {
    fn new() -> Self {
        let name = format!("omniglot-change-{}.so", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn write(&self, image: &[u8]) -> Outcome {
        Ok(std::fs::write(&self.0, image)?)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Loads another version of a plugin, as programs do. The dynamic linker chooses its address.
/// Nearly always that is the same as before; otherwise this is repeated.
fn reloaded<R: Runtime>(home: Home<R>) -> Outcome {
    let mut library = working(home)?;
    let file = Plugin::new();
    for _ in 0..16 {
        file.write(fxrstor::DESCRIPTION.image)?;
        let first = Loaded::of(&file)?;
        // The plugin is scanned and accepted.
        check(library.sound(2, 3), false)?;
        let place = first.start;
        first.close();
        file.write(wrpkru::DESCRIPTION.image)?;
        let second = Loaded::of(&file)?;
        if second.start == place {
            return check(library.sound(2, 3), true);
        }
        second.close();
    }
    Err("nothing was tested: it never lay where the other one was".into())
}

/// Generates code, as a compiler at run time does.
fn made<R: Runtime>(home: Home<R>) -> Outcome {
    let mut library = working(home)?;
    code(HARMLESS)?;
    check(library.sound(2, 3), false)?;
    code(GADGET)?;
    check(library.sound(2, 3), true)
}

/// Changes code that it has generated before.
fn made_again<R: Runtime>(home: Home<R>) -> Outcome {
    let page = code(HARMLESS)?;
    let mut library = working(home)?;
    write(page, GADGET)?;
    check(library.sound(2, 3), true)
}

/// The page that the handler makes executable once the thread is at the gate.
static PAGE_OF_HANDLER: AtomicUsize = AtomicUsize::new(0);

/// The trap flag (Intel SDM volume 1, section 3.4.3).
const TRAP_FLAG: i64 = 0x100;

/// Continues single-stepping up to the gate.
extern "C" fn make_at_the_gate(_: i32, _: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    // SAFETY: this is the kernel's context.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    if registers[libc::REG_RIP as usize] as usize == gate::keyed_start() {
        registers[libc::REG_EFL as usize] &= !TRAP_FLAG;
        let page = PAGE_OF_HANDLER.swap(0, Ordering::Relaxed);
        // SAFETY: the page is ours, and nothing else uses it.
        unsafe { libc::mprotect(address(page), PAGE, CODE) };
    }
}

/// A thread that interrupted itself does not wait for any other, so its own change has to be
/// scanned before it continues.
fn made_on_the_way_in<R: Runtime>(home: Home<R>) -> Outcome {
    let mut library = working(home)?;
    let page = code(HARMLESS)?;
    check(library.sound(2, 3), false)?;
    protect(page, libc::PROT_READ | libc::PROT_WRITE)?;
    // SAFETY: the page is ours, and nothing else uses it.
    unsafe { address(page).cast::<u8>().copy_from_nonoverlapping(GADGET.as_ptr(), GADGET.len()) };
    PAGE_OF_HANDLER.store(page, Ordering::Relaxed);
    // SAFETY: all zeros are valid for this type.
    let mut action = unsafe { std::mem::zeroed::<libc::sigaction>() };
    action.sa_sigaction = make_at_the_gate as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler makes only a system call, and takes no locks.
    unsafe { libc::sigaction(libc::SIGTRAP, &raw const action, null_mut()) };
    // SAFETY: this changes only the trap flag, for which there is a handler.
    unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    let outcome = library.sound(2, 3);
    if PAGE_OF_HANDLER.load(Ordering::Relaxed) != 0 {
        return Err("nothing was tested: the thread never came to the gate".into());
    }
    check(outcome, true)?;
    // Otherwise the instance is fine.
    write(page, HARMLESS)?;
    check(library.sound(2, 3), false)
}

fn over<R: Runtime>(home: Home<R>) -> Outcome {
    let page = code(HARMLESS)?;
    let mut library = working(home)?;
    let path = std::env::temp_dir().join(format!("omniglot-change-{}", std::process::id()));
    std::fs::write(&path, [GADGET, &[0x90; PAGE - 4]].concat())?;
    let file = std::fs::File::open(&path)?;
    std::fs::remove_file(&path)?;
    let access = libc::PROT_READ | libc::PROT_EXEC;
    let file = std::os::fd::AsRawFd::as_raw_fd(&file);
    map(page, PAGE, access, libc::MAP_PRIVATE | libc::MAP_FIXED, file)?;
    check(library.sound(2, 3), true)
}

/// Moves memory that was made executable while no library ran. It is scanned with everything else.
fn moved<R: Runtime>(home: Home<R>) -> Outcome {
    let (page, other) = (code(HARMLESS)?, code(HARMLESS)?);
    let mut library = working(home)?;
    write(other, GADGET)?;
    // SAFETY: the two pages are ours, and nothing else uses them.
    let moved = unsafe {
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        libc::mremap(address(other), PAGE, PAGE, flags, address(page))
    };
    if moved.addr() != page {
        return Err("a page stays where it was".into());
    }
    check(library.sound(2, 3), true)
}

/// Maps the same memory twice, once writable and once executable.
fn shared<R: Runtime>(home: Home<R>) -> Outcome {
    let mut library = working(home)?;
    // SAFETY: this makes a file in memory.
    let file = unsafe { libc::memfd_create(c"code".as_ptr(), libc::MFD_CLOEXEC) };
    // SAFETY: the descriptor is ours.
    if unsafe { libc::ftruncate(file, PAGE as i64) } != 0 {
        return Err("a file in memory".into());
    }
    map(0, PAGE, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_SHARED, file)?;
    check(library.sound(2, 3), true)
}

fn in_a_callback<R: Runtime>(home: Home<R>) -> Outcome {
    let mut library = home.instance::<Escapes<R>>()?;
    let load = || Loaded::open(wrpkru::DESCRIPTION.image).is_ok();
    let outcome = library.with_callback::<HostCallback, _>(
        &mut |_, value| Ok(if load() { value } else { -1 }),
        |library, function| library.call_host(function, 5),
    )?;
    check(outcome, true)
}

/// Returns the outcome of an endless call while something happens in the host. The call is
/// interrupted after a while.
fn beside<R: Runtime>(
    home: Home<R>,
    what: impl FnOnce() -> Outcome,
) -> std::result::Result<omniglot::Result<i32>, Failed> {
    let mut library = home.instance::<Escapes<R>>()?;
    check(library.sound(2, 3), false)?;
    let handle = library.interrupt_handle();
    let is_in = AtomicBool::new(false);
    thread::scope(|scope| {
        let call = scope.spawn(|| {
            is_in.store(true, Ordering::Release);
            library.hold(u64::MAX, false)
        });
        while !is_in.load(Ordering::Acquire) {
            thread::yield_now();
        }
        // Long enough for the call to be in foreign code, unless the machine is overloaded.
        thread::sleep(Duration::from_millis(300));
        let happened = what();
        thread::sleep(Duration::from_millis(300));
        while !call.is_finished() {
            (home.interrupt)(&handle);
            thread::sleep(Duration::from_millis(5));
        }
        happened?;
        call.join().map_err(|_| Failed::from("the call panicked"))
    })
}

fn during<R: Runtime>(home: Home<R>) -> Outcome {
    check(beside(home, || Loaded::open(wrpkru::DESCRIPTION.image).map(|_| ()))?, true)
}

fn made_during<R: Runtime>(home: Home<R>) -> Outcome {
    check(beside(home, || code(GADGET).map(|_| ()))?, true)
}

/// The call must continue afterwards.
fn harmless_during<R: Runtime>(home: Home<R>) -> Outcome {
    let load_and_make = || {
        Loaded::open(in_data::DESCRIPTION.image)?.close();
        code(HARMLESS).map(|_| ())
    };
    match beside(home, load_and_make)? {
        Err(Error::Interrupted) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

const fn address(place: usize) -> *mut libc::c_void {
    std::ptr::with_exposed_provenance_mut(place)
}

/// Makes a page of code in the host, which is a mapping of its own whatever is next to it.
fn code(bytes: &[u8]) -> std::result::Result<usize, Failed> {
    let room = map(0, 3 * PAGE, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)?;
    let page = room + PAGE;
    write(page, bytes)?;
    Ok(page)
}

/// Changes such a page.
fn write(page: usize, bytes: &[u8]) -> Outcome {
    protect(page, libc::PROT_READ | libc::PROT_WRITE)?;
    // SAFETY: the page is ours, and nothing else uses it.
    unsafe { address(page).cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    protect(page, libc::PROT_READ | libc::PROT_EXEC)
}

fn protect(page: usize, access: i32) -> Outcome {
    // SAFETY: the page is ours, and nothing else uses it.
    match unsafe { libc::mprotect(address(page), PAGE, access) } {
        0 => Ok(()),
        _ => Err("a page's protection".into()),
    }
}

fn map(
    at: usize,
    size: usize,
    access: i32,
    flags: i32,
    file: i32,
) -> std::result::Result<usize, Failed> {
    let at = if at == 0 { null_mut() } else { address(at) };
    // SAFETY: the range is unused, or it is a page of ours that nothing else uses.
    let page = unsafe { libc::mmap(at, size, access, flags, file, 0) };
    if page == libc::MAP_FAILED { Err("a page of code".into()) } else { Ok(page.addr()) }
}

/// An executable mapping, with its offset in its file.
#[derive(PartialEq)]
struct Code {
    start: usize,
    size: usize,
    offset: usize,
}

/// Returns the executable mapping at an address or after it.
fn code_from(address: usize) -> std::result::Result<Code, Failed> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mut code = maps.lines().filter_map(|line| {
        let mut columns = line.split_whitespace();
        let (start, end) = columns.next()?.split_once('-')?;
        let number = |digits| usize::from_str_radix(digits, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        let is_meant = columns.next()?.contains('x') && end > address;
        let offset = number(columns.next()?)?;
        is_meant.then_some(Code { start, size: end - start, offset })
    });
    code.next().ok_or_else(|| "no code there".into())
}

/// Maps code of the host at an address, from a file or anonymously.
type Map = fn(&Code, &Plugin) -> Outcome;

const CODE: i32 = libc::PROT_READ | libc::PROT_EXEC;
const PLACE: i32 = libc::MAP_PRIVATE | libc::MAP_FIXED_NOREPLACE;

/// Maps the plugin's own file, with its contents at that time.
fn after_own<R: Runtime>(home: Home<R>) -> Outcome {
    in_its_place(home, |at, file| {
        let file = std::fs::File::open(&file.0)?;
        let (file, offset) = (std::os::fd::AsRawFd::as_raw_fd(&file), at.offset as i64);
        // SAFETY: nothing else uses the range.
        let page = unsafe { libc::mmap(address(at.start), at.size, CODE, PLACE, file, offset) };
        if page == libc::MAP_FAILED { Err("a page of code".into()) } else { Ok(()) }
    })
}

/// Maps code by the raw system call, of which the runtime is not informed.
fn after_raw<R: Runtime>(home: Home<R>) -> Outcome {
    in_its_place(home, |at, _| {
        let flags = PLACE | libc::MAP_ANONYMOUS;
        // SAFETY: nothing else uses the range.
        let page = unsafe { libc::syscall(libc::SYS_mmap, at.start, at.size, CODE, flags, -1, 0) };
        if page < 0 { Err("a page of code".into()) } else { Ok(()) }
    })
}

/// The host maps code somewhere, which is scanned, and unmaps it again. Then a library is loaded,
/// whose code differs. The dynamic linker chooses its address. Nearly always that is the same as
/// before; otherwise this is repeated.
fn in_its_place<R: Runtime>(home: Home<R>, map: Map) -> Outcome {
    let mut library = working(home)?;
    let file = Plugin::new();
    for _ in 0..16 {
        file.write(fxrstor::DESCRIPTION.image)?;
        let first = Loaded::of(&file)?;
        let code = code_from(first.base()?)?;
        first.close();
        map(&code, &file)?;
        // The page is scanned and accepted.
        check(library.sound(2, 3), false)?;
        // SAFETY: the mapping is ours, and nothing else uses it.
        unsafe { libc::munmap(address(code.start), code.size) };
        file.write(wrpkru::DESCRIPTION.image)?;
        let second = Loaded::of(&file)?;
        if code_from(second.base()?)? == code {
            return check(library.sound(2, 3), true);
        }
        second.close();
    }
    Err("nothing was tested: it never lay where the page was".into())
}

/// The dynamic linker reports that it has loaded the library, and changes its code afterwards.
fn relocated<R: Runtime>(home: Home<R>) -> Outcome {
    check(beside(home, || Loaded::open(RELOCATED).map(|_| ()))?, true)
}
