//! What a host does with a library in WebAssembly, whichever way that runs.

use std::sync::Arc;

use anyhow::{Context, Result};
use wasmtime::{WasmParams, WasmResults};

use crate::passed::Passed;

/// Arguments for functions of modules, whichever way those run.
pub(crate) trait Parameters: WasmParams + Passed + 'static {}

impl<T: WasmParams + Passed + 'static> Parameters for T {}

/// An instance of a module.
pub(crate) trait Guest: Sized + 'static {
    /// A function of the module, found once.
    type Function<P: Parameters, R: WasmResults + 'static>: 'static;

    /// Finds a function.
    fn find<P: Parameters, R: WasmResults>(&mut self, name: &str) -> Result<Self::Function<P, R>>;

    /// Calls a function.
    fn call<P: Parameters, R: WasmResults>(
        &mut self,
        function: &Self::Function<P, R>,
        arguments: P,
    ) -> Result<R>;

    /// Returns the module's memory.
    fn memory(&mut self) -> &mut [u8];

    /// Makes a function pointer of the host's function that adds one.
    fn step(&mut self) -> Result<u32>;

    /// Makes a function pointer of the host's function that gives libpng the next bytes of the
    /// file.
    fn reader(&mut self) -> Result<u32>;

    /// Sets the file that [`reader`](Self::reader)'s function reads, from its start.
    fn open(&mut self, file: Arc<[u8]>);
}

/// Memory in the module that is kept from call to call, as a host that cares about time does.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    address: u32,
    size: usize,
}

impl Room {
    /// Has the module allocate memory.
    pub(crate) fn new<G: Guest>(guest: &mut G, size: usize) -> Result<Self> {
        let malloc = guest.find::<(u32,), u32>("malloc")?;
        let address = guest.call(&malloc, (u32::try_from(size.max(1))?,))?;
        anyhow::ensure!(address != 0, "the module has no memory of {size} bytes");
        Ok(Self { address, size })
    }

    /// Returns the address in the module's memory.
    pub(crate) const fn address(self) -> u32 {
        self.address
    }

    /// Copies bytes into the module's memory.
    pub(crate) fn write<G: Guest>(self, guest: &mut G, bytes: &[u8]) -> Result<()> {
        let room = self.bytes(guest, bytes.len())?;
        room.copy_from_slice(bytes);
        Ok(())
    }

    /// Returns the first bytes.
    pub(crate) fn bytes<G: Guest>(self, guest: &mut G, len: usize) -> Result<&mut [u8]> {
        let start = self.address as usize;
        let end = Some(len).filter(|len| *len <= self.size).map(|len| start + len);
        end.and_then(|end| guest.memory().get_mut(start..end)).context("not in the module's memory")
    }

    /// Writes a 32-bit number.
    pub(crate) fn set<G: Guest>(self, guest: &mut G, number: u32) -> Result<()> {
        self.write(guest, &number.to_le_bytes())
    }

    /// Reads a 32-bit number.
    pub(crate) fn get<G: Guest>(self, guest: &mut G) -> Result<u32> {
        let bytes = self.bytes(guest, 4)?.first_chunk().context("a number has four bytes")?;
        Ok(u32::from_le_bytes(*bytes))
    }
}
