//! Libraries that want data files, and what the C library does with its own.
#![forbid(unsafe_code)]
// What `input` makes is what the other functions get a reference to.
#![allow(clippy::ptr_arg)]

mod c;
mod git;
mod hdf5;
mod localtime;
mod poppler;
mod proj;
mod setlocale;

use real_subject::Subject;

/// All of them.
pub static SUBJECTS: &[&Subject] = &[
    &proj::PROJ,
    &git::GIT,
    &hdf5::HDF5,
    &poppler::POPPLER,
    &localtime::LOCALTIME,
    &setlocale::SETLOCALE,
];
