//! GMP computes with large numbers.

use anyhow::{Result, ensure};
use num_bigint::BigUint;
use omniglot::{Ptr, Runtime};
use real_subject::subject;

omniglot::include_library!("gmp");

subject! {
    GMP: Gmp = "gmp" from "libgmp-dev",
    does: "a factorial, and a power modulo a prime",
    confirmed: "the crate num-bigint, equal",
    builder: |_input| [],
    not_sandboxed: "its assembly branches on RCX while it carries flags",
}

/// The largest prime that was known before there were computers.
const PRIME: &str = "170141183460469231731687303715884105727";

fn input() -> Result<u64> {
    Ok(1000)
}

fn run<R: Runtime>(gmp: &mut Gmp<R>, of: &u64) -> omniglot::Result<Vec<String>> {
    gmp.scope(|gmp| {
        let factorial = gmp.out::<__mpz_struct>()?;
        let (power, prime) = (gmp.out::<__mpz_struct>()?, gmp.out::<__mpz_struct>()?);
        for number in [factorial, power, prime] {
            gmp.__gmpz_init(number)?;
        }
        gmp.__gmpz_fac_ui(factorial, *of)?;
        let digits = gmp.str(PRIME)?;
        gmp.__gmpz_set_str(prime, digits, 10)?;
        gmp.__gmpz_powm(power, factorial, factorial, prime)?;
        let mut texts = Vec::new();
        for number in [factorial, power] {
            let text = gmp.__gmpz_get_str(Ptr::<std::ffi::c_char>::null(), 10, number)?;
            texts.push(gmp.read_string(text, 10_000)?);
            gmp.free(text.cast())?;
        }
        for number in [factorial, power, prime] {
            gmp.__gmpz_clear(number)?;
        }
        Ok(texts)
    })
}

fn confirm(of: &u64, texts: &Vec<String>) -> Result<()> {
    let factorial: BigUint = (1..=*of).map(BigUint::from).product();
    let power = factorial.modpow(&factorial, &PRIME.parse()?);
    ensure!(texts == &[factorial.to_string(), power.to_string()], "{texts:?}");
    Ok(())
}
