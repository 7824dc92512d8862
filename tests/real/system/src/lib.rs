//! Libraries that need data files, and the C library with its own.
#![forbid(unsafe_code)]
// The other functions take a reference to exactly what `input` returns.
#![allow(clippy::ptr_arg)]

mod c;
mod git;
mod hdf5;
mod iconv;
mod localtime;
mod poppler;
mod proj;
mod setlocale;

use real_subject::Subject;

/// All of these libraries.
pub static SUBJECTS: &[&Subject] = &[
    &proj::PROJ,
    &git::GIT,
    &hdf5::HDF5,
    &poppler::POPPLER,
    &localtime::LOCALTIME,
    &setlocale::SETLOCALE,
    &iconv::ICONV,
];
