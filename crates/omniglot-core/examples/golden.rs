//! The core's shortest ways, of which `tests/golden.rs` compares what the compiler makes.
//!
//! The runtime's foreign code is a function that does nothing, so that all that is left is what
//! the core does around it.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::ptr::NonNull;

use omniglot_core::{
    Calls, Description, Event, Frame, Guarantees, HEADER_SIZE, IsolationKind, Ptr, Result, Runtime,
    Step, View, Window, call, define_library,
};

define_library! {
    /// A library of one function.
    pub struct Golden, Interface; DESCRIPTION; default Plain
}
const DESCRIPTION: Description =
    Description { name: "golden", image: &[], shims: 3, slots: 0, functions: &["add"] };

/// The window's size in bytes.
const SIZE: usize = 4096;

/// Memory that nobody else writes, and a function for foreign code.
struct Plain {
    window: Window,
}

#[inline(never)]
extern "C" fn foreign(entry: usize, arguments: usize) {
    black_box((entry, arguments));
}

// SAFETY: there is no foreign code; the window is memory that is never freed (invariant 1).
unsafe impl Runtime for Plain {
    const GUARANTEES: Guarantees =
        Guarantees { memory: true, types: true, aliasing: true, containment: true };
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
        (self.window.start(), self.window.len())
    }
    fn shim(&self, index: u32) -> Option<usize> {
        Some(index as usize)
    }
    fn trampoline(&self, _: u32) -> Option<usize> {
        None
    }
    fn isolation(&self) -> IsolationKind {
        IsolationKind::Process
    }
    fn interrupt_handle(&self) {}
    unsafe fn run(&mut self, step: Step, _: &mut Calls) -> Result<Event> {
        if let Step::Call { entry, arguments } = step {
            foreign(entry, arguments);
        }
        Ok(Event::Returned)
    }
    fn kill(&mut self) {}
}

/// A read through a view.
#[unsafe(no_mangle)]
#[inline(never)]
fn golden_deref(view: &View<'_, u64>) -> u64 {
    **view
}

/// The check of an address.
#[unsafe(no_mangle)]
#[inline(never)]
fn golden_upgrade(library: &Interface<Plain>, pointer: Ptr<u64>) -> bool {
    library.upgrade(pointer).is_ok()
}

/// The validation of a type of which any bits are valid.
#[unsafe(no_mangle)]
#[inline(never)]
fn golden_validate(frame: &Frame<16>) -> u64 {
    frame.get::<u64>(HEADER_SIZE).unwrap_or(0)
}

/// A generated call with two arguments and a result.
#[unsafe(no_mangle)]
#[inline(never)]
fn golden_call(library: &mut Interface<Plain>, a: i32, b: i32) -> Option<i32> {
    let mut frame = Frame::<24>::new();
    frame.put(8, &a);
    frame.put(12, &b);
    call(library, 2, frame.bytes_mut()).ok()?;
    frame.get(16).ok()
}

fn main() -> Result<()> {
    let memory = Box::leak(vec![0_u64; SIZE / 8].into_boxed_slice());
    let host = NonNull::from(memory).cast::<u8>();
    // SAFETY: leaked above, and used through the window only (invariant 1).
    let window = unsafe { Window::new(host, host.addr().get(), SIZE) };
    let mut library = Golden::from_runtime(Plain { window });
    let word = library.alloc(7_u64)?;
    assert!(golden_upgrade(&library, black_box(word.as_ref().as_ptr())));
    assert_eq!(golden_deref(&library.view(&word)?), 7);
    assert_eq!(golden_validate(black_box(&Frame::new())), 0);
    assert_eq!(golden_call(&mut library, black_box(1), black_box(2)), Some(0));
    Ok(())
}
