//! The packages of the corpus of headers: a library's headers each, and a second C compiler.

use super::{Package, Sign, Task};

const HEADERS: &[Task] = &[Task::Headers];

/// A library with headers of the corpus.
const fn library(name: &'static str, signs: &'static [Sign]) -> Package {
    Package { name, reason: "headers that tests/headers binds", signs, tasks: HEADERS }
}

/// All packages of the corpus.
pub(super) const PACKAGES: &[Package] = &[
    library("libpng-dev", &[Sign::PkgConfig("libpng")]),
    library("zlib1g-dev", &[Sign::PkgConfig("zlib")]),
    library("libsodium-dev", &[Sign::PkgConfig("libsodium")]),
    library("libbrotli-dev", &[Sign::PkgConfig("libbrotlienc")]),
    library("liblwip-dev", &[Sign::PkgConfig("lwip")]),
    library("libsqlite3-dev", &[Sign::PkgConfig("sqlite3")]),
    library("libwebp-dev", &[Sign::PkgConfig("libwebp")]),
    library("libopenjp2-7-dev", &[Sign::PkgConfig("libopenjp2")]),
    library("libzstd-dev", &[Sign::PkgConfig("libzstd")]),
    library("liblz4-dev", &[Sign::PkgConfig("liblz4")]),
    library("libexpat1-dev", &[Sign::PkgConfig("expat")]),
    library("libuv1-dev", &[Sign::PkgConfig("libuv")]),
    library("libsndfile1-dev", &[Sign::PkgConfig("sndfile")]),
    library("libgsl-dev", &[Sign::PkgConfig("gsl")]),
    library("libx11-dev", &[Sign::PkgConfig("x11")]),
    library("libssl-dev", &[Sign::PkgConfig("libssl")]),
    library("libcurl4-openssl-dev", &[Sign::PkgConfig("libcurl")]),
    library("libavformat-dev", &[Sign::PkgConfig("libavformat")]),
    library("libglib2.0-dev", &[Sign::PkgConfig("glib-2.0")]),
    library("libgdk-pixbuf-2.0-dev", &[Sign::PkgConfig("gdk-pixbuf-2.0")]),
    library("libcairo2-dev", &[Sign::PkgConfig("cairo")]),
    library("libpango1.0-dev", &[Sign::PkgConfig("pangocairo")]),
    library("libfreetype-dev", &[Sign::PkgConfig("freetype2")]),
    library("libharfbuzz-dev", &[Sign::PkgConfig("harfbuzz")]),
    library("libxml2-dev", &[Sign::PkgConfig("libxml-2.0")]),
    library("libhdf5-dev", &[Sign::PkgConfig("hdf5")]),
    library("libnetcdf-dev", &[Sign::PkgConfig("netcdf")]),
    library("liblapacke-dev", &[Sign::PkgConfig("lapacke")]),
    library("libncurses-dev", &[Sign::PkgConfig("ncurses")]),
    library("libreadline-dev", &[Sign::PkgConfig("readline")]),
    library("libdbus-1-dev", &[Sign::PkgConfig("dbus-1")]),
    library("libasound2-dev", &[Sign::PkgConfig("alsa")]),
    library("libpulse-dev", &[Sign::PkgConfig("libpulse")]),
    library("libsdl2-dev", &[Sign::PkgConfig("sdl2")]),
    library("libvulkan-dev", &[Sign::PkgConfig("vulkan")]),
    library("libwayland-dev", &[Sign::PkgConfig("wayland-client")]),
    library("libsystemd-dev", &[Sign::PkgConfig("libsystemd")]),
    library("libselinux1-dev", &[Sign::PkgConfig("libselinux")]),
    library("libcap-dev", &[Sign::PkgConfig("libcap")]),
    library("libkrb5-dev", &[Sign::PkgConfig("krb5")]),
    library("libldap-dev", &[Sign::PkgConfig("ldap")]),
    library("libpq-dev", &[Sign::PkgConfig("libpq")]),
    library("libmariadb-dev", &[Sign::PkgConfig("libmariadb")]),
    library("libgit2-dev", &[Sign::PkgConfig("libgit2")]),
    library("libssh2-1-dev", &[Sign::PkgConfig("libssh2")]),
    library("libpcre2-dev", &[Sign::PkgConfig("libpcre2-8")]),
    library("libicu-dev", &[Sign::PkgConfig("icu-i18n")]),
    library("liblua5.4-dev", &[Sign::PkgConfig("lua5.4")]),
    library("python3-dev", &[Sign::PkgConfig("python3")]),
    library("ruby-dev", &[Sign::PkgConfig("ruby-3.1")]),
    library("libevent-dev", &[Sign::PkgConfig("libevent")]),
    library("libusb-1.0-0-dev", &[Sign::PkgConfig("libusb-1.0")]),
    library("libarchive-dev", &[Sign::PkgConfig("libarchive")]),
    library("libtiff-dev", &[Sign::PkgConfig("libtiff-4")]),
    library("libjpeg62-turbo-dev", &[Sign::PkgConfig("libjpeg")]),
    library("liblmdb-dev", &[Sign::PkgConfig("lmdb")]),
    library("libopus-dev", &[Sign::PkgConfig("opus")]),
    Package {
        name: "clang-19",
        reason: "a second C compiler, which must not warn about the shims",
        signs: &[Sign::Command("clang-19")],
        tasks: HEADERS,
    },
];
