//! The same program with the library called directly: what plain FFI takes.
//!
//! The image is opened as any library, in this program, and its functions are called as C would call
//! them. A callback suspends the foreign call, which runs on a stack of its own where the library
//! can call back at all.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_void;
use std::fmt;
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, ensure};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use libloading::os::unix::{Library as Opened, RTLD_GLOBAL, RTLD_NOW};
use omniglot::{Calls, Event, Guarantees, IsolationKind, Library, Reply, Runtime, Step, Window};

use crate::Scratch;

/// What is allocated for scopes and boxes, in bytes. Untouched memory costs nothing.
const EXCHANGE: usize = 256 << 20;

/// The largest address of a program, and one page less.
const TOP: usize = (1 << 47) - 4096;

/// A shim or a trampoline.
type Entry = unsafe extern "C" fn(*mut c_void);

/// What generated C says of itself.
#[repr(C)]
struct Image {
    abi: u32,
    shim_count: u32,
    slot_count: u32,
    reserved: u32,
    shims: *const Entry,
    trampolines: *const Entry,
    callback: *mut Option<unsafe extern "C" fn(u32, *mut c_void)>,
}

thread_local! {
    /// What suspends the foreign code that runs.
    static RUNNING: Cell<*const Yielder<Reply, Event>> = const { Cell::new(ptr::null()) };
}

/// A runtime without isolation, gate or checks of its own.
pub struct Plain {
    window: Window,
    exchange: Vec<u128>,
    image: &'static Image,
    waiting: Vec<Coroutine<Reply, Event, ()>>,
    stacks: Vec<DefaultStack>,
}

impl fmt::Debug for Plain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Plain").finish_non_exhaustive()
    }
}

/// Opens a library in this program.
///
/// # Errors
/// Why it cannot be opened.
pub fn plain<L: Library<Runtime = Plain>>() -> Result<L> {
    let scratch = Scratch::new()?;
    let path = scratch.write("image.so", L::DESCRIPTION.image)?;
    // SAFETY: the corpus's libraries do in their constructors what they do in any program.
    let opened = unsafe { Opened::open(Some(path), RTLD_NOW | RTLD_GLOBAL)? };
    // SAFETY: generated C defines a constant of this name and type.
    let image = unsafe { opened.get::<*const Image>(b"omniglot_image\0")? };
    let image = (*image).cast::<Image>();
    std::mem::forget(opened);
    // SAFETY: the library is never closed.
    let image = unsafe { image.as_ref() }.context("an image that is null")?;
    ensure!(image.abi == 1, "an image of another version");
    // SAFETY: it is the address of the image's variable for this function.
    unsafe { *image.callback = Some(call_back) };
    let bottom = NonNull::new(ptr::without_provenance_mut(4096)).context("null")?;
    // SAFETY: nothing makes the host look where the library does not say that there is something,
    // and these libraries say the truth: that is what plain FFI trusts in.
    let window = unsafe { Window::new(bottom, 4096, TOP - 4096) };
    let exchange = vec![0; EXCHANGE / size_of::<u128>()];
    let (waiting, stacks) = (Vec::new(), Vec::new());
    Ok(L::assemble(Plain { window, exchange, image, waiting, stacks }))
}

/// What trampolines call.
unsafe extern "C" fn call_back(slot: u32, frame: *mut c_void) {
    let me = RUNNING.get();
    // SAFETY: foreign code runs only below `Plain::run`, which has it suspended here.
    let yielder = unsafe { &*me };
    let reply = yielder.suspend(Event::Callback { slot, arguments: frame.addr() });
    RUNNING.set(me);
    if let Reply::Raise { entry, arguments } = reply {
        enter(entry, arguments);
    }
}

/// Runs a shim.
fn enter(entry: usize, arguments: usize) {
    let entry: *const () = ptr::with_exposed_provenance(entry);
    // SAFETY: the core passes what `shim` gave it.
    let entry = unsafe { std::mem::transmute::<*const (), Entry>(entry) };
    // SAFETY: it is a shim, and this its frame, as the core promises.
    unsafe { entry(ptr::with_exposed_provenance_mut(arguments)) };
}

impl Plain {
    fn go_on(&mut self, reply: Reply) -> omniglot::Result<Event> {
        let nobody = omniglot::Error::Misuse("no foreign code waits");
        let mut foreign = self.waiting.pop().ok_or(nobody)?;
        match foreign.resume(reply) {
            CoroutineResult::Yield(event) => {
                self.waiting.push(foreign);
                Ok(event)
            }
            CoroutineResult::Return(()) => {
                self.stacks.push(foreign.into_stack());
                Ok(Event::Returned)
            }
        }
    }

    fn start(&mut self, entry: usize, arguments: usize) -> omniglot::Result<Event> {
        if self.image.slot_count == 0 {
            enter(entry, arguments);
            return Ok(Event::Returned);
        }
        let stack = match self.stacks.pop() {
            Some(stack) => stack,
            None => DefaultStack::new(8 << 20)
                .map_err(|_| omniglot::Error::Misuse("there is no room for a stack"))?,
        };
        self.waiting.push(Coroutine::with_stack(stack, move |yielder, _| {
            let before = RUNNING.replace(yielder);
            enter(entry, arguments);
            RUNNING.set(before);
        }));
        self.go_on(Reply::Return)
    }

    fn entry(&self, list: *const Entry, index: u32, count: u32) -> Option<usize> {
        if index >= count {
            return None;
        }
        // SAFETY: the list has more entries than that.
        let entry = unsafe { list.add(index as usize) };
        // SAFETY: as above; they are constants.
        Some(unsafe { entry.read() } as usize)
    }
}

// SAFETY: the image's constants belong to no thread, and a library of the corpus is used by the
// thread that started it.
unsafe impl Send for Plain {}

// SAFETY: foreign code runs inside `run` only, and these libraries write no memory but what C's
// rules give them, which no Rust object has.
unsafe impl Runtime for Plain {
    const GUARANTEES: Guarantees =
        Guarantees { memory: false, types: true, aliasing: true, containment: false };
    const COUNTS_CALLS: bool = false;
    const TICKS_PER_SECOND: u64 = 1;
    type InterruptHandle = ();

    fn window(&self) -> &Window {
        &self.window
    }

    fn is_concurrent(&self) -> bool {
        false
    }

    fn exchange(&self) -> (usize, usize) {
        (self.exchange.as_ptr().expose_provenance(), EXCHANGE)
    }

    fn shim(&self, index: u32) -> Option<usize> {
        self.entry(self.image.shims, index, self.image.shim_count)
    }

    fn trampoline(&self, slot: u32) -> Option<usize> {
        self.entry(self.image.trampolines, slot, self.image.slot_count)
    }

    fn isolation(&self) -> IsolationKind {
        IsolationKind::Unprotected
    }

    fn interrupt_handle(&self) {}

    unsafe fn run(&mut self, step: Step, _: &mut Calls) -> omniglot::Result<Event> {
        match step {
            Step::Call { entry, arguments } => self.start(entry, arguments),
            Step::Resume(reply) => self.go_on(reply),
        }
    }

    fn kill(&mut self) {}
}
