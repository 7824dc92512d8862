//! The distribution's static libraries, with musl's C library, behave in a region as they do
//! natively.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

use omniglot_rewritten::build::{input, keep, scratch};
use omniglot_rewritten::library::LIBRARIES;
use omniglot_rewritten::region::{ROOM, Region};

const OUTPUT: usize = 1 << 20;
const LENGTH: usize = 20_000;

fn compare(define: &str) {
    let library = LIBRARIES.iter().find(|library| library.define == define);
    let library = library.expect("it is in the list");
    let directory = scratch();
    let native = library.native(directory.path());
    let image = library.image(directory.path());
    keep(library.define, &image);
    let mut region = Region::load(&image).expect("the image can be loaded");
    let input = input(LENGTH);
    region.write(ROOM, &input);
    for name in library.programs {
        let mut expected = vec![0; OUTPUT];
        let size = native.run(name, &input, &mut expected);
        assert!(size > 0, "{name} fails natively: {size}");
        let to = ROOM + 0x10_0000;
        let arguments = [ROOM, LENGTH as u64, to, OUTPUT as u64];
        let found = region.call(name, &arguments).cast_signed();
        assert_eq!(found, size, "{name}");
        let size = usize::try_from(size).expect("it is positive");
        assert!(region.read(to, size) == expected[..size], "{name}: another output");
    }
}

/// What is freed goes back to the host beyond 32 MiB, wherever it is.
#[test]
fn freed_memory_is_given_back() {
    let library = LIBRARIES.iter().find(|library| library.define == "WITH_C");
    let image = library.expect("it is in the list").image(scratch().path());
    let mut region = Region::load(&image).expect("the image can be loaded");
    let mut left = || {
        region.call("holds", &[ROOM, 0, ROOM, OUTPUT as u64]);
        region.resident()
    };
    // Before a block in use there may be 32 MiB, and at the end 1 MiB.
    let (with_a_block, without) = (left(), left());
    println!("{with_a_block} and {without} bytes");
    assert!(with_a_block < 33 << 20, "{with_a_block} of 64 MiB are left");
    assert!(without < 2 << 20, "{without} of 64 MiB are left");
}

macro_rules! libraries {
    ($($test:ident: $define:literal,)*) => {
        $(#[test]
        fn $test() {
            compare($define);
        })*

        #[test]
        fn each_library_has_its_test() {
            let tested = [$($define),*];
            assert!(LIBRARIES.iter().map(|library| library.define).eq(tested));
        }
    };
}

libraries! {
    the_c_library: "WITH_C",
    zlib: "WITH_ZLIB",
    libpng: "WITH_PNG",
    sqlite: "WITH_SQLITE",
    brotli: "WITH_BROTLI",
    libsodium: "WITH_SODIUM",
    zstd: "WITH_ZSTD",
    lz4: "WITH_LZ4",
    expat: "WITH_EXPAT",
    libjpeg: "WITH_JPEG",
    webp: "WITH_WEBP",
    lua: "WITH_LUA",
}
