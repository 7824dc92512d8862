//! A domain's lives: what foreign code is told when one begins, what it asked for and wrote in it,
//! and what is kept when one ends.

use std::sync::atomic::Ordering::Relaxed;

use omniglot_core::{Result, Runtime};
use rustix::rand::{GetRandomFlags, getrandom};

use super::{InProcess, Protection};
use crate::enabled::in_process::context::BELIEVES;
use crate::enabled::in_process::places;
use crate::enabled::in_process::x87;
use crate::enabled::layout::Life;
use crate::enabled::learning;
use crate::enabled::requests;
use crate::enabled::system::refused;
use crate::enabled::world;
use crate::request::Request;

impl<P: Protection> InProcess<P> {
    /// Stores what the signal handlers need.
    pub(super) fn prepare(&mut self) -> Result<()> {
        let domain = &self.execution.context.domain;
        domain.base.store(self.layout.base, Relaxed);
        domain.size.store(self.layout.size, Relaxed);
        domain.alias.store(self.memory.start(), Relaxed);
        domain.allow.store(self.options.allow.bits(), Relaxed);
        domain.serve.store(self.hand_off.serve as u64, Relaxed);
        domain.serve_stack.store(self.hand_off.serve_stack as u64, Relaxed);
        let pool = self.hand_off.pool(&self.layout, &self.memory);
        domain.pool_start.store(pool.start, Relaxed);
        domain.pool_end.store(pool.end, Relaxed);
        // Asked for here, too, so that no handler is the first who looks for the kernel's clock.
        let time = world::time(&self.options);
        let stands = self.options.clock.map_or(0, |_| time.saturating_add(1));
        domain.clock.store(stands, Relaxed);
        if x87::believes_summary() {
            self.execution.context.features.store(BELIEVES, Relaxed);
        }
        if let Some(key) = &self.key {
            key.announce(&self.execution.context, self.layout.base);
        }
        self.begin_life()
    }

    /// Writes what foreign code, and the server among it, must know of the host.
    pub(super) fn begin_life(&mut self) -> Result<()> {
        let Self { options, environment, world, tree, .. } = self;
        let life = Life { options, environment, world, tree: *tree };
        self.layout.begin_life(&mut self.window, &life)?;
        self.heard = requests::said(&self.window)?;
        self.show_exits()
    }

    /// Takes what the library has to say before its memory goes.
    pub(super) fn end_life(&mut self) {
        if self.check_alive().is_err() {
            return;
        }
        if let Some(listener) = &mut self.listener {
            listener.hear(&self.window, true);
        }
        learning::note(self.description.name, &self.window, self.ended_by.take().as_ref());
    }

    /// What the library asked for and was answered with an error: see
    /// [`Process::requests`](crate::Process::requests).
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &ProtectionKeys) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// for request in runtime.requests()? {
    ///     eprintln!("{} {} failed with {}", request.system_call, request.path, request.error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Forked`] in a forked child.
    pub fn requests(&self) -> Result<Vec<Request>> {
        self.check_alive()?;
        requests::read(&self.window)
    }

    /// The last lines that the library wrote to its standard output and error: see
    /// [`Process::output`](crate::Process::output).
    ///
    /// ```
    /// # use omniglot_linux::*;
    /// # fn example(runtime: &ProtectionKeys) -> omniglot_core::Result<()> {
    /// // `runtime` is `instance.runtime()`.
    /// for line in runtime.output()?.lines() {
    ///     eprintln!("the library says: {line}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Forked`] in a forked child.
    pub fn output(&self) -> Result<String> {
        self.check_alive()?;
        requests::output(&self.window)
    }

    /// Stores the addresses of the domain's exits where foreign code finds them.
    fn show_exits(&mut self) -> Result<()> {
        let (returns, callbacks) = match &self.key {
            None => places::exits(self.exit.0),
            Some(key) => places::keyed_exits(key.number),
        };
        let mut cells = [0; 16];
        for (cell, value) in cells.chunks_exact_mut(8).zip([returns, callbacks]) {
            cell.copy_from_slice(&value.to_ne_bytes());
        }
        self.memory.check_writable(self.hand_off.cells, cells.len())?;
        self.window.write(self.hand_off.cells, &cells)
    }

    /// Changes the domain's stack protector canary, since the previous life knew its value. No
    /// earlier frame is ever returned to, so no frame holds the old value.
    pub(super) fn renew_canary(&mut self) -> Result<()> {
        /// In the thread's control block: System V ABI for x86-64 as glibc and compilers have it.
        const PLACE: usize = 0x28;
        let place = self.hand_off.thread_pointer.wrapping_add(PLACE);
        let mut canary = [0; 8];
        if self.check_writable(place, canary.len()).is_err() {
            return Ok(()); // a thread pointer that is none, of a library that uses none
        }
        // The lowest byte stays 0, so that no string overflow can include it (glibc's
        // _dl_setup_stack_chk_guard).
        getrandom(&mut canary[1..], GetRandomFlags::empty()).map_err(refused("random bytes"))?;
        self.window.write(place, &canary)
    }

    /// Whether the library asked the server for anything in the outermost call.
    #[inline]
    pub(super) fn has_asked(&self) -> bool {
        self.execution.context.domain.has_been_asked(self.execution.last_call())
    }

    /// Notes how much the library has written, and hands it on.
    #[cold]
    pub(super) fn listen(&mut self) {
        if self.check_alive().is_err() {
            return;
        }
        if let Some(listener) = &mut self.listener {
            listener.hear(&self.window, false);
        }
        self.heard = requests::said(&self.window).unwrap_or(self.heard);
    }
}
