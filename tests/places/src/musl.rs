//! zlib and libpng, built for musl from their sources.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use omniglot_demo::samples::sources;

const ZLIB: [&str; 11] = [
    "adler32", "compress", "crc32", "deflate", "infback", "inffast", "inflate", "inftrees",
    "trees", "uncompr", "zutil",
];
const LIBPNG: [&str; 15] = [
    "png", "pngerror", "pngget", "pngmem", "pngpread", "pngread", "pngrio", "pngrtran", "pngrutil",
    "pngset", "pngtrans", "pngwio", "pngwrite", "pngwtran", "pngwutil",
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/checked/musl-libraries")
}

/// The directory with `include`, `lib` and `pkgconfig`; made when it does not exist.
pub(crate) fn libraries() -> Result<PathBuf> {
    let place = directory();
    let described = place.join("pkgconfig/libpng.pc");
    if described.exists() {
        return Ok(place.canonicalize()?);
    }
    for name in ["include", "lib", "pkgconfig"] {
        fs::create_dir_all(place.join(name))?;
    }
    let place = place.canonicalize()?;
    let (zlib, libpng) = (sources("zlib")?, sources("libpng")?);
    for (from, to) in [
        (zlib.join("zlib.h"), "zlib.h"),
        (zlib.join("zconf.h"), "zconf.h"),
        (libpng.join("png.h"), "png.h"),
        (libpng.join("pngconf.h"), "pngconf.h"),
        (libpng.join("scripts/pnglibconf.h.prebuilt"), "pnglibconf.h"),
    ] {
        let copied = fs::copy(&from, place.join("include").join(to));
        copied.with_context(|| from.display().to_string())?;
    }
    compile(&place, &zlib, &ZLIB, "libz.so", "libz.so.1", &["-DHAVE_UNISTD_H"])?;
    let flags = ["-DPNG_INTEL_SSE_OPT=0", "-lz", "-lm"];
    compile(&place, &libpng, &LIBPNG, "libpng16.so", "libpng16.so.16", &flags)?;
    let text = format!(
        "Name: libpng\nDescription: libpng, for musl\nVersion: 1.6\nLibs: -L{0}/lib -lpng16\n\
         Cflags: -I{0}/include\n",
        place.display()
    );
    fs::write(described, text)?;
    Ok(place)
}

fn compile(
    place: &Path,
    sources: &Path,
    names: &[&str],
    link: &str,
    library: &str,
    flags: &[&str],
) -> Result<()> {
    let files = names.iter().map(|name| sources.join(name).with_extension("c"));
    let mut compiler = Command::new("musl-gcc");
    compiler.args(["-O2", "-fPIC", "-shared", "-w", "-o"]).arg(place.join("lib").join(library));
    compiler.arg(format!("-Wl,-soname,{library}")).arg("-I").arg(place.join("include"));
    compiler.args(files).arg("-L").arg(place.join("lib")).args(flags);
    let output = compiler.output().context("could not start musl-gcc")?;
    if !output.status.success() {
        bail!("building {library} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let link = place.join("lib").join(link);
    if !link.exists() {
        symlink(library, link)?;
    }
    Ok(())
}

/// A directory with a libgcc_s that is a static unwinder: Debian has libgcc_s for glibc only.
pub(crate) fn unwinder(archive: &Path) -> Result<PathBuf> {
    let place = directory().with_file_name("musl-unwinder");
    fs::create_dir_all(&place)?;
    fs::write(place.join("libgcc_s.so"), format!("INPUT({})\n", archive.display()))?;
    Ok(place.canonicalize()?)
}
