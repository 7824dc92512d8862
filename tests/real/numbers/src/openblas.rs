//! OpenBLAS multiplies matrices.

use anyhow::{Result, ensure};
use omniglot::Runtime;
use real_subject::subject;

omniglot::include_library!("openblas");

subject! {
    OPENBLAS: Openblas = "openblas" from "libopenblas-dev",
    does: "multiplies matrices of 200 rows",
    confirmed: "the product computed in Rust, within 1e-9",
    builder: |_input| [],
    not_sandboxed: "its assembly must be aligned to 32 KiB",
}

const SIDE: usize = 200;

fn input() -> Result<[Vec<f64>; 2]> {
    let matrix =
        |factor: usize| (0..SIDE * SIDE).map(|at| (at * factor % 199) as f64 / 7.0).collect();
    Ok([matrix(31), matrix(17)])
}

fn run<R: Runtime>(blas: &mut Openblas<R>, [a, b]: &[Vec<f64>; 2]) -> omniglot::Result<Vec<f64>> {
    blas.scope(|blas| {
        let (a, b) = (blas.copy_in(a)?, blas.copy_in(b)?);
        let product = blas.zeroed::<f64>(SIDE * SIDE)?;
        let (rows, plain) = (CBLAS_ORDER::CblasRowMajor, CBLAS_TRANSPOSE::CblasNoTrans);
        let side = SIDE as i32;
        blas.cblas_dgemm(
            rows, plain, plain, side, side, side, 1.0, a, side, b, side, 0.0, product, side,
        )?;
        Ok(blas.view_slice(product)?.to_vec())
    })
}

fn confirm([a, b]: &[Vec<f64>; 2], product: &Vec<f64>) -> Result<()> {
    ensure!(product.len() == SIDE * SIDE, "{} numbers", product.len());
    for (at, found) in product.iter().enumerate() {
        let (row, column) = (at / SIDE, at % SIDE);
        let terms = (0..SIDE).map(|middle| a[row * SIDE + middle] * b[middle * SIDE + column]);
        let sum: f64 = terms.sum();
        ensure!((sum - found).abs() < 1e-9 * sum.abs().max(1.0), "at {at}: {found}, not {sum}");
    }
    Ok(())
}
