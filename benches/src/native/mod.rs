//! The workloads through plain, unsafe FFI, with which isolation and checks are compared.
#![allow(unsafe_code)]

pub(crate) mod brotli;
pub(crate) mod jansson;
pub(crate) mod jpeg;
pub(crate) mod lua;
pub(crate) mod png;
pub(crate) mod sodium;
pub(crate) mod sqlite;
pub(crate) mod zlib;

mod c {
    unsafe extern "C" {
        pub(super) fn empty();
        pub(super) fn add_six(a: i64, b: i64, c: i64, d: i64, e: i64, f: i64) -> i64;
        pub(super) fn repeat(step: extern "C" fn(i32) -> i32, value: i32, count: i32) -> i32;
    }
}

extern "C" fn step(value: i32) -> i32 {
    std::hint::black_box(value).wrapping_add(1)
}

pub(crate) fn empty() {
    // SAFETY: linked from c/workloads.c with this signature; it does nothing.
    unsafe { c::empty() };
}

pub(crate) fn add_six(numbers: [i64; 6]) -> i64 {
    let [a, b, c, d, e, f] = numbers;
    // SAFETY: linked from c/workloads.c with this signature; the sums stay small.
    unsafe { c::add_six(a, b, c, d, e, f) }
}

pub(crate) fn repeat(count: i32) -> i32 {
    // SAFETY: linked from c/workloads.c with this signature; `step` does not unwind.
    unsafe { c::repeat(step, 0, count) }
}
