//! The headers, and where each comes from.

/// One row of the table: a header, or a few that are used together.
#[derive(Debug)]
pub struct Entry {
    /// What the table calls it.
    pub name: &'static str,
    /// What a build script would pass to `.header`.
    pub headers: &'static [&'static str],
    /// Where it comes from.
    pub origin: Origin,
    /// The files whose declarations count: a pattern that matches the end of a path.
    pub files: &'static str,
}

/// Where headers come from.
#[derive(Debug)]
pub enum Origin {
    /// An installed library, which pkg-config knows by this name.
    Installed(&'static str),
    /// The C library itself.
    Libc,
    /// A directory of a crate that `data/Cargo.toml` pins.
    Crate {
        /// The crate's name.
        name: &'static str,
        /// The headers' directory in it.
        directory: &'static str,
    },
}

const fn installed(
    name: &'static str,
    headers: &'static [&'static str],
    package: &'static str,
    files: &'static str,
) -> Entry {
    Entry { name, headers, origin: Origin::Installed(package), files }
}

const fn libc(name: &'static str, headers: &'static [&'static str], files: &'static str) -> Entry {
    Entry { name, headers, origin: Origin::Libc, files }
}

const fn pinned(
    name: &'static str,
    headers: &'static [&'static str],
    package: &'static str,
    directory: &'static str,
    files: &'static str,
) -> Entry {
    Entry { name, headers, origin: Origin::Crate { name: package, directory }, files }
}

/// The application's part of lwIP: its raw interface, sockets and what they stand on.
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

/// All headers, in the table's order.
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
];

#[cfg(test)]
mod tests {
    use super::CORPUS;

    #[test]
    fn patterns_are_patterns() {
        for entry in CORPUS {
            assert!(regex::Regex::new(entry.files).is_ok(), "{}", entry.name);
        }
    }
}
