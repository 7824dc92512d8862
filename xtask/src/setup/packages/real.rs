//! The packages of the corpus of real libraries: the libraries, and commands and data that produce
//! their inputs and confirm their results.

use super::{Package, Sign, Task};

const LIBRARIES: &[Task] = &[Task::Libraries];

/// A library of the corpus.
const fn library(name: &'static str, signs: &'static [Sign]) -> Package {
    Package { name, reason: "a library that tests/real runs", signs, tasks: LIBRARIES }
}

/// A command that produces inputs or confirms results.
const fn command(name: &'static str, signs: &'static [Sign]) -> Package {
    Package { name, reason: "a command that tests/real compares with", signs, tasks: LIBRARIES }
}

/// Data that a library reads.
const fn data(name: &'static str, reason: &'static str, signs: &'static [Sign]) -> Package {
    Package { name, reason, signs, tasks: LIBRARIES }
}

/// All packages of the corpus.
pub(super) const PACKAGES: &[Package] = &[
    library("libjpeg62-turbo-dev", &[Sign::PkgConfig("libjpeg")]),
    library("libtiff-dev", &[Sign::PkgConfig("libtiff-4")]),
    library("libwebp-dev", &[Sign::PkgConfig("libwebp")]),
    library("libopenjp2-7-dev", &[Sign::PkgConfig("libopenjp2")]),
    library("libgif-dev", &[Sign::Header("gif_lib.h")]),
    library("libpng-dev", &[Sign::PkgConfig("libpng")]),
    library("librsvg2-dev", &[Sign::PkgConfig("librsvg-2.0")]),
    library("libcairo2-dev", &[Sign::PkgConfig("cairo-pdf")]),
    library("libfreetype-dev", &[Sign::PkgConfig("freetype2")]),
    library("libharfbuzz-dev", &[Sign::PkgConfig("harfbuzz")]),
    library("libxml2-dev", &[Sign::PkgConfig("libxml-2.0")]),
    library("libxslt1-dev", &[Sign::PkgConfig("libxslt")]),
    library("libexpat1-dev", &[Sign::PkgConfig("expat")]),
    library("libyaml-dev", &[Sign::PkgConfig("yaml-0.1")]),
    library("libjansson-dev", &[Sign::PkgConfig("jansson")]),
    library("libpcre2-dev", &[Sign::PkgConfig("libpcre2-8")]),
    library("libonig-dev", &[Sign::PkgConfig("oniguruma")]),
    library("liblua5.4-dev", &[Sign::PkgConfig("lua5.4")]),
    library("duktape-dev", &[Sign::PkgConfig("duktape")]),
    library("libcmark-dev", &[Sign::PkgConfig("libcmark")]),
    library("libhunspell-dev", &[Sign::PkgConfig("hunspell")]),
    library("libmagic-dev", &[Sign::PkgConfig("libmagic")]),
    library("libsqlite3-dev", &[Sign::PkgConfig("sqlite3")]),
    library("zlib1g-dev", &[Sign::PkgConfig("zlib")]),
    library("libbrotli-dev", &[Sign::PkgConfig("libbrotlienc")]),
    library("liblz4-dev", &[Sign::PkgConfig("liblz4")]),
    library("libarchive-dev", &[Sign::PkgConfig("libarchive")]),
    library("libzstd-dev", &[Sign::PkgConfig("libzstd")]),
    library("liblzma-dev", &[Sign::PkgConfig("liblzma")]),
    library("libbz2-dev", &[Sign::Header("bzlib.h")]),
    library("libssl-dev", &[Sign::PkgConfig("libcrypto")]),
    library("libsodium-dev", &[Sign::PkgConfig("libsodium")]),
    library("nettle-dev", &[Sign::PkgConfig("nettle")]),
    library("libgnutls28-dev", &[Sign::PkgConfig("gnutls")]),
    library("libgmp-dev", &[Sign::PkgConfig("gmp")]),
    library("libfftw3-dev", &[Sign::PkgConfig("fftw3")]),
    library("libgsl-dev", &[Sign::PkgConfig("gsl")]),
    library("libopenblas-dev", &[Sign::PkgConfig("openblas")]),
    library("libopus-dev", &[Sign::PkgConfig("opus")]),
    library("libvorbis-dev", &[Sign::PkgConfig("vorbisfile")]),
    library("libflac-dev", &[Sign::PkgConfig("flac")]),
    library("libmpg123-dev", &[Sign::PkgConfig("libmpg123")]),
    library("libavcodec-dev", &[Sign::PkgConfig("libavcodec")]),
    library("libsamplerate0-dev", &[Sign::PkgConfig("samplerate")]),
    library("libespeak-ng-dev", &[Sign::PkgConfig("espeak-ng")]),
    library("libproj-dev", &[Sign::PkgConfig("proj")]),
    library("libgit2-dev", &[Sign::PkgConfig("libgit2")]),
    library("libhdf5-dev", &[Sign::PkgConfig("hdf5")]),
    library("libpoppler-glib-dev", &[Sign::PkgConfig("poppler-glib")]),
    command("libjpeg-turbo-progs", &[Sign::Command("cjpeg")]),
    command("libopenjp2-tools", &[Sign::Command("opj_compress")]),
    command("librsvg2-bin", &[Sign::Command("rsvg-convert")]),
    command("libharfbuzz-bin", &[Sign::Command("hb-shape")]),
    command("libxml2-utils", &[Sign::Command("xmllint")]),
    command("xsltproc", &[Sign::Command("xsltproc")]),
    command("duktape", &[Sign::Command("duk")]),
    command("cmark", &[Sign::Command("cmark")]),
    command("hunspell", &[Sign::Command("hunspell")]),
    command("file", &[Sign::Command("file")]),
    command("sqlite3", &[Sign::Command("sqlite3")]),
    command("zstd", &[Sign::Command("zstd")]),
    command("xz-utils", &[Sign::Command("xz")]),
    command("bzip2", &[Sign::Command("bzip2")]),
    command("openssl", &[Sign::Command("openssl")]),
    command("ffmpeg", &[Sign::Command("ffmpeg")]),
    command("mpg123", &[Sign::Command("mpg123")]),
    command("espeak-ng", &[Sign::Command("espeak-ng")]),
    command("proj-bin", &[Sign::Command("cs2cs")]),
    command("git", &[Sign::Command("git")]),
    command("hdf5-tools", &[Sign::Command("h5dump")]),
    command("poppler-utils", &[Sign::Command("pdftotext")]),
    data(
        "musl-dev",
        "the C library of sandboxed images",
        &[Sign::File("usr/lib/x86_64-linux-musl/libc.a")],
    ),
    data(
        "fonts-dejavu-core",
        "a font to draw with",
        &[Sign::File("usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")],
    ),
    data(
        "hunspell-en-us",
        "a dictionary to check words with",
        &[Sign::File("usr/share/hunspell/en_US.dic")],
    ),
    data("tzdata", "the rules of time zones", &[Sign::File("usr/share/zoneinfo/Europe/Zurich")]),
    data(
        "libc6",
        "the C library's converters between encodings",
        &[Sign::File("usr/lib/x86_64-linux-gnu/gconv/UTF-16.so")],
    ),
    data("libc-bin", "the locale C.UTF-8", &[Sign::File("usr/lib/locale/C.utf8/LC_CTYPE")]),
];
