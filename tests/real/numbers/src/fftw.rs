//! FFTW transforms a signal.

use std::f64::consts::TAU;

use anyhow::{Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::subject;

omniglot::include_library!("fftw");

subject! {
    FFTW: Fftw = "fftw" from "libfftw3-dev",
    does: "transforms a signal of 1000 complex numbers",
    confirmed: "the sum of the definition computed in Rust, within 1e-9",
    builder: |_input| [],
}

fn input() -> Result<Vec<[f64; 2]>> {
    let number = |at: u32| [f64::from(at * 7919 % 1009) / 1009.0, f64::from(at * 31 % 97) / 97.0];
    Ok((0..1000).map(number).collect())
}

fn run<R: Runtime>(fftw: &mut Fftw<R>, signal: &Vec<[f64; 2]>) -> omniglot::Result<Vec<[f64; 2]>> {
    fftw.scope(|fftw| {
        let len = signal.len();
        let (from, into) = (fftw.copy_in(signal)?, fftw.zeroed::<[f64; 2]>(len)?);
        let how = FFTW_ESTIMATE;
        let plan = fftw.fftw_plan_dft_1d(len as i32, from, into, FFTW_FORWARD, how)?;
        if plan.is_null() {
            return Err(Error::Misuse("FFTW has no plan"));
        }
        fftw.fftw_execute(plan)?;
        fftw.fftw_destroy_plan(plan)?;
        Ok(fftw.view_slice(into)?.to_vec())
    })
}

fn confirm(signal: &Vec<[f64; 2]>, spectrum: &Vec<[f64; 2]>) -> Result<()> {
    let len = signal.len();
    ensure!(spectrum.len() == len, "{} numbers", spectrum.len());
    for (frequency, found) in spectrum.iter().enumerate() {
        let mut sum = [0.0, 0.0];
        for (time, [re, im]) in signal.iter().enumerate() {
            let (sin, cos) = (-TAU * (frequency * time % len) as f64 / len as f64).sin_cos();
            sum = [sum[0] + re * cos - im * sin, sum[1] + re * sin + im * cos];
        }
        let off = (sum[0] - found[0]).hypot(sum[1] - found[1]);
        ensure!(off < 1e-9, "at {frequency}: {found:?}, not {sum:?}");
    }
    Ok(())
}
