//! The same jobs with the library called directly, for the cost of plain FFI.
//!
//! The image is opened in this process like any library, and its functions are called as C would
//! call them. If a library can call back, the foreign call runs on its own stack, and a callback
//! suspends it.
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

/// The memory for scopes and boxes, in bytes. Untouched memory costs nothing.
const EXCHANGE: usize = 256 << 20;

/// The highest address of a program, minus one page.
const TOP: usize = (1 << 47) - 4096;

/// A shim or a trampoline.
type Entry = unsafe extern "C" fn(*mut c_void);

/// The description that the generated C code contains.
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
    /// Suspends the running foreign code.
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

/// Opens a library in this process.
///
/// # Errors
/// Why it cannot be opened.
pub fn plain<L: Library<Runtime = Plain>>() -> Result<L> {
    let scratch = Scratch::new()?;
    let path = scratch.write("image.so", L::DESCRIPTION.image)?;
    // SAFETY: the corpus's libraries do nothing unusual in their constructors.
    let opened = unsafe { Opened::open(Some(path), RTLD_NOW | RTLD_GLOBAL)? };
    // SAFETY: the generated C code defines a constant with this name and type.
    let image = unsafe { opened.get::<*const Image>(b"omniglot_image\0")? };
    let image = (*image).cast::<Image>();
    std::mem::forget(opened);
    // SAFETY: the library is never closed.
    let image = unsafe { image.as_ref() }.context("an image that is null")?;
    ensure!(image.abi == 1, "an image of another version");
    // SAFETY: this is the address of the image's variable for this function.
    unsafe { *image.callback = Some(call_back) };
    let bottom = NonNull::new(ptr::without_provenance_mut(4096)).context("null")?;
    // SAFETY: the host only accesses memory to which these libraries give it valid pointers, which
    // plain FFI trusts.
    let window = unsafe { Window::new(bottom, 4096, TOP - 4096) };
    let exchange = vec![0; EXCHANGE / size_of::<u128>()];
    let (waiting, stacks) = (Vec::new(), Vec::new());
    Ok(L::assemble(Plain { window, exchange, image, waiting, stacks }))
}

/// The function that trampolines call.
unsafe extern "C" fn call_back(slot: u32, frame: *mut c_void) {
    let me = RUNNING.get();
    // SAFETY: foreign code runs only below `Plain::run`, which set this up for suspending it.
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
    // SAFETY: the core passes an address that `shim` returned.
    let entry = unsafe { std::mem::transmute::<*const (), Entry>(entry) };
    // SAFETY: this is a shim with its frame, as the core guarantees.
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
        // SAFETY: the list has more entries than that, and they are constants.
        Some(unsafe { entry.read() } as usize)
    }
}

// SAFETY: the image's constants do not depend on a thread, and only the thread that started a
// library uses it.
unsafe impl Send for Plain {}

// SAFETY: foreign code runs only inside `run`. These libraries write only memory that C's rules
// give them, which holds no Rust objects.
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
