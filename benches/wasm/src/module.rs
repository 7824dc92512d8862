//! Modules that run with wasmtime.
//!
//! The settings are wasmtime's own, which are made for speed: optimised code, an instance's 4 GiB of
//! addresses and guard pages in place of checks of each address. Time is not limited (no fuel, no
//! epochs). Of WASI there is next to nothing, since these libraries compute only: what else they call is
//! a trap.

use std::sync::Arc;

use anyhow::{Context, Result};
use wasmtime::{
    Caller, Config, Engine, Func, Instance, Linker, Memory, Module, OptLevel, Ref, Store, Table,
    TypedFunc, WasmResults,
};

use crate::guest::{Guest, Parameters};

/// WASI's `EBADF`.
const BAD_DESCRIPTOR: u32 = 8;

/// The bytes of a library's module.
macro_rules! module {
    ($name:literal) => {
        ($name, include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm")).as_slice())
    };
}

const MODULES: [(&str, &[u8]); 6] = [
    module!("workloads"),
    module!("sodium"),
    module!("brotli"),
    module!("png16"),
    module!("z"),
    module!("sqlite3"),
];

/// All modules, compiled to machine code before anything is measured.
pub(crate) struct Modules {
    engine: Engine,
    modules: Vec<(&'static str, Module)>,
}

impl Modules {
    pub(crate) fn new() -> Result<Self> {
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::Speed);
        let engine = Engine::new(&config)?;
        let compile = |(name, bytes)| Ok((name, Module::new(&engine, bytes)?));
        let modules = MODULES.into_iter().map(compile).collect::<Result<_>>()?;
        Ok(Self { engine, modules })
    }

    /// Makes an instance of a library.
    pub(crate) fn instance(&self, library: &str) -> Result<Wasmtime> {
        let module = self.modules.iter().find(|(name, _)| *name == library);
        let (_, module) = module.with_context(|| format!("there is no module {library}"))?;
        let host = Host { memory: None, file: Arc::new([]), at: 0 };
        let mut store = Store::new(&self.engine, host);
        let mut linker = Linker::new(&self.engine);
        // The start of a module that knows of files asks which directories it was given.
        let no_directory = |_: u32, _: u32| BAD_DESCRIPTOR;
        linker.func_wrap("wasi_snapshot_preview1", "fd_prestat_get", no_directory)?;
        linker.define_unknown_imports_as_traps(module)?;
        let instance = linker.instantiate(&mut store, module)?;
        let memory = instance.get_memory(&mut store, "memory").context("a module of memory")?;
        store.data_mut().memory = Some(memory);
        let table = instance.get_table(&mut store, "__indirect_function_table");
        let mut made = Wasmtime { store, instance, memory, table };
        let start = made.find::<(), ()>("_initialize")?;
        made.call(&start, ())?;
        Ok(made)
    }
}

/// What the host's functions need.
struct Host {
    memory: Option<Memory>,
    file: Arc<[u8]>,
    at: usize,
}

/// An instance of a module.
pub(crate) struct Wasmtime {
    store: Store<Host>,
    instance: Instance,
    memory: Memory,
    table: Option<Table>,
}

impl Wasmtime {
    /// Makes a function pointer of a function of the host's.
    fn pointer(&mut self, function: Func) -> Result<u32> {
        let table = self.table.context("the module has no table of functions")?;
        let index = table.grow(&mut self.store, 1, Ref::Func(Some(function)))?;
        Ok(u32::try_from(index)?)
    }
}

impl Guest for Wasmtime {
    type Function<P: Parameters, R: WasmResults + 'static> = TypedFunc<P, R>;

    fn find<P: Parameters, R: WasmResults>(&mut self, name: &str) -> Result<TypedFunc<P, R>> {
        Ok(self.instance.get_typed_func(&mut self.store, name)?)
    }

    fn call<P: Parameters, R: WasmResults>(
        &mut self,
        function: &TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R> {
        Ok(function.call(&mut self.store, arguments)?)
    }

    fn memory(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.store)
    }

    fn step(&mut self) -> Result<u32> {
        let step = Func::wrap(&mut self.store, |value: i32| value.wrapping_add(1));
        self.pointer(step)
    }

    fn reader(&mut self) -> Result<u32> {
        let read = Func::wrap(&mut self.store, read);
        self.pointer(read)
    }

    fn open(&mut self, file: Arc<[u8]>) {
        let host = self.store.data_mut();
        (host.file, host.at) = (file, 0);
    }
}

/// Gives libpng the next bytes of the file.
fn read(mut caller: Caller<'_, Host>, _png: u32, into: u32, len: u32) -> wasmtime::Result<()> {
    copy_next(&mut caller, into as usize, len as usize)
        .ok_or_else(|| wasmtime::format_err!("libpng reads where nothing is"))
}

fn copy_next(caller: &mut Caller<'_, Host>, into: usize, len: usize) -> Option<()> {
    let (memory, host) = caller.data().memory?.data_and_store_mut(caller);
    let room = memory.get_mut(into..)?.get_mut(..len)?;
    room.copy_from_slice(host.file.get(host.at..)?.get(..len)?);
    host.at += len;
    Some(())
}
