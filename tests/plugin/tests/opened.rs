//! A program opens a library that contains the runtimes.
#![allow(clippy::expect_used, unsafe_code)]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::ffi::{CStr, CString};

/// Calls a function of the library.
fn ask(name: &CStr) -> i32 {
    // Cargo puts it next to the test.
    let library =
        std::env::current_exe().expect("this program").with_file_name("libomniglot_plugin.so");
    let library = CString::new(library.to_string_lossy().into_owned()).expect("a path");
    // SAFETY: only the standard library's initialisers run when it is opened.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null(), "{library:?} can be opened");
    // SAFETY: this looks a name up.
    let function = unsafe { libc::dlsym(handle, name.as_ptr()) };
    assert!(!function.is_null(), "{name:?} is there");
    // SAFETY: the function has that type.
    let function =
        unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> i32>(function) };
    function()
}

const UNSUPPORTED: i32 = 1;
const OTHERWISE: i32 = 2;

/// In such a process the runtimes could not observe the host's signals and mappings.
#[test]
fn nothing_runs_in_the_process_of_who_opened_the_library() {
    assert_eq!(ask(c"omniglot_plugin_unprotected"), UNSUPPORTED);
    // On a machine without keys, the error may be about that instead.
    assert_ne!(ask(c"omniglot_plugin_keys"), 0);
}

#[test]
fn a_process_of_its_own_does_not_mind() {
    assert_eq!(ask(c"omniglot_plugin_process"), OTHERWISE);
}
