//! Modules that wasm2c turned into C, and the host's compiler into machine code: the way of `RLBox`.
//!
//! Guard pages replace checks of addresses. A trap ends the process, since going on after one would
//! take a system call for each call.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::sync::Arc;
use std::{process, slice};

use anyhow::{Context, Result, ensure};
use wasmtime::WasmResults;

use crate::guest::{Guest, Parameters};
use crate::passed::Function;

/// `wasm_rt_memory_t`.
#[repr(C)]
struct Memory {
    data: *mut u8,
    pages: u32,
    max_pages: u32,
    size: u32,
}

/// `wasm_rt_funcref_table_t`, which is opaque here.
#[repr(C)]
struct Table {
    opaque: [u8; 0],
}

/// `struct function_of_module` of `wasm2c.h`.
#[repr(C)]
struct Named {
    name: *const c_char,
    function: Function,
}

/// `struct module` of `wasm2c.h`.
#[repr(C)]
struct Module {
    size: usize,
    start: unsafe extern "C" fn(*mut c_void),
    end: unsafe extern "C" fn(*mut c_void),
    memory: unsafe extern "C" fn(*mut c_void) -> *mut Memory,
    table: unsafe extern "C" fn(*mut c_void) -> *mut Table,
    functions: *const Named,
    count: usize,
}

// SAFETY: a module is constant.
unsafe impl Sync for Module {}

type Step = extern "C" fn(*mut c_void, i32) -> i32;
type Read = unsafe extern "C" fn(*mut c_void, u32, u32, u32);

unsafe extern "C" {
    safe static module_workloads: Module;
    safe static module_sodium: Module;
    safe static module_brotli: Module;
    safe static module_png16: Module;
    safe static module_z: Module;
    safe static module_sqlite3: Module;

    fn add_step(table: *mut Table, step: Step, host: *mut c_void) -> u32;
    fn add_reader(table: *mut Table, read: Read, host: *mut c_void) -> u32;
}

/// Returns a library's module.
fn module(library: &str) -> Option<&'static Module> {
    Some(match library {
        "workloads" => &module_workloads,
        "sodium" => &module_sodium,
        "brotli" => &module_brotli,
        "png16" => &module_png16,
        "z" => &module_z,
        "sqlite3" => &module_sqlite3,
        _ => return None,
    })
}

/// What the host's function that reads needs.
struct Reader {
    memory: *mut Memory,
    file: Arc<[u8]>,
    at: usize,
}

/// An instance of a module.
pub(crate) struct Wasm2c {
    module: &'static Module,
    /// The instance, in memory that is aligned for any of its fields.
    instance: *mut c_void,
    _room: Vec<u128>,
    memory: *mut Memory,
    reader: *mut Reader,
}

impl Wasm2c {
    /// Makes an instance of a library.
    pub(crate) fn new(library: &str) -> Result<Self> {
        let module = module(library).with_context(|| format!("there is no module {library}"))?;
        let mut room = vec![0_u128; module.size.div_ceil(size_of::<u128>())];
        let instance = room.as_mut_ptr().cast();
        // SAFETY: there is room for an instance of this module.
        unsafe { (module.start)(instance) };
        // SAFETY: the instance has just been made.
        let memory = unsafe { (module.memory)(instance) };
        let reader = Box::into_raw(Box::new(Reader { memory, file: Arc::new([]), at: 0 }));
        let mut made = Self { module, instance, _room: room, memory, reader };
        let start = made.find::<(), ()>("_initialize")?;
        made.call(&start, ())?;
        Ok(made)
    }

    fn table(&self) -> *mut Table {
        // SAFETY: the instance is one of this module.
        unsafe { (self.module.table)(self.instance) }
    }
}

impl Drop for Wasm2c {
    fn drop(&mut self) {
        // SAFETY: the instance is one of this module, and not used again.
        unsafe { (self.module.end)(self.instance) };
        // SAFETY: it was made by `Box::into_raw`, and only the instance knew of it.
        drop(unsafe { Box::from_raw(self.reader) });
    }
}

/// A function of a module, with its signature.
pub(crate) struct Typed<P, R>(Function, PhantomData<fn(P) -> R>);

impl Guest for Wasm2c {
    type Function<P: Parameters, R: WasmResults + 'static> = Typed<P, R>;

    fn find<P: Parameters, R: WasmResults>(&mut self, name: &str) -> Result<Typed<P, R>> {
        // SAFETY: the module's C code says how many there are.
        let all = unsafe { slice::from_raw_parts(self.module.functions, self.module.count) };
        let found = all.iter().find(|function| {
            // SAFETY: all names are constant strings.
            unsafe { CStr::from_ptr(function.name) }.to_bytes() == name.as_bytes()
        });
        let found = found.with_context(|| format!("the module has no function {name}"))?;
        Ok(Typed(found.function, PhantomData))
    }

    fn call<P: Parameters, R: WasmResults>(
        &mut self,
        function: &Typed<P, R>,
        arguments: P,
    ) -> Result<R> {
        // SAFETY: the instance is one of the module that the function was found in. wasmtime, which
        // always runs first, found it with the same signature in the same module.
        Ok(unsafe { arguments.pass(function.0, self.instance) })
    }

    fn memory(&mut self) -> &mut [u8] {
        // SAFETY: the instance exists, and nothing else refers to its memory's description.
        let memory = unsafe { &*self.memory };
        // SAFETY: as many bytes are mapped, and the module does not run while they are borrowed.
        unsafe { slice::from_raw_parts_mut(memory.data, memory.size as usize) }
    }

    fn step(&mut self) -> Result<u32> {
        // SAFETY: the table is the instance's; the function needs nothing of the host's.
        let index = unsafe { add_step(self.table(), step, std::ptr::null_mut()) };
        ensure!(index != u32::MAX, "the table of functions is full");
        Ok(index)
    }

    fn reader(&mut self) -> Result<u32> {
        // SAFETY: the table is the instance's; the reader exists as long.
        let index = unsafe { add_reader(self.table(), read, self.reader.cast()) };
        ensure!(index != u32::MAX, "the table of functions is full");
        Ok(index)
    }

    fn open(&mut self, file: Arc<[u8]>) {
        // SAFETY: the reader exists, and the module does not run, which alone uses it.
        let reader = unsafe { &mut *self.reader };
        (reader.file, reader.at) = (file, 0);
    }
}

extern "C" fn step(_host: *mut c_void, value: i32) -> i32 {
    value.wrapping_add(1)
}

/// Gives libpng the next bytes of the file.
unsafe extern "C" fn read(reader: *mut c_void, _png: u32, into: u32, len: u32) {
    // SAFETY: the table has this function with a reader that exists as long as the instance.
    let reader = unsafe { &mut *reader.cast::<Reader>() };
    // SAFETY: the instance exists, since it calls.
    let memory = unsafe { &*reader.memory };
    // SAFETY: as many bytes are mapped, and the module waits for this function.
    let memory = unsafe { slice::from_raw_parts_mut(memory.data, memory.size as usize) };
    if copy_next(reader, memory, into as usize, len as usize).is_none() {
        process::abort();
    }
}

fn copy_next(reader: &mut Reader, memory: &mut [u8], into: usize, len: usize) -> Option<()> {
    let room = memory.get_mut(into..)?.get_mut(..len)?;
    room.copy_from_slice(reader.file.get(reader.at..)?.get(..len)?);
    reader.at += len;
    Some(())
}
