//! GSL integrates a function that is a Rust closure.

use std::cell::Cell;

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::subject;

omniglot::include_library!("gsl");

subject! {
    GSL: Gsl = "gsl" from "libgsl-dev",
    does: "integrates a closure in Rust, and computes a Bessel function",
    confirmed: "the values in Abramowitz and Stegun's tables, to all their digits",
    builder: |_input| [],
}

fn input() -> Result<()> {
    Ok(())
}

/// The integral, the Bessel function, and the number of calls of the closure.
type Output = (f64, f64, u32);

fn run<R: Runtime>(gsl: &mut Gsl<R>, (): &()) -> omniglot::Result<Output> {
    let calls = Cell::new(0);
    let (integral, bessel) = gsl.scope(|gsl| {
        let closure = gsl.callback::<gsl_function_struct_function_fn>(|_, (x, _)| {
            calls.set(calls.get() + 1);
            Ok((-x * x).exp())
        })?;
        let function = gsl.value(gsl_function { function: closure, params: Ptr::null() })?;
        let workspace = gsl.gsl_integration_workspace_alloc(100)?;
        let (result, error) = (gsl.out::<f64>()?, gsl.out::<f64>()?);
        let status = gsl
            .gsl_integration_qags(function, 0.0, 1.0, 0.0, 1e-10, 100, workspace, result, error)?;
        gsl.gsl_integration_workspace_free(workspace)?;
        if status != 0 {
            return Err(Error::Misuse("GSL does not come to an end"));
        }
        Ok((gsl.read(result)?, gsl.gsl_sf_bessel_J0(5.0)?))
    })?;
    Ok((integral, bessel, calls.get()))
}

fn confirm((): &(), (integral, bessel, calls): &Output) -> Result<()> {
    /// Half the root of pi times the error function at 1.
    const INTEGRAL: f64 = 0.746_824_132_812_427;
    /// J0 at 5.
    const BESSEL: f64 = -0.177_596_771_314_338_3;
    ensure!((integral - INTEGRAL).abs() < 1e-14, "{integral}");
    ensure!((bessel - BESSEL).abs() < 1e-15 && *calls > 20, "{bessel}, {calls} calls");
    Ok(())
}
