//! Libraries that compute.
#![forbid(unsafe_code)]
// What `input` makes is what the other functions get a reference to.
#![allow(clippy::ptr_arg)]

mod fftw;
mod gmp;
mod gsl;
mod openblas;

use real_subject::Subject;

/// All of them.
pub static SUBJECTS: &[&Subject] = &[&gmp::GMP, &fftw::FFTW, &gsl::GSL, &openblas::OPENBLAS];
