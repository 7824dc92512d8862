//! Static libraries as the distribution has them, with musl's C library, do in a region what the
//! same libraries do natively.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

use std::path::Path;

use omniglot_rewritten::build::{
    add, add_archive, add_layer, compile, input, keep, scratch, source,
};
use omniglot_rewritten::native::Native;
use omniglot_rewritten::region::{ROOM, Region};
use omniglot_sfi::Rewriter;

const SYSTEM: &str = "/usr/lib/x86_64-linux-gnu";
const MUSL: &str = "/usr/lib/x86_64-linux-musl/libc.a";
const OUTPUT: usize = 1 << 20;
const LENGTH: usize = 20_000;

/// A library: what turns its programs on, what natively to link, its archives, its programs.
struct Library {
    define: &'static str,
    flags: &'static [&'static str],
    archives: &'static [&'static str],
    programs: &'static [&'static str],
}

fn compare(library: &Library) {
    let directory = scratch();
    let file = source("libraries.c");
    let shared = directory.path().join("library.so");
    let define = format!("-D{}", library.define);
    let flags = ["-O2", "-fPIC", "-shared", "-w", "-I/usr/include/lua5.4", &define, &file];
    compile("gcc", &[&flags[..], library.flags].concat(), &shared);
    let native = Native::load(&shared).expect("it was just built");
    let image = image(library, directory.path(), &file);
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

fn image(library: &Library, directory: &Path, file: &str) -> Vec<u8> {
    let mut rewriter = Rewriter::new();
    let define = format!("-D{}", library.define);
    let flags = ["-O2", "-fno-pic", "-fno-pie", "-w", "-I/usr/include/lua5.4", &define];
    add(&mut rewriter, directory, "gcc", &flags, file);
    add_layer(&mut rewriter, directory, "gcc", true);
    for archive in library.archives {
        add_archive(&mut rewriter, &format!("{SYSTEM}/{archive}"));
    }
    add_archive(&mut rewriter, MUSL);
    rewriter.trap_unsupported();
    rewriter.rewrite().unwrap_or_else(|error| panic!("{error}")).bytes
}

macro_rules! library {
    ($test:ident, $define:literal, $flags:expr, $archives:expr, $programs:expr) => {
        #[test]
        fn $test() {
            compare(&Library {
                define: $define,
                flags: &$flags,
                archives: &$archives,
                programs: &$programs,
            });
        }
    };
}

library!(the_c_library, "WITH_C", [], [], ["library"]);
library!(zlib, "WITH_ZLIB", ["-lz"], ["libz.a"], ["deflates", "inflates"]);
library!(libpng, "WITH_PNG", ["-lpng16"], ["libpng16.a", "libz.a"], ["pictures"]);
library!(sqlite, "WITH_SQLITE", ["-lsqlite3"], ["libsqlite3.a"], ["queries"]);
library!(
    brotli,
    "WITH_BROTLI",
    ["-lbrotlienc", "-lbrotlidec"],
    ["libbrotlienc.a", "libbrotlidec.a", "libbrotlicommon.a"],
    ["brotlis"]
);
library!(libsodium, "WITH_SODIUM", ["-lsodium"], ["libsodium.a"], ["secrets"]);
library!(zstd, "WITH_ZSTD", ["-lzstd"], ["libzstd.a"], ["zstds"]);
library!(lz4, "WITH_LZ4", ["-llz4"], ["liblz4.a"], ["lz4s"]);
library!(expat, "WITH_EXPAT", ["-lexpat"], ["libexpat.a"], ["documents"]);
library!(libjpeg, "WITH_JPEG", ["-ljpeg"], ["libjpeg.a"], ["photographs"]);
library!(webp, "WITH_WEBP", ["-lwebp"], ["libwebp.a"], ["webps"]);
library!(lua, "WITH_LUA", ["-llua5.4"], ["liblua5.4.a"], ["scripts"]);
