//! Lua.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, ensure};

type Function = unsafe extern "C" fn(*mut c_void) -> c_int;

/// What the function `host` of programs in Lua answers.
pub(crate) fn answer(number: i64) -> i64 {
    number.wrapping_mul(number).wrapping_add(7)
}

unsafe extern "C" {
    fn luaL_newstate() -> *mut c_void;
    fn luaL_openlibs(state: *mut c_void);
    fn luaL_loadstring(state: *mut c_void, program: *const c_char) -> c_int;
    fn lua_pcallk(
        state: *mut c_void,
        arguments: c_int,
        results: c_int,
        handler: c_int,
        context: isize,
        continuation: *const c_void,
    ) -> c_int;
    fn lua_pushcclosure(state: *mut c_void, function: Function, values: c_int);
    fn lua_setglobal(state: *mut c_void, name: *const c_char);
    fn lua_tointegerx(state: *mut c_void, index: c_int, is_number: *mut c_int) -> i64;
    fn lua_pushinteger(state: *mut c_void, number: i64);
    fn lua_close(state: *mut c_void);
}

/// The function `host`.
unsafe extern "C" fn host(state: *mut c_void) -> c_int {
    // SAFETY: Lua calls this with its state; what is no number, or is missing, is 0.
    let number = unsafe { lua_tointegerx(state, 1, ptr::null_mut()) };
    // SAFETY: the same state, whose stack has room for twenty values.
    unsafe { lua_pushinteger(state, answer(number)) };
    1
}

/// A state, closed when this is dropped.
struct State(NonNull<c_void>);

impl State {
    fn new() -> Result<Self> {
        // SAFETY: this function has no preconditions.
        let state = Self(NonNull::new(unsafe { luaL_newstate() }).context("Lua made no state")?);
        // SAFETY: the state was just made.
        unsafe { luaL_openlibs(state.0.as_ptr()) };
        // SAFETY: the state is open, and its stack has room. `host` has that signature.
        unsafe { lua_pushcclosure(state.0.as_ptr(), host, 0) };
        // SAFETY: the name is a C string, and the function is on the stack.
        unsafe { lua_setglobal(state.0.as_ptr(), c"host".as_ptr()) };
        Ok(state)
    }

    fn run(&self, program: &CStr) -> Result<i64> {
        let state = self.0.as_ptr();
        // SAFETY: the state is open, and the program a C string.
        let loaded = unsafe { luaL_loadstring(state, program.as_ptr()) };
        ensure!(loaded == 0, "Lua refused the program");
        // SAFETY: the program is on the stack. There is neither a handler nor a continuation.
        let status = unsafe { lua_pcallk(state, 0, 1, 0, 0, ptr::null()) };
        ensure!(status == 0, "the program fails");
        // SAFETY: the result is on the stack; the second result is not wanted.
        Ok(unsafe { lua_tointegerx(state, -1, ptr::null_mut()) })
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: it is open, and not used again.
        unsafe { lua_close(self.0.as_ptr()) };
    }
}

/// Runs a program in a new state, where it finds [`answer`] as the function `host`. Returns the
/// program's number.
pub(crate) fn run(program: &CStr) -> Result<i64> {
    State::new()?.run(program)
}
