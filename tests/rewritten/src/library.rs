//! The distribution's libraries, and programs that use them.

use std::path::Path;

use omniglot_sfi::Rewriter;
use omniglot_sfi::layer::Layer;

use crate::build::{add, add_base, compile, source};
use crate::native::Native;

const SYSTEM: &str = "/usr/lib/x86_64-linux-gnu";

/// A library: the macro that selects its programs, what to link natively, its archives, its
/// programs.
pub struct Library {
    pub define: &'static str,
    flags: &'static [&'static str],
    archives: &'static [&'static str],
    pub programs: &'static [&'static str],
}

const fn library(
    define: &'static str,
    flags: &'static [&'static str],
    archives: &'static [&'static str],
    programs: &'static [&'static str],
) -> Library {
    Library { define, flags, archives, programs }
}

pub const LIBRARIES: &[Library] = &[
    library("WITH_C", &[], &[], &["library", "blocks", "holds"]),
    library("WITH_ZLIB", &["-lz"], &["libz.a"], &["deflates", "inflates"]),
    library("WITH_PNG", &["-lpng16"], &["libpng16.a", "libz.a"], &["pictures"]),
    library("WITH_SQLITE", &["-lsqlite3"], &["libsqlite3.a"], &["queries"]),
    library(
        "WITH_BROTLI",
        &["-lbrotlienc", "-lbrotlidec"],
        &["libbrotlienc.a", "libbrotlidec.a", "libbrotlicommon.a"],
        &["brotlis"],
    ),
    library("WITH_SODIUM", &["-lsodium"], &["libsodium.a"], &["secrets"]),
    library("WITH_ZSTD", &["-lzstd"], &["libzstd.a"], &["zstds"]),
    library("WITH_LZ4", &["-llz4"], &["liblz4.a"], &["lz4s"]),
    library("WITH_EXPAT", &["-lexpat"], &["libexpat.a"], &["documents"]),
    library("WITH_JPEG", &["-ljpeg"], &["libjpeg.a"], &["photographs"]),
    library("WITH_WEBP", &["-lwebp"], &["libwebp.a"], &["webps"]),
    library("WITH_LUA", &["-llua5.4"], &["liblua5.4.a"], &["scripts"]),
];

impl Library {
    /// Returns its programs as native code, with the distribution's shared library.
    pub fn native(&self, directory: &Path) -> Native {
        let shared = directory.join(format!("{}.so", self.define));
        let (define, file) = (format!("-D{}", self.define), source("libraries.c"));
        let flags = ["-O2", "-fPIC", "-shared", "-w", "-I/usr/include/lua5.4", &define, &file];
        compile("gcc", &[&flags[..], self.flags].concat(), &shared);
        Native::load(&shared).expect("it was just built")
    }

    /// Returns the image of its programs and archives.
    pub fn image(&self, directory: &Path) -> Vec<u8> {
        let mut rewriter = Rewriter::new();
        let define = format!("-D{}", self.define);
        let flags = ["-O2", "-fno-pic", "-fno-pie", "-w", "-I/usr/include/lua5.4", &define];
        add(&mut rewriter, directory, "gcc", &flags, &source("libraries.c"));
        for archive in self.archives {
            let path = Path::new(SYSTEM).join(archive);
            rewriter.archive_file(&path).unwrap_or_else(|error| panic!("{error}"));
        }
        add_base(&mut rewriter, directory, "gcc", Layer::Musl);
        rewriter.trap_unsupported();
        rewriter.rewrite().unwrap_or_else(|error| panic!("{error}")).bytes
    }
}
