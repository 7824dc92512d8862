//! A field must lie in its struct, and be aligned.
#![forbid(unsafe_code)]
use omniglot::Field;

const BEYOND: Field<u64, u32> = Field::new(6);
const LARGER: Field<u32, u64> = Field::new(0);
const ASKEW: Field<[u8; 16], u64> = Field::new(8);

fn main() {
    let _ = (BEYOND, LARGER, ASKEW);
}
