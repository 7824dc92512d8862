//! Compiling bindings that were generated ahead, without libclang.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::compile::{Compiler, Outcome};
use crate::error::{Error, Result};
use crate::link::Link;
use crate::options::Options;
use crate::output::Workplace;
use crate::scalar::Target;
use crate::{output, paths};

/// Compiles bindings that were generated ahead; for use in `build.rs`.
///
/// Reading headers needs libclang; this needs only a C compiler and the library's
/// headers. So a crate can ship what `omniglot bindings --out-dir generated zlib.h`
/// wrote, and its users need no libclang:
///
/// ```no_run
/// fn main() -> omniglot_build::Result<()> {
///     omniglot_build::Prebuilt::new("zlib").pkg_config("zlib").compile()
/// }
/// ```
///
/// With `default-features = false`, this crate needs no libclang.
/// The crate includes its module as if it had been generated just now, with
/// `omniglot::include_library!("zlib")`.
///
/// Paths are relative to the package.
#[derive(Clone, Debug)]
#[must_use = "nothing is compiled before `compile`"]
pub struct Prebuilt {
    options: Options,
    rust: PathBuf,
    c: PathBuf,
}

impl Prebuilt {
    /// The library of this name, from `generated/NAME.rs` and `generated/NAME_shims.c`.
    ///
    /// ```
    /// // generated/zlib.rs and generated/zlib_shims.c
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").pkg_config("zlib");
    /// # drop(prebuilt);
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let directory = Path::new("generated");
        let rust = directory.join(format!("{name}.rs"));
        let c = directory.join(format!("{name}_shims.c"));
        Self { options: Options { name, ..Options::default() }, rust, c }
    }

    /// The generated Rust is in another file.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").rust("src/zlib_generated.rs").pkg_config("zlib");
    /// # drop(prebuilt);
    /// ```
    pub fn rust(mut self, file: impl Into<PathBuf>) -> Self {
        self.rust = file.into();
        self
    }

    /// The generated C is in another file.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").c("c/zlib_shims.c").pkg_config("zlib");
    /// # drop(prebuilt);
    /// ```
    pub fn c(mut self, file: impl Into<PathBuf>) -> Self {
        self.c = file.into();
        self
    }

    /// Searches a directory for headers.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").include("vendor/zlib").link_search("vendor/zlib").link("z");
    /// # drop(prebuilt);
    /// ```
    pub fn include(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.includes.push(directory.into());
        self
    }

    /// Defines a macro for the headers and the sources.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").define("Z_PREFIX", "1").pkg_config("zlib");
    /// # drop(prebuilt);
    /// ```
    pub fn define(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.defines.push((name.into(), value.into()));
        self
    }

    /// Links a library that `pkg-config` knows, and uses its include directories.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").pkg_config("zlib");
    /// # drop(prebuilt);
    /// ```
    pub fn pkg_config(mut self, package: impl Into<String>) -> Self {
        self.options.packages.push(package.into());
        self
    }

    /// Links a library, as `-lname` does.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").link("z");
    /// # drop(prebuilt);
    /// ```
    pub fn link(mut self, name: impl Into<String>) -> Self {
        self.options.links.push(name.into());
        self
    }

    /// Searches a directory for libraries, now and when the image is loaded.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").link_search("/opt/zlib/lib").link("z");
    /// # drop(prebuilt);
    /// ```
    pub fn link_search(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.link_searches.push(directory.into());
        self
    }

    /// Compiles a C source into the image.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").include("vendor/zlib").source("vendor/zlib/adler32.c");
    /// # drop(prebuilt);
    /// ```
    pub fn source(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.sources.push(file.into());
        self
    }

    /// Links a static archive into the image. [`Library::archive`](crate::Library::archive) has the
    /// details.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("mine").archive("vendor/libmine.a");
    /// # drop(prebuilt);
    /// ```
    pub fn archive(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.archives.push(file.into());
        self
    }

    /// Writes to another directory than cargo's `OUT_DIR`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("static inline int shop_open(void) { return 1; }");
    /// # let preview = library.preview()?;
    /// # let file = |name: &str, text: &str| {
    /// #     let path = here.path().join(name);
    /// #     std::fs::write(&path, text).map(|()| path).expect("it can be written")
    /// # };
    /// # let (rust, c) = (file("shop.rs", &preview.rust), file("shop_shims.c", &preview.c));
    /// // `rust` and `c` are the files that were generated ahead.
    /// omniglot_build::Prebuilt::new("shop")
    ///     .rust(rust)
    ///     .c(c)
    ///     .include(here.path())
    ///     .out_dir(here.path().join("out"))
    ///     .compile()?;
    /// assert!(here.path().join("out/omniglot/shop.so").is_file());
    /// # Ok(())
    /// # }
    /// ```
    pub fn out_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.out_dir = Some(directory.into());
        self
    }

    /// Compiles for another target than cargo's.
    ///
    /// ```
    /// let prebuilt = omniglot_build::Prebuilt::new("zlib").rust("generated/zlib_riscv.rs").target("riscv32imc-unknown-none-elf");
    /// # drop(prebuilt);
    /// ```
    pub fn target(mut self, triple: impl Into<String>) -> Self {
        self.options.target = Some(triple.into());
        self
    }

    /// Writes `omniglot/NAME.rs` and `omniglot/NAME.so` to the output directory, and
    /// tells cargo what it depends on.
    ///
    /// For targets that nothing can be run on yet the image is empty: everything
    /// compiles, and making an instance is an error.
    ///
    /// ```no_run
    /// fn main() -> omniglot_build::Result<()> {
    ///     omniglot_build::Prebuilt::new("zlib").pkg_config("zlib").compile()
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Outdated`] if the C does not fit the library that is installed;
    /// whatever else prevents it, with what to do about it.
    pub fn compile(&self) -> Result<()> {
        self.options.check_sources()?;
        let name = &self.options.name;
        let directory = output::directory(self.options.out_dir.as_deref())?;
        let (rust, c) = (read(&self.rust)?, read(&self.c)?);
        let (workplace, image) = (Workplace::new(&directory, name)?, format!("{name}.so"));
        let target = self.target_of_build();
        if target.is_compiled() {
            let shims = workplace.file(&format!("{name}_shims.c"));
            output::write(&shims, &c)?;
            self.image(&target, &shims, &workplace.file(&image))?;
            workplace.publish(&image)?;
        } else {
            workplace.publish_text(&image, "")?;
        }
        workplace.publish_text(&format!("{name}.rs"), &rust)?;
        output::tell_place(&directory, name)?;
        self.tell_cargo();
        Ok(())
    }

    fn image(&self, target: &Target, shims: &Path, image: &Path) -> Result<()> {
        let link = Link::new(&self.options, true)?;
        let directory = shims.parent().unwrap_or(Path::new("."));
        let compiler = Compiler::new(&self.options, &link, target, directory)?;
        let sources = compiler.sources()?;
        let message = match compiler.image(shims, &sources, image) {
            Ok(Outcome::Linked) => return Ok(()),
            Ok(Outcome::Uncallable(functions)) => list(&functions),
            Ok(Outcome::Rejected(items)) => items.into_values().collect::<Vec<_>>().join("\n"),
            Err(Error::Shims { output, .. }) => output,
            Err(error) => return Err(error),
        };
        Err(Error::Outdated { path: self.c.clone(), message })
    }

    fn target_of_build(&self) -> Target {
        let triple = self.options.target.clone().or_else(|| env::var("TARGET").ok());
        triple.map_or_else(Target::default, |triple| Target::new(&triple))
    }

    fn tell_cargo(&self) {
        println!("cargo:rerun-if-changed=build.rs");
        let given = self.options.sources.iter().chain(&self.options.archives);
        for file in [&self.rust, &self.c].into_iter().chain(given) {
            println!("cargo:rerun-if-changed={}", paths::in_package(file).display());
        }
        let target = self.target_of_build();
        let names = ["CC", "CFLAGS"];
        for variable in names.iter().flat_map(|name| output::variables(name, target.triple())) {
            println!("cargo:rerun-if-env-changed={variable}");
        }
    }
}

/// Reads a file of the package.
fn read(path: &Path) -> Result<String> {
    let path = paths::in_package(path);
    fs::read_to_string(&path).map_err(|error| Error::File { path, error })
}

/// One line per shim that calls something that cannot be called.
fn list(uncallable: &BTreeSet<(String, String)>) -> String {
    let function = |shim: &str| shim.trim_start_matches("omniglot_call_").to_owned();
    let lines = uncallable.iter().map(|(shim, reason)| format!("  {}: {reason}", function(shim)));
    lines.collect::<Vec<_>>().join("\n")
}
