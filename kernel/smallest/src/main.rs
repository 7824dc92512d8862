//! A program that uses one foreign library, to measure the size of Omniglot's code in it. micro-ecc
//! makes keys with random numbers from a callback, signs and verifies.
//!
//! It prints nothing: the machine's exit status says whether the signature was valid.

#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use omniglot_kernel::domain::Failure;
use omniglot_kernel::services::signatures::Signatures;
use omniglot_kernel_hardware::{Board, Outcome};

/// Exit statuses.
const REFUSED: u8 = 1;
const FAILED: u8 = 2;

#[riscv_rt::entry]
fn main() -> ! {
    loop {
        if let Some(board) = Board::take() {
            let mut signatures = Signatures::new(board.hart, board.regions.micro_ecc);
            let outcome = match sign_and_verify(&mut signatures) {
                Ok(true) => Outcome::Good,
                Ok(false) => Outcome::Bad(REFUSED),
                Err(_) => Outcome::Bad(FAILED),
            };
            board.finisher.finish(outcome)
        }
    }
}

/// Returns true if a new key's signature is valid for its digest, and invalid for another.
fn sign_and_verify(signatures: &mut Signatures) -> Result<bool, Failure> {
    let mut state = 1_u8;
    let mut numbers = |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(37).wrapping_add(11);
            *byte = state;
        }
        true
    };
    let (secret, public) = signatures.make_keys(&mut numbers)?;
    let signature = signatures.sign(&secret, &[7; 32], &mut numbers)?;
    let is_good = signatures.is_signature(&signature, &public, &[7; 32])?;
    Ok(is_good && !signatures.is_signature(&signature, &public, &[8; 32])?)
}
