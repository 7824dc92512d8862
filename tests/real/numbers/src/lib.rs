//! Libraries that compute.
#![forbid(unsafe_code)]
// The other functions take a reference to exactly what `input` returns.
#![allow(clippy::ptr_arg)]

mod fftw;
mod gmp;
mod gsl;
mod openblas;

use real_subject::Subject;

/// All of these libraries.
pub static SUBJECTS: &[&Subject] = &[&gmp::GMP, &fftw::FFTW, &gsl::GSL, &openblas::OPENBLAS];
