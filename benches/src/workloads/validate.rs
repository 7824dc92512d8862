//! Views of data that is in foreign memory already.
//!
//! The variant `memcpy` copies as many bytes within the host's memory, which is the least that a
//! host that keeps a copy pays. `native` validates the host's own bytes with Rust's library.

use std::hint::black_box;
use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::{Foreign, ForeignBox, Runtime};
use omniglot_turns::{Variant, Workload};

use crate::inputs::{Inputs, random_bytes, random_characters};
use crate::runtimes::on_each_runtime;
use crate::small::{Workloads, colour, sample};

/// One operation is a view of `size` bytes.
pub(crate) fn bytes(_: &Inputs, size: usize) -> Result<Workload> {
    elements(size, &random_bytes(size))
}

/// A view of `size` bools.
pub(crate) fn bools(_: &Inputs, size: usize) -> Result<Workload> {
    let bools: Vec<bool> = random_bytes(size).iter().map(|byte| byte % 2 == 1).collect();
    elements(size, &bools)
}

/// A view of `size` enums.
pub(crate) fn enums(_: &Inputs, size: usize) -> Result<Workload> {
    elements(size, &colours(size))
}

/// A view of structs that take `size` bytes together.
pub(crate) fn structs(_: &Inputs, size: usize) -> Result<Workload> {
    let count = size / size_of::<sample>();
    let make = |(index, colour)| sample {
        time: index as u32,
        good: index % 3 == 0,
        colour,
        value: index as u16,
    };
    let samples: Vec<sample> = (0..).zip(colours(count)).map(make).collect();
    elements(size, &samples)
}

fn colours(count: usize) -> Vec<colour> {
    let colour = |byte: &u8| match byte % 3 {
        0 => colour::RED,
        1 => colour::GREEN,
        _ => colour::BLUE,
    };
    random_bytes(count).iter().map(colour).collect()
}

fn elements<T: Foreign>(size: usize, elements: &[T]) -> Result<Workload> {
    let mut variants = vec![copying(size)];
    variants.extend(on_each_runtime!(Workloads, |name, library| viewing(name, library, elements)?));
    Ok(Workload { size, variants })
}

fn viewing<R: Runtime, T: Foreign>(
    name: &str,
    mut library: Workloads<R>,
    elements: &[T],
) -> Result<Variant> {
    let place = library.alloc_slice(elements)?;
    let len = library.view_slice(&place)?.len();
    ensure!(len == elements.len(), "{len} elements instead of {}", elements.len());
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            black_box(library.view_slice(black_box(&place))?.len());
        }
        Ok(())
    }))
}

/// A view of text with `count` characters.
pub(crate) fn text(_: &Inputs, count: usize) -> Result<Workload> {
    let text: Rc<str> = random_characters(count).into();
    let mut variants = vec![copying(text.len()), looking(Rc::clone(&text))];
    variants.extend(on_each_runtime!(Workloads, |name, library| reading(name, library, &text)?));
    Ok(Workload { size: count, variants })
}

fn reading<R: Runtime>(name: &str, mut library: Workloads<R>, text: &str) -> Result<Variant> {
    let place: ForeignBox<[u8]> = library.alloc_slice(text.as_bytes())?;
    ensure!(*library.view_str(&place)? == *text, "another text");
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            black_box(library.view_str(black_box(&place))?.len());
        }
        Ok(())
    }))
}

fn looking(text: Rc<str>) -> Variant {
    Variant::new("native", move |count| {
        for _ in 0..count {
            black_box(std::str::from_utf8(black_box(text.as_bytes()))?);
        }
        Ok(())
    })
}

fn copying(size: usize) -> Variant {
    let (from, mut into) = (random_bytes(size), vec![0; size]);
    Variant::new("memcpy", move |count| {
        for _ in 0..count {
            black_box(&mut into[..]).copy_from_slice(black_box(&from));
        }
        Ok(())
    })
}
