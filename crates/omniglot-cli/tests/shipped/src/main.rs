//! Calls a library through bindings that the crate ships.
#![forbid(unsafe_code)]

mod zlib {
    omniglot::include_library!("zlib");
}

fn main() -> omniglot::Result<()> {
    let mut zlib = zlib::Zlib::builder().build()?;
    let data = zlib.alloc_slice(b"hello")?;
    println!("{:08x}", zlib.crc32(0, &data, 5)?);
    Ok(())
}
