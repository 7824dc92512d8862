//! The libraries: their files, their options, and the functions that the host calls.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::files::c_files;
use crate::sources::Sources;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A library.
#[derive(Default)]
pub(crate) struct Library {
    pub(crate) name: &'static str,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) include: Vec<PathBuf>,
    pub(crate) defines: &'static [(&'static str, &'static str)],
    /// What only the module is made of: files, and options for the compiler.
    pub(crate) module: (Vec<PathBuf>, &'static [&'static str]),
    /// What only the native library is made of: files, and definitions.
    pub(crate) native: (Vec<PathBuf>, &'static [(&'static str, &'static str)]),
    /// The functions that the host calls.
    pub(crate) exports: &'static [&'static str],
}

/// Returns all libraries, in an order in which a linker finds what each one needs from others.
pub(crate) fn all(sources: &Sources, out: &Path) -> Outcome<Vec<Library>> {
    Ok(vec![
        small(),
        sodium(sources, out)?,
        brotli(sources)?,
        png(sources, out)?,
        zlib(sources)?,
        sqlite(sources)?,
    ])
}

fn in_directory(directory: &Path, names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| directory.join(name).with_extension("c")).collect()
}

/// The small functions that measure calls.
fn small() -> Library {
    Library {
        name: "workloads",
        files: vec!["../c/workloads.c".into()],
        exports: &["empty", "add_six", "repeat"],
        ..Library::default()
    }
}

/// BLAKE2b in portable C: all of libsodium that runs if `sodium_init` was not called, as in plain
/// FFI here.
fn sodium(sources: &Sources, out: &Path) -> Outcome<Library> {
    let archive = sources.directory("libsodium-sys-stable", ".")?.join("LATEST.tar.gz");
    tar::Archive::new(GzDecoder::new(File::open(archive)?)).unpack(out)?;
    let root = out.join("libsodium-stable");
    let source = root.join("src/libsodium");
    // What configure would write. The form of other compilers is already there.
    let made = out.join("sodium/sodium");
    fs::create_dir_all(&made)?;
    fs::copy(root.join("builds/msvc/version.h"), made.join("version.h"))?;
    let hash = source.join("crypto_generichash");
    let mut files = in_directory(&source.join("sodium"), &["core", "runtime", "utils", "version"]);
    files.push(source.join("randombytes/randombytes.c"));
    for directory in [&hash, &hash.join("blake2b"), &hash.join("blake2b/ref")] {
        files.extend(c_files(directory)?);
    }
    let include = source.join("include");
    Ok(Library {
        name: "sodium",
        files,
        include: vec![out.join("sodium"), made, include.clone(), include.join("sodium")],
        defines: &[("CONFIGURED", "1"), ("NATIVE_LITTLE_ENDIAN", "1")],
        exports: &["crypto_generichash"],
        ..Library::default()
    })
}

fn brotli(sources: &Sources) -> Outcome<Library> {
    let root = sources.directory("compu-brotli-sys", "brotli/c")?;
    let mut files = Vec::new();
    for part in ["common", "dec", "enc"] {
        files.extend(c_files(&root.join(part))?);
    }
    Ok(Library {
        name: "brotli",
        files,
        include: vec![root.join("include")],
        exports: &["BrotliEncoderCompress", "BrotliDecoderDecompress"],
        ..Library::default()
    })
}

/// libpng without `setjmp`, which this C library for WebAssembly does not have: an error of libpng
/// ends the module with a trap, as it ends the process in plain FFI here. The simplified functions,
/// which are left out, cannot do without.
fn png(sources: &Sources, out: &Path) -> Outcome<Library> {
    let (root, zlib) = (sources.directory("libpng-src", "libpng")?, zlib(sources)?);
    let usual = fs::read_to_string(root.join("scripts/pnglibconf.h.prebuilt"))?;
    let without = ["#define PNG_SETJMP_SUPPORTED", "#define PNG_SIMPLIFIED_"];
    let kept = usual.lines().filter(|line| !without.iter().any(|start| line.starts_with(start)));
    let made = out.join("png");
    fs::create_dir_all(&made)?;
    fs::write(made.join("pnglibconf.h"), kept.collect::<Vec<_>>().join("\n"))?;
    let names = [
        "png", "pngerror", "pngget", "pngmem", "pngpread", "pngread", "pngrio", "pngrtran",
        "pngrutil", "pngset", "pngtrans", "pngwio", "pngwrite", "pngwtran", "pngwutil",
    ];
    let for_sse = in_directory(&root.join("intel"), &["filter_sse2_intrinsics", "intel_init"]);
    let mut include = vec![made, root.clone()];
    include.extend(zlib.include);
    Ok(Library {
        name: "png16",
        files: in_directory(&root, &names),
        include,
        // Natively zlib is a library of its own.
        module: (zlib.files, &[]),
        // As in distributions. It is for pixels of three and four bytes; the pictures that the
        // benchmarks draw have six.
        native: (for_sse, &[("PNG_INTEL_SSE_OPT", "1")]),
        exports: &[
            "png_create_read_struct",
            "png_create_info_struct",
            "png_destroy_read_struct",
            "png_get_image_height",
            "png_get_libpng_ver",
            "png_get_rowbytes",
            "png_read_image",
            "png_read_info",
            "png_set_read_fn",
        ],
        ..Library::default()
    })
}

fn zlib(sources: &Sources) -> Outcome<Library> {
    let root = sources.directory("libz-sys", "src/zlib")?;
    let names = [
        "adler32", "compress", "crc32", "deflate", "inffast", "inflate", "inftrees", "trees",
        "uncompr", "zutil",
    ];
    Ok(Library {
        name: "z",
        files: in_directory(&root, &names),
        include: vec![root],
        exports: &["compress2", "uncompress"],
        ..Library::default()
    })
}

/// SQLite for one thread, natively too, since a module has but one.
fn sqlite(sources: &Sources) -> Outcome<Library> {
    let root = sources.directory("libsqlite3-sys", "sqlite3")?;
    let module = (
        vec![root.join("wasm32-wasi-vfs.c")],
        &["-DSQLITE_OS_OTHER", "-DLONGDOUBLE_TYPE=double"][..],
    );
    Ok(Library {
        name: "sqlite3",
        files: vec![root.join("sqlite3.c")],
        include: vec![root],
        defines: &[
            ("SQLITE_THREADSAFE", "0"),
            ("SQLITE_TEMP_STORE", "3"),
            ("SQLITE_OMIT_LOAD_EXTENSION", "1"),
        ],
        module,
        exports: &[
            "sqlite3_open",
            "sqlite3_exec",
            "sqlite3_prepare_v2",
            "sqlite3_step",
            "sqlite3_column_int64",
            "sqlite3_finalize",
        ],
        ..Library::default()
    })
}
