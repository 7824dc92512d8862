//! Generates bindings of the libraries that compute.

use omniglot_build::{Library, Result};

fn main() -> Result<()> {
    Library::new("gmp")
        .header("gmp.h")
        .pkg_config("gmp")
        .allowlist_function("__gmpz_(init|clear|fac_ui|powm|set_str|get_str)")
        .sandboxed()
        .generate()?;
    Library::new("fftw")
        .header("fftw3.h")
        .pkg_config("fftw3")
        .allowlist_function("fftw_(plan_dft_1d|execute|destroy_plan)")
        .allowlist_var("FFTW_(FORWARD|ESTIMATE)")
        .sandboxed()
        .generate()?;
    Library::new("gsl")
        .header("gsl/gsl_integration.h")
        .header("gsl/gsl_sf_bessel.h")
        .pkg_config("gsl")
        .allowlist_function("gsl_integration_(qags|workspace_(alloc|free))|gsl_sf_bessel_J0")
        .sandboxed()
        .generate()?;
    Library::new("openblas")
        .header("cblas.h")
        .pkg_config("openblas")
        .allowlist_function("cblas_dgemm")
        .generate()
}
