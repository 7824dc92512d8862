//! Compares the run times of rewritten libraries with those of the same libraries as they are, in
//! turns: `cargo run --release -p omniglot-rewritten --example ratios`.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use omniglot_rewritten::build::{input, scratch};
use omniglot_rewritten::library::{LIBRARIES, Library};
use omniglot_rewritten::native::own_time;
use omniglot_rewritten::region::{ROOM, Region};

const ROUNDS: usize = 60;
const LENGTH: usize = 200_000;
const OUTPUT: usize = 8 << 20;

fn main() {
    let directory = scratch();
    let mut logarithms = Vec::new();
    for library in LIBRARIES {
        let native = library.native(directory.path());
        let image = library.image(directory.path());
        let mut region = Region::load(&image).expect("the image can be loaded");
        for name in library.programs {
            let ratio = ratio(library, name, &native, &mut region);
            logarithms.push(ratio.ln());
        }
    }
    let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
    println!("geometric mean {:.3}", mean.exp());
}

/// Returns the ratio of the minimal times over several rounds.
fn ratio(
    library: &Library,
    name: &str,
    native: &omniglot_rewritten::native::Native,
    region: &mut Region,
) -> f64 {
    let input = input(LENGTH);
    region.write(ROOM, &input);
    let to = ROOM + 0x100_0000;
    let mut output = vec![0; OUTPUT];
    let arguments = [ROOM, LENGTH as u64, to, OUTPUT as u64];
    let mut best = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        let start = own_time();
        let one = native.run(name, &input, &mut output);
        best[0] = best[0].min(own_time() - start);
        let start = own_time();
        let other = region.call(name, &arguments).cast_signed();
        best[1] = best[1].min(own_time() - start);
        assert_eq!(one, other, "{name}");
    }
    let ratio = best[1].as_secs_f64() / best[0].as_secs_f64();
    println!(
        "{:<14} {name:<14} {:>9.3} ms {ratio:.3}",
        library.define,
        best[0].as_secs_f64() * 1e3
    );
    ratio
}
