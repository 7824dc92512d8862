//! The headers that are tested, and where they come from.

/// One row of the table: a header, or several that are used together.
#[derive(Debug)]
pub struct Entry {
    /// The name in the table.
    pub name: &'static str,
    /// The arguments of `.header` in a build script.
    pub headers: &'static [&'static str],
    /// The header's origin.
    pub origin: Origin,
    /// The files whose declarations count: a pattern for the end of their paths.
    pub files: &'static str,
    /// Macros that the headers require.
    pub defines: &'static [(&'static str, &'static str)],
    /// True if every run of the tests includes it, and its library is always installed.
    pub everyday: bool,
}

/// Where headers come from.
#[derive(Debug)]
pub enum Origin {
    /// An installed library with this name in pkg-config.
    Installed(&'static str),
    /// The C library itself.
    Libc,
    /// A directory in a crate that `data/Cargo.toml` pins.
    Crate {
        /// The crate's name.
        name: &'static str,
        /// The headers' directory in the crate.
        directory: &'static str,
    },
}

const fn installed(
    name: &'static str,
    headers: &'static [&'static str],
    package: &'static str,
    files: &'static str,
) -> Entry {
    Entry { name, headers, origin: Origin::Installed(package), files, defines: &[], everyday: true }
}

/// An entry that takes long, or whose library has many dependencies.
const fn wide(
    name: &'static str,
    headers: &'static [&'static str],
    package: &'static str,
    files: &'static str,
) -> Entry {
    Entry { everyday: false, ..installed(name, headers, package, files) }
}

const fn libc(name: &'static str, headers: &'static [&'static str], files: &'static str) -> Entry {
    Entry { name, headers, origin: Origin::Libc, files, defines: &[], everyday: true }
}

const fn pinned(
    name: &'static str,
    headers: &'static [&'static str],
    package: &'static str,
    directory: &'static str,
    files: &'static str,
) -> Entry {
    let origin = Origin::Crate { name: package, directory };
    Entry { name, headers, origin, files, defines: &[], everyday: true }
}

/// The API of lwIP for applications: its raw interface, its sockets, and what they depend on.
const LWIP: &[&str] = &[
    "lwip/init.h",
    "lwip/tcp.h",
    "lwip/udp.h",
    "lwip/raw.h",
    "lwip/ip.h",
    "lwip/netif.h",
    "lwip/etharp.h",
    "lwip/dns.h",
    "lwip/dhcp.h",
    "lwip/pbuf.h",
    "lwip/timeouts.h",
    "lwip/tcpip.h",
    "lwip/api.h",
    "lwip/sockets.h",
];

const GSL: &[&str] = &[
    "gsl/gsl_blas.h",
    "gsl/gsl_integration.h",
    "gsl/gsl_linalg.h",
    "gsl/gsl_math.h",
    "gsl/gsl_odeiv2.h",
    "gsl/gsl_rng.h",
    "gsl/gsl_sf.h",
    "gsl/gsl_statistics.h",
];

const LIBAV: &[&str] =
    &["libavcodec/avcodec.h", "libavformat/avformat.h", "libavutil/avutil.h", "libavutil/opt.h"];

const SYSTEMD: &[&str] =
    &["systemd/sd-bus.h", "systemd/sd-daemon.h", "systemd/sd-event.h", "systemd/sd-journal.h"];

const ICU: &[&str] =
    &["unicode/ucal.h", "unicode/ucnv.h", "unicode/ucol.h", "unicode/udat.h", "unicode/ustring.h"];

/// Returns the headers that `names` selects: the everyday ones if it is empty, all of them, or
/// those with the comma-separated names.
#[must_use]
pub fn chosen(names: &str) -> Vec<&'static Entry> {
    let is_chosen = |entry: &&Entry| match names {
        "" => entry.everyday,
        "all" => true,
        names => names.split(',').any(|name| name == entry.name),
    };
    CORPUS.iter().filter(is_chosen).collect()
}

/// All headers, in the order of the table.
pub const CORPUS: &[Entry] = &[
    installed("png.h", &["png.h"], "libpng", r"/(png|pngconf|pnglibconf)\.h"),
    installed("zlib.h", &["zlib.h"], "zlib", r"/(zlib|zconf)\.h"),
    installed("sodium.h", &["sodium.h"], "libsodium", r"/sodium(\.h|/[^/]+\.h)"),
    installed("brotli/decode.h", &["brotli/decode.h"], "libbrotlidec", r"/brotli/[^/]+\.h"),
    installed("brotli/encode.h", &["brotli/encode.h"], "libbrotlienc", r"/brotli/[^/]+\.h"),
    installed("lwip/*.h", LWIP, "lwip", r"/lwip/(lwip|netif|arch)/.+\.h"),
    pinned("lfs.h", &["lfs.h"], "littlefs2-sys", "littlefs", r"/littlefs/lfs(_util)?\.h"),
    pinned(
        "monocypher.h",
        &["monocypher.h"],
        "monocypher-sys",
        "Monocypher/src",
        r"/monocypher\.h",
    ),
    installed("sqlite3.h", &["sqlite3.h"], "sqlite3", r"/sqlite3\.h"),
    installed("webp/decode.h", &["webp/decode.h"], "libwebp", r"/webp/(decode|types)\.h"),
    installed("webp/encode.h", &["webp/encode.h"], "libwebp", r"/webp/(encode|types)\.h"),
    installed("openjpeg.h", &["openjpeg.h"], "libopenjp2", r"/openjpeg-[^/]*/[^/]+\.h"),
    installed("zstd.h", &["zstd.h"], "libzstd", r"/zstd(_errors)?\.h"),
    installed("lz4.h", &["lz4.h"], "liblz4", r"/lz4\.h"),
    installed("expat.h", &["expat.h"], "expat", r"/expat(_external|_config)?\.h"),
    libc("string.h", &["string.h"], r"/(string|bits/string[^/]*)\.h"),
    libc("stdlib.h", &["stdlib.h"], r"/(stdlib|bits/stdlib[^/]*)\.h"),
    libc("math.h", &["math.h"], r"/(math|bits/math[^/]*)\.h"),
    libc("stdio.h", &["stdio.h"], r"/(stdio|bits/stdio[^/]*)\.h"),
    wide("uv.h", &["uv.h"], "libuv", r"/uv(\.h|/[^/]+\.h)"),
    wide("sndfile.h", &["sndfile.h"], "sndfile", r"/sndfile\.h"),
    wide("gsl/*.h", GSL, "gsl", r"/gsl/[^/]+\.h"),
    wide("X11/Xlib.h", &["X11/Xlib.h"], "x11", r"/X11/X(lib|func.*|osdefs)?\.h"),
    wide("openssl/ssl.h", &["openssl/ssl.h"], "libssl", r"/openssl/[^/]+\.h"),
    wide("openssl/evp.h", &["openssl/evp.h"], "libcrypto", r"/openssl/[^/]+\.h"),
    wide("curl/curl.h", &["curl/curl.h"], "libcurl", r"/curl/[^/]+\.h"),
    wide("libav*/*.h", LIBAV, "libavformat", r"/libav(codec|format|util)/[^/]+\.h"),
    wide("glib.h", &["glib.h"], "glib-2.0", r"/glib-2\.0/(include/)?g.+\.h"),
    wide("gdk-pixbuf.h", &["gdk-pixbuf/gdk-pixbuf.h"], "gdk-pixbuf-2.0", r"/gdk-pixbuf-2\.0/.+\.h"),
    wide("cairo.h", &["cairo.h"], "cairo", r"/cairo/[^/]+\.h"),
    wide("pango/pangocairo.h", &["pango/pangocairo.h"], "pangocairo", r"/pango-1\.0/.+\.h"),
    wide("ft2build.h", &["ft2build.h", "freetype/freetype.h"], "freetype2", r"/freetype2/.+\.h"),
    wide("hb.h", &["hb.h"], "harfbuzz", r"/harfbuzz/[^/]+\.h"),
    wide("libxml/parser.h", &["libxml/parser.h"], "libxml-2.0", r"/libxml2/.+\.h"),
    wide("hdf5.h", &["hdf5.h"], "hdf5", r"/hdf5/serial/[^/]+\.h"),
    wide("netcdf.h", &["netcdf.h"], "netcdf", r"/netcdf[^/]*\.h"),
    wide("lapacke.h", &["lapacke.h"], "lapacke", r"/lapacke[^/]*\.h"),
    wide("ncurses.h", &["ncurses.h"], "ncurses", r"/(ncurses|curses)\.h"),
    wide(
        "readline/readline.h",
        &["stdio.h", "readline/readline.h"],
        "readline",
        r"/readline/[^/]+\.h",
    ),
    wide("dbus/dbus.h", &["dbus/dbus.h"], "dbus-1", r"/dbus-1\.0/.+\.h"),
    wide("alsa/asoundlib.h", &["alsa/asoundlib.h"], "alsa", r"/alsa/[^/]+\.h"),
    wide("pulse/pulseaudio.h", &["pulse/pulseaudio.h"], "libpulse", r"/pulse/[^/]+\.h"),
    wide("SDL.h", &["SDL.h"], "sdl2", r"/SDL2/[^/]+\.h"),
    wide("vulkan/vulkan.h", &["vulkan/vulkan.h"], "vulkan", r"/vulkan/[^/]+\.h"),
    wide("wayland-client.h", &["wayland-client.h"], "wayland-client", r"/wayland-[^/]+\.h"),
    wide("systemd/*.h", SYSTEMD, "libsystemd", r"/systemd/[^/]+\.h"),
    wide("selinux/selinux.h", &["selinux/selinux.h"], "libselinux", r"/selinux/selinux\.h"),
    wide("sys/capability.h", &["sys/capability.h"], "libcap", r"/sys/capability\.h"),
    wide("krb5.h", &["krb5.h"], "krb5", r"/krb5(/krb5)?\.h"),
    wide("ldap.h", &["ldap.h", "ldap_features.h"], "ldap", r"/ldap[^/]*\.h"),
    wide(
        "libpq-fe.h",
        &["libpq-fe.h"],
        "libpq",
        r"/postgresql/(libpq-fe|postgres_ext|pg_config_ext)\.h",
    ),
    wide("mysql.h", &["mysql.h"], "libmariadb", r"/mariadb/.+\.h"),
    wide("git2.h", &["git2.h"], "libgit2", r"/git2(\.h|/.+\.h)"),
    wide("libssh2.h", &["libssh2.h"], "libssh2", r"/libssh2\.h"),
    Entry {
        defines: &[("PCRE2_CODE_UNIT_WIDTH", "8")],
        ..wide("pcre2.h", &["pcre2.h"], "libpcre2-8", r"/pcre2\.h")
    },
    wide("unicode/*.h", ICU, "icu-i18n", r"/unicode/[^/]+\.h"),
    wide("lua.h", &["lua.h", "lualib.h", "lauxlib.h"], "lua5.4", r"/lua5\.4/[^/]+\.h"),
    wide("Python.h", &["Python.h"], "python3", r"/python3\.[0-9]+/.+\.h"),
    wide("ruby.h", &["ruby.h"], "ruby-3.1", r"/ruby-3[^/]*/.+\.h"),
    wide("event2/event.h", &["event2/event.h"], "libevent", r"/event2/[^/]+\.h"),
    wide("libusb.h", &["libusb.h"], "libusb-1.0", r"/libusb\.h"),
    wide("archive.h", &["archive.h", "archive_entry.h"], "libarchive", r"/archive[^/]*\.h"),
    wide("tiffio.h", &["tiffio.h"], "libtiff-4", r"/tiff[^/]*\.h"),
    wide("jpeglib.h", &["stdio.h", "jpeglib.h"], "libjpeg", r"/j(peglib|config|morecfg)\.h"),
    wide("lmdb.h", &["lmdb.h"], "lmdb", r"/lmdb\.h"),
    wide("opus.h", &["opus.h"], "opus", r"/opus/[^/]+\.h"),
];

#[cfg(test)]
mod tests {
    use super::{CORPUS, chosen};

    #[test]
    fn patterns_are_patterns() {
        for entry in CORPUS {
            assert!(regex::Regex::new(entry.files).is_ok(), "{}", entry.name);
        }
    }

    #[test]
    fn headers_are_chosen_by_name() {
        let names = |names| chosen(names).iter().map(|entry| entry.name).collect::<Vec<_>>();
        assert_eq!(names("zlib.h,uv.h"), ["zlib.h", "uv.h"]);
        assert_eq!(names("all").len(), CORPUS.len());
        assert!(!names("").contains(&"uv.h") && names("").contains(&"png.h"));
    }
}
