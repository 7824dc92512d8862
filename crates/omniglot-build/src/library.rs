//! The builder that build scripts use.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};

use crate::bindings::Bindings;
use crate::check::left_out::LeftOut;
use crate::compile::Embedded;
use crate::error::{Problem, Result};
use crate::generation::{Reading, compile};
use crate::handle::Handle;
use crate::link::Link;
use crate::options::{Described, GuardOption, Options, Pattern, Purpose, StatusOption};
use crate::output::Workplace;
use crate::scalar::Target;
use crate::wrapper::Wrapper;
use crate::{c, output, paths, read, rust};

/// Describes a C library and generates its bindings; for use in `build.rs`.
///
/// Paths are relative to the package. Patterns are regular expressions that must
/// match a whole name.
#[derive(Clone, Debug)]
#[must_use = "nothing is generated before `generate`"]
pub struct Library {
    options: Options,
}

/// What [`Library::preview`] would generate.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The Rust module.
    pub rust: String,
    /// The C shims.
    pub c: String,
    /// The C functions that are bound.
    pub functions: Vec<String>,
    /// What is not bound, or only partly.
    pub problems: Vec<Problem>,
}

impl Library {
    /// A library whose module is included by `omniglot::include_library!(name)`. Its
    /// instance type is the name in upper camel case: `png` gives `Png`.
    ///
    /// ```
    /// use omniglot_build::Library;
    ///
    /// let library = Library::new("png").header("png.h").pkg_config("libpng");
    /// // In the crate: `mod png { omniglot::include_library!("png"); }`, which has the type `Png`.
    /// # drop(library);
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        let options = Options { name: name.into(), callback_slots: 8, ..Options::default() };
        Self { options }
    }

    /// Names the instance type otherwise.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_open(void);");
    /// let library = library.instance_name("Store");
    /// // `shop::Store::builder()` instead of `shop::Shop::builder()`
    /// # assert!(generates(&library, "pub struct Store"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn instance_name(mut self, name: impl Into<String>) -> Self {
        self.options.instance_name = Some(name.into());
        self
    }

    /// Binds what a header declares. It is found as C finds `#include "header"`.
    ///
    /// ```
    /// // One library may have several headers.
    /// let library = omniglot_build::Library::new("archive").header("archive.h").header("archive_entry.h");
    /// # drop(library);
    /// ```
    pub fn header(mut self, header: impl Into<String>) -> Self {
        self.options.headers.push(header.into());
        self
    }

    /// Searches a directory for headers.
    ///
    /// ```
    /// let library = omniglot_build::Library::new("mine")
    ///     .include("c/include") // in the package
    ///     .header("mine/parse.h") // c/include/mine/parse.h
    ///     .source("c/parse.c");
    /// # drop(library);
    /// ```
    pub fn include(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.includes.push(directory.into());
        self
    }

    /// Defines a macro for the headers, the sources and the shims.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("#ifdef SHOP_OPENS\nint shop_open(void);\n#endif\n");
    /// // shop.h: #ifdef SHOP_OPENS ... int shop_open(void); ... #endif
    /// let library = library.define("SHOP_OPENS", "1");
    /// assert_eq!(library.preview()?.functions, ["shop_open"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn define(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.defines.push((name.into(), value.into()));
        self
    }

    /// Passes an argument to clang, which reads the headers; the C compiler does not
    /// get it. Prefer [`define`](Self::define) and [`include`](Self::include).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_open(void);");
    /// let library = library.clang_arg("-Wno-everything");
    /// # assert_eq!(library.preview()?.functions, ["shop_open"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn clang_arg(mut self, argument: impl Into<String>) -> Self {
        self.options.clang_args.push(argument.into());
        self
    }

    /// Links a library that `pkg-config` knows, and uses its include directories.
    ///
    /// ```
    /// let library = omniglot_build::Library::new("sodium").header("sodium.h").pkg_config("libsodium");
    /// # drop(library);
    /// ```
    pub fn pkg_config(mut self, package: impl Into<String>) -> Self {
        self.options.packages.push(package.into());
        self
    }

    /// Links a library, as `-lname` does.
    ///
    /// ```
    /// // For a library that pkg-config does not know: `-lbz2`.
    /// let library = omniglot_build::Library::new("bzip2").header("bzlib.h").link("bz2");
    /// # drop(library);
    /// ```
    pub fn link(mut self, name: impl Into<String>) -> Self {
        self.options.links.push(name.into());
        self
    }

    /// Searches a directory for libraries, now and when the image is loaded.
    ///
    /// ```
    /// let prefix = "/opt/mine";
    /// let library = omniglot_build::Library::new("mine")
    ///     .header("mine.h")
    ///     .include(format!("{prefix}/include"))
    ///     .link_search(format!("{prefix}/lib"))
    ///     .link("mine");
    /// # drop(library);
    /// ```
    pub fn link_search(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.link_searches.push(directory.into());
        self
    }

    /// Compiles a C source into the image, or a C++ source (`.cc`, `.cpp`, `.cxx`) with a C
    /// interface. A header for both declares its functions as `extern "C"` under
    /// `#ifdef __cplusplus`.
    ///
    /// ```
    /// let library = omniglot_build::Library::new("mine")
    ///     .header("mine.h")
    ///     .include("c")
    ///     .source("c/mine.c")
    ///     .source("c/tables.c");
    /// # drop(library);
    /// ```
    pub fn source(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.sources.push(file.into());
        self
    }

    /// Links a static archive into the image: a file of the package, or the bare name of one where
    /// linkers search. The linker takes from it what nothing else defines, so the archive of a
    /// library that is [linked](Self::link), too, is for the image for software fault isolation
    /// only (`Library::sandboxed`, with the feature `sandbox`). Otherwise its code must be
    /// position-independent (`-fPIC`).
    ///
    /// ```
    /// let library = omniglot_build::Library::new("mine").header("mine.h").archive("vendor/libmine.a");
    /// # drop(library);
    /// ```
    pub fn archive(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.archives.push(file.into());
        self
    }

    /// Binds the functions that match. Without any allowlist, everything in the headers is
    /// bound, and in the files beside them, those that they include in quotation marks, and those
    /// in the directory that [`include`](Self::include) or pkg-config names and a header is in.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_open(void); int shop_close(void); int bakery_open(void);");
    /// // shop.h: int shop_open(void); int shop_close(void); int bakery_open(void);
    /// let library = library.allowlist_function("shop_.*");
    /// assert_eq!(library.preview()?.functions, ["shop_open", "shop_close"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn allowlist_function(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::AllowFunction, pattern)
    }

    /// Binds the types that match, and what they need.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct item { int price; }; int shop_open(void);");
    /// // shop.h: struct item { int price; }; int shop_open(void);
    /// let library = library.allowlist_type("item"); // for a struct that only a `void *` leads to
    /// assert!(library.preview()?.functions.is_empty());
    /// # assert!(generates(&library, "pub struct item"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn allowlist_type(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::AllowType, pattern)
    }

    /// Binds the constants, macros and globals that match.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("#define SHOP_MOST 64\nextern int shop_verbosity;");
    /// // shop.h: #define SHOP_MOST 64 ... extern int shop_verbosity;
    /// let library = library.allowlist_var("SHOP_.*|shop_verbosity");
    /// // gives: the constant SHOP_MOST, and fn read_shop_verbosity(&mut self) -> Result<c_int>
    /// # assert!(generates(&library, "pub const SHOP_MOST"));
    /// # assert!(generates(&library, "pub fn read_shop_verbosity"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn allowlist_var(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::AllowVar, pattern)
    }

    /// Leaves the functions out that match.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_open(void); int shop_debug(void);");
    /// // shop.h: int shop_open(void); int shop_debug(void);
    /// let library = library.blocklist_function(".*_debug");
    /// assert_eq!(library.preview()?.functions, ["shop_open"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn blocklist_function(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::BlockFunction, pattern)
    }

    /// Leaves the types out that match; where they are used, they are opaque.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct shop { int inner[4]; }; int shop_open(struct shop *shop);");
    /// // shop.h: struct shop { int inner[4]; }; int shop_open(struct shop *);
    /// let library = library.blocklist_type("shop");
    /// # assert!(!generates(&library, "pub inner"));
    /// assert_eq!(library.preview()?.functions, ["shop_open"]); // over addresses, as before
    /// # Ok(())
    /// # }
    /// ```
    pub fn blocklist_type(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::BlockType, pattern)
    }

    /// Binds enums that match as structs around an integer, of which any is valid.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("enum state { OPEN, CLOSED }; enum state shop_state(void);");
    /// // shop.h: enum state { OPEN, CLOSED }; enum state shop_state(void);
    /// let library = library.newtype_enum("state"); // it also returns values without a name
    /// # assert!(generates(&library, "pub struct state("));
    /// # assert!(!generates(&library, "pub enum state"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn newtype_enum(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::NewtypeEnum, pattern)
    }

    /// As [`newtype_enum`](Self::newtype_enum), with `|` and `&`: for flags.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("enum days { MON = 1, TUE = 2 }; int shop_opens(enum days days);");
    /// // shop.h: enum days { MON = 1, TUE = 2 }; int shop_opens(enum days days);
    /// let library = library.bitfield_enum("days"); // so that `MON | TUE` is a value, too
    /// # assert!(generates(&library, "impl BitOr<days> for days"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn bitfield_enum(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::BitfieldEnum, pattern)
    }

    /// Binds enums that match as an integer type with constants.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("enum state { OPEN, CLOSED }; enum state shop_state(void);");
    /// // shop.h: enum state { OPEN, CLOSED }; enum state shop_state(void);
    /// let library = library.constified_enum("state");
    /// // gives: type state = c_uint, and the constants OPEN and CLOSED
    /// # assert!(generates(&library, "pub type state"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn constified_enum(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::ConstifiedEnum, pattern)
    }

    /// Binds enums that match as Rust enums, although they look like flags. Without it, an enum
    /// whose values are bits of their own, or several of these bits, is bound as
    /// [`bitfield_enum`](Self::bitfield_enum) does, if it is also written as flags are: with
    /// shifts, unions or hexadecimal numbers, with a name that says so, or with many bits.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("enum slot_flag { FIRST = 1 << 0, SECOND = 1 << 1 }; enum slot_flag shop_slot(void);");
    /// // shop.h: enum slot_flag { FIRST = 1 << 0, SECOND = 1 << 1 }; enum slot_flag shop_slot(void);
    /// let library = library.plain_enum("slot_flag"); // one of the two, never both
    /// # assert!(generates(&library, "pub enum slot_flag"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn plain_enum(self, pattern: impl Into<String>) -> Self {
        self.pattern(Purpose::PlainEnum, pattern)
    }

    /// Binds a typedef of an integer that holds 0 or 1, such as GLib's `gboolean`, as a
    /// boolean of its size: any other number is an error. `true.into()` makes one, and
    /// `.into()` makes a `bool` of it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("typedef int shop_bool; shop_bool shop_is_open(void);");
    /// // shop.h: typedef int shop_bool; shop_bool shop_is_open(void);
    /// let library = library.bool_type("shop_bool");
    /// // if shop.shop_is_open()?.into() { ... }
    /// # assert!(generates(&library, "fn shop_is_open(&mut self) -> Result<shop_bool>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn bool_type(mut self, name: impl Into<String>) -> Self {
        self.options.bool_types.push(name.into());
        self
    }

    /// Generates a wrapper around a function with a signature that reads like Rust; the
    /// plain function gets the suffix `_raw`. See [`Wrapper`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_total(const unsigned *prices, unsigned long count, double *total);");
    /// use omniglot_build::Wrapper;
    ///
    /// // shop.h: int shop_total(const unsigned *prices, unsigned long count, double *total);
    /// let library = library.wrap(
    ///     Wrapper::function("shop_total").in_slice("prices", "count").out("total").status_ok(0),
    /// );
    /// // gives: fn shop_total(&mut self, prices: &[c_uint]) -> Result<f64>
    /// # assert!(generates(&library, "fn shop_total(&mut self, prices: &[c_uint]) -> Result<f64>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn wrap(mut self, wrapper: Wrapper) -> Self {
        self.options.wrappers.push(wrapper);
        self
    }

    /// The results of all functions that match are statuses: any but `success` is
    /// `Err(Error::Status)`, with the text that the library's function `message` gives of it.
    ///
    /// It is about those functions whose result has the type that `message` takes, and adds to
    /// what [`wrap`](Self::wrap) says of one of them, unless that says what its result means.
    ///
    /// ```
    /// # let library = omniglot_build::Library::new("curl");
    /// // CURLcode curl_easy_perform(CURL *curl);
    /// // const char *curl_easy_strerror(CURLcode);
    /// library.status("curl_easy_.*", 0, "curl_easy_strerror");
    /// // gives: fn curl_easy_perform(&mut self, curl: impl AsPtr<CURL>) -> Result<()>
    /// ```
    pub fn status(
        mut self,
        pattern: impl Into<String>,
        success: i64,
        message: impl Into<String>,
    ) -> Self {
        let (pattern, message) = (pattern.into(), message.into());
        self.options.statuses.push(StatusOption { pattern, success, message });
        self
    }

    /// Gives the library's objects of one type an owner in Rust, which destroys them. See
    /// [`Handle`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct shop; struct shop *shop_open(void); void shop_close(struct shop *shop);");
    /// use omniglot_build::Handle;
    ///
    /// // shop.h: struct shop *shop_open(void); void shop_close(struct shop *);
    /// let library = library.handle(
    ///     Handle::of("shop").constructor("shop_open").destructor("shop_close").named("OpenShop"),
    /// );
    /// // gives: fn shop_open(&mut self) -> Result<OpenShop>
    /// # assert!(generates(&library, "fn shop_open(&mut self) -> Result<OpenShop>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle(mut self, handle: Handle) -> Self {
        self.options.handles.push(handle);
        self
    }

    /// Guards functions that leave by `longjmp` on errors: such a call is
    /// `Err(NonLocalExit)`, and the instance stays usable.
    ///
    /// `buffer` is a C expression for the `jmp_buf`, over the parameters' names. It is
    /// evaluated before the call and written again after it: do not guard functions
    /// that free what holds the buffer. A null address guards nothing.
    ///
    /// ```
    /// # let library = omniglot_build::Library::new("png");
    /// library.setjmp_guard("png_(read|write).*", "png_jmpbuf(png_ptr)");
    /// ```
    pub fn setjmp_guard(mut self, pattern: impl Into<String>, buffer: impl Into<String>) -> Self {
        let guard = GuardOption { pattern: pattern.into(), buffer: buffer.into() };
        self.options.guards.push(guard);
        self
    }

    /// Lets callbacks leave through a function of the library, such as `png_error`:
    /// generates `raise_png_error`, whose result a callback returns as its error.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct shop; void shop_error(struct shop *shop, int code);");
    /// // shop.h: void shop_error(struct shop *shop, int code); // leaves by longjmp
    /// let library = library.raise("shop_error");
    /// // In a callback: `Err(api.raise_shop_error(shop, 7)?)`
    /// # assert!(generates(&library, "fn raise_shop_error"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn raise(mut self, function: impl Into<String>) -> Self {
        self.options.raises.push(function.into());
        self
    }

    /// Gives each function that matches a second method, whose name ends in `_batch`: it makes many
    /// calls in one crossing. It takes an iterator of what the function takes (the argument, a tuple
    /// of several, or the number of calls if there are none), and returns a `Vec` of the results, or
    /// nothing if the function does.
    ///
    /// A call of a library in a process costs some hundred nanoseconds on an idle machine, and
    /// microseconds on a busy one. So batches pay where a library is called thousands of times for
    /// little work each. All calls share one time limit. If one ends with an error, that is the
    /// batch's, and those after it are not made.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct shop; int shop_price(struct shop *shop, int item);");
    /// // shop.h: int shop_price(struct shop *shop, int item);
    /// let library = library.batch("shop_price");
    /// // gives: fn shop_price_batch(...), for `api.shop_price_batch((0..1000).map(|item| (shop, item)))?`
    /// # assert!(generates(&library, "fn shop_price_batch"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch(mut self, pattern: impl Into<String>) -> Self {
        self.options.batches.push(pattern.into());
        self
    }

    /// Binds a variadic function with certain parameters after the fixed ones, given as
    /// types in C, as a method of another name.
    ///
    /// ```
    /// # let library = omniglot_build::Library::new("curl");
    /// library
    ///     .variadic("curl_easy_setopt", "curl_easy_setopt_long", "long")
    ///     .variadic("curl_easy_setopt", "curl_easy_setopt_text", "const char *text");
    /// ```
    ///
    /// gives `curl_easy_setopt_long(handle, option, arg3: c_long)` and
    /// `curl_easy_setopt_text(handle, option, text)`.
    pub fn variadic(
        mut self,
        function: impl Into<String>,
        name: impl Into<String>,
        parameters: impl Into<String>,
    ) -> Self {
        self.options.described.push(Described::Variadic {
            function: function.into(),
            name: name.into(),
            parameters: parameters.into(),
        });
        self
    }

    /// Binds a macro that is used as a function, with the type that it would have as one.
    ///
    /// ```
    /// # let library = omniglot_build::Library::new("sound");
    /// library.function_macro("FRAME_BYTES", "size_t (const struct frame *frame, int channels)");
    /// ```
    pub fn function_macro(mut self, name: impl Into<String>, signature: impl AsRef<str>) -> Self {
        let (result, parameters) = c_signature(signature.as_ref());
        self.options.described.push(Described::Macro { name: name.into(), result, parameters });
        self
    }

    /// How many callbacks of each function pointer type can exist at a time; 8 unless
    /// set.
    ///
    /// There are twice as many C functions to call them, used in turn. So a library that calls
    /// a function pointer after it was withdrawn gets an error, until at least so many others
    /// of its type were made.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("typedef void hear_fn(int price); void shop_on_sale(hear_fn *hear);");
    /// // shop.h: typedef void hear_fn(int price); void shop_on_sale(hear_fn *hear);
    /// let library = library.callback_slots(64); // one for each customer
    /// # assert!(generates(&library, "SLOTS: u32 = 64"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn callback_slots(mut self, slots: u32) -> Self {
        self.options.callback_slots = slots;
        self
    }

    /// Makes the image for software fault isolation (`Isolation::Sfi`), too: the library's code is
    /// rewritten so that it stays in 4 GiB of memory, with musl's C library (Debian's package
    /// `musl-dev`). Whoever loads the image verifies it. For x86-64 Linux; for other targets nothing
    /// is done.
    ///
    /// - [Sources](Self::source) are compiled once more. Meanwhile the macro `OMNIGLOT_SANDBOXED`
    ///   is defined as 1, for sources that contain instructions that cannot be rewritten.
    /// - Of installed libraries ([`pkg_config`](Self::pkg_config), [`link`](Self::link)) the static
    ///   archives are taken, as the distribution compiled them, and those of the libraries that
    ///   they need, which `pkg-config --static` lists. [`archive`](Self::archive) names others.
    ///   If a call executes one of their instructions that cannot be rewritten, it ends; a warning
    ///   of cargo says whether there are any, but for [`known_stop`](Self::known_stop). `omniglot
    ///   scan libfoo.a` lists them.
    ///
    /// With the feature `sandbox`.
    ///
    /// ```
    /// let library = omniglot_build::Library::new("zlib").header("zlib.h").pkg_config("zlib").sandboxed();
    /// // At run time: `Zlib::builder().isolation(Isolation::Sfi).build()?`
    /// # drop(library);
    /// ```
    #[cfg(feature = "sandbox")]
    pub fn sandboxed(mut self) -> Self {
        self.options.is_sandboxed = true;
        self
    }

    /// Gives no warning about instructions of this function of an archive that cannot be rewritten,
    /// since no call executes it, or since the call may end then. May be called repeatedly.
    ///
    /// With the feature `sandbox`. A function without such instructions is a warning of cargo.
    ///
    /// ```
    /// // The library decides by the processor which of its copies runs.
    /// let library = omniglot_build::Library::new("sodium").sandboxed().known_stop("hash_by_avx512");
    /// # drop(library);
    /// ```
    #[cfg(feature = "sandbox")]
    pub fn known_stop(mut self, function: impl Into<String>) -> Self {
        self.options.known_stops.push(function.into());
        self
    }

    /// Writes to another directory than cargo's `OUT_DIR`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("static inline int shop_open(void) { return 1; }");
    /// library.out_dir(here.path().join("out")).generate()?;
    /// assert!(here.path().join("out/omniglot/shop.rs").is_file());
    /// # Ok(())
    /// # }
    /// ```
    pub fn out_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.out_dir = Some(directory.into());
        self
    }

    /// Generates for another target than cargo's.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_open(void);");
    /// let library = library.target("riscv32imc-unknown-none-elf");
    /// assert_eq!(library.preview()?.functions, ["shop_open"]); // with that target's sizes
    /// # Ok(())
    /// # }
    /// ```
    pub fn target(mut self, triple: impl Into<String>) -> Self {
        self.options.target = Some(triple.into());
        self
    }

    /// Where a domain's memory is, in bytes, on a machine without an operating system
    /// (`riscv32…-none-elf`): the image is linked to it. Without one, such a target gets
    /// bindings and no image.
    ///
    /// The region holds code and constants, stack, variables, the C library's heap, and
    /// the host's part, in this order. It is the kernel's to keep free of all else.
    ///
    /// ```
    /// # let library = omniglot_build::Library::new("monocypher");
    /// library.region(0x8400_0000, 96 << 10).stack(8 << 10).exchange(16 << 10);
    /// ```
    pub fn region(mut self, start: u32, bytes: u32) -> Self {
        (self.options.memory.start, self.options.memory.len) = (start, bytes);
        self
    }

    /// How large the stack in a [`region`](Self::region) is; 8 KiB unless set.
    ///
    /// ```
    /// # let library = omniglot_build::Library::new("monocypher");
    /// // Code with large arrays in functions needs more than 8 KiB.
    /// library.region(0x8400_0000, 256 << 10).stack(32 << 10);
    /// ```
    pub fn stack(mut self, bytes: u32) -> Self {
        self.options.memory.stack = bytes;
        self
    }

    /// How much of a [`region`](Self::region) is the host's, for arguments and what scopes
    /// allocate; 8 KiB unless set.
    ///
    /// ```
    /// # let library = omniglot_build::Library::new("monocypher");
    /// // A scope copies messages of up to 32 KiB in.
    /// library.region(0x8400_0000, 256 << 10).exchange(40 << 10);
    /// ```
    pub fn exchange(mut self, bytes: u32) -> Self {
        self.options.memory.exchange = bytes;
        self
    }

    /// How much of a [`region`](Self::region) the C library's heap has at the least, or the
    /// build fails. It gets whatever is left.
    ///
    /// ```
    /// # let library = omniglot_build::Library::new("zlib");
    /// // zlib's `inflate` takes about 40 KiB from `malloc`.
    /// library.region(0x8400_0000, 256 << 10).heap(48 << 10);
    /// ```
    pub fn heap(mut self, bytes: u32) -> Self {
        self.options.memory.heap = bytes;
        self
    }

    fn pattern(mut self, purpose: Purpose, pattern: impl Into<String>) -> Self {
        self.options.patterns.push(Pattern { purpose, text: pattern.into() });
        self
    }

    /// Writes `omniglot/NAME.rs` and the image beside it to the output directory, and
    /// tells cargo what it depends on and what is not bound.
    ///
    /// ```no_run
    /// fn main() -> omniglot_build::Result<()> {
    ///     omniglot_build::Library::new("zlib")
    ///         .header("zlib.h")
    ///         .pkg_config("zlib")
    ///         .allowlist_function("compress.*|uncompress.*")
    ///         .generate()
    /// }
    /// ```
    ///
    /// # Errors
    /// Whatever prevents it, with what to do about it.
    pub fn generate(&self) -> Result<()> {
        let directory = output::directory(self.options.out_dir.as_deref())?;
        let (mut reading, mut bindings) = self.read(true)?;
        let name = &self.options.name;
        let workplace = Workplace::new(&directory, name)?;
        let (rust, embedded) = match bindings.image() {
            Some(image) => {
                let compiled = compile(&mut reading, &mut bindings, &workplace, Some(&image))?;
                workplace.publish(&image)?;
                compiled
            }
            None => (rust::generate(&bindings)?, Embedded::default()),
        };
        workplace.publish_text(&format!("{name}.rs"), &rust)?;
        output::tell_place(&directory, name)?;
        self.tell_cargo(&bindings, &reading.headers.included, &embedded);
        Ok(())
    }

    /// Generates without compiling, linking or writing anything.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_open(void); int shop_say(const char *format, ...);");
    /// // shop.h: int shop_open(void); int shop_say(const char *format, ...);
    /// let preview = library.preview()?;
    /// assert_eq!(preview.functions, ["shop_open"]);
    /// for problem in &preview.problems {
    ///     println!("not bound: {}: {}", problem.item, problem.reason); // shop_say, and what to do
    /// }
    /// # assert_eq!(preview.problems.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`generate`](Self::generate), short of what compiling and linking find.
    pub fn preview(&self) -> Result<Preview> {
        let (_, bindings) = self.read(false)?;
        preview(bindings)
    }

    /// As [`preview`](Self::preview), but leaves out what [`generate`](Self::generate)
    /// finds missing when it compiles and links, which this does in `scratch`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("static inline int shop_open(void) { return 1; } int shop_lost(void);");
    /// // shop.h: static int shop_open(void) { … } int shop_lost(void);
    /// let preview = library.preview_linked(here.path())?;
    /// assert_eq!(preview.functions, ["shop_open"]); // nothing defines `shop_lost`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    pub fn preview_linked(&self, scratch: impl AsRef<Path>) -> Result<Preview> {
        let (mut reading, mut bindings) = self.read(false)?;
        if let Some(image) = bindings.image() {
            let workplace = Workplace::new(scratch.as_ref(), &self.options.name)?;
            compile(&mut reading, &mut bindings, &workplace, Some(&image))?;
        }
        preview(bindings)
    }

    /// As [`preview_linked`](Self::preview_linked), but without linking: what the C compiler
    /// rejects is left out, and what the library does not define is not known.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("static inline int shop_open(void) { return 1; } int shop_lost(void);");
    /// // shop.h: static int shop_open(void) { … } int shop_lost(void);
    /// let preview = library.preview_compiled(here.path())?;
    /// assert_eq!(preview.functions, ["shop_open", "shop_lost"]); // whether it is defined is not known
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`generate`](Self::generate), short of what linking finds.
    pub fn preview_compiled(&self, scratch: impl AsRef<Path>) -> Result<Preview> {
        let (mut reading, mut bindings) = self.read(false)?;
        if bindings.image().is_some() {
            let workplace = Workplace::new(scratch.as_ref(), &self.options.name)?;
            compile(&mut reading, &mut bindings, &workplace, None)?;
        }
        preview(bindings)
    }

    /// Reads the headers and checks what they declare.
    fn read(&self, cargo_listens: bool) -> Result<(Reading, Bindings)> {
        let mut options = self.options.clone();
        options.check()?;
        let target =
            self.target_triple().map_or_else(Target::default, |triple| Target::new(&triple));
        let link = Link::new(&options, cargo_listens)?;
        options.defines.clone_from(&link.defines);
        let headers = read::read(&options, &link.includes, &target)?;
        let reading = Reading { options, target, link, headers, left_out: LeftOut::default() };
        let bindings = reading.check()?;
        Ok((reading, bindings))
    }

    fn target_triple(&self) -> Option<String> {
        self.options.target.clone().or_else(|| env::var("TARGET").ok())
    }

    /// Tells cargo when to run again, and what is not bound. When the build script itself changes,
    /// cargo runs it again without being told.
    fn tell_cargo(&self, bindings: &Bindings, included: &BTreeSet<PathBuf>, embedded: &Embedded) {
        let sources = self.options.sources.iter().map(|source| paths::in_package(source));
        let headers = included.iter().filter(|header| !paths::is_system_header(header)).cloned();
        // Archives are copied into the image, so the system's updates must reach it.
        let files = sources.chain(headers).chain(embedded.archives.iter().cloned());
        for file in files.filter(|file| !paths::is_output(file)) {
            println!("cargo:rerun-if-changed={}", file.display());
        }
        let target = bindings.target.triple();
        let names = ["CC", "CFLAGS", read::EXTRA];
        let variables = names.iter().flat_map(|name| output::variables(name, target));
        for variable in variables.chain(["LIBCLANG_PATH".to_owned()]) {
            println!("cargo:rerun-if-env-changed={variable}");
        }
        let lines = summary(&bindings.problems).into_iter().chain(embedded.warning.clone());
        for line in lines {
            println!("cargo:warning={}: {line}", self.options.name);
        }
    }
}

fn preview(bindings: Bindings) -> Result<Preview> {
    let functions = bindings.model.functions.iter().map(|function| function.c_name.clone());
    Ok(Preview {
        rust: rust::generate(&bindings)?,
        c: c::generate(&bindings).text,
        functions: functions.collect(),
        problems: bindings.problems,
    })
}

/// `int (int a, int b)` → `int` and `int a, int b`.
fn c_signature(text: &str) -> (String, String) {
    let (result, parameters) = text.split_once('(').unwrap_or((text, "void)"));
    let parameters = parameters.trim_end().strip_suffix(')').unwrap_or(parameters);
    (result.trim().to_owned(), parameters.trim().to_owned())
}

/// One line per reason, with all items to which it applies.
fn summary(problems: &[Problem]) -> Vec<String> {
    let mut items: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for problem in problems {
        items.entry(&problem.reason).or_default().push(with_line(problem));
    }
    items.iter().map(|(reason, items)| format!("{}: {reason}", items.join(", "))).collect()
}

/// `printf (stdio.h:356)`
fn with_line(problem: &Problem) -> String {
    let place = problem.place.as_deref().map(Path::new).and_then(Path::file_name);
    match place {
        Some(place) => format!("{} ({})", problem.item, place.display()),
        None => problem.item.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Library, Problem, summary};

    #[test]
    fn problems_with_the_same_reason_share_a_line() {
        let problems = [("a", "variadic"), ("b", "too wide"), ("c", "variadic")]
            .map(|(item, reason)| Problem::new(item, reason));
        assert_eq!(summary(&problems), ["b: too wide", "a, c: variadic"]);
        let placed = problems.map(|problem| problem.at(Some(&"/usr/include/x.h:3".to_owned())));
        assert_eq!(summary(&placed), ["b (x.h:3): too wide", "a (x.h:3), c (x.h:3): variadic"]);
    }

    #[test]
    fn the_instance_is_named_after_the_library() {
        assert_eq!(Library::new("lib_png").options.instance(), "LibPng");
    }
}
