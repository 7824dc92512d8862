//! Descriptions of idiomatic wrappers, as build scripts write them.

/// Describes how a C function reads in Rust: which pointers are slices or strings, which
/// parameters are results, what its status means.
///
/// The wrapper takes the function's name, and the plain function gets the suffix
/// `_raw`. It copies slices and strings into foreign memory for the time of the call,
/// and out of it afterwards; parameters that are not described stay as they are.
///
/// ```
/// use omniglot_build::{Library, Wrapper};
/// # let library = Library::new("zlib");
/// // int uncompress(Bytef *dest, uLongf *destLen, const Bytef *source, uLong sourceLen);
/// library.wrap(
///     Wrapper::function("uncompress")
///         .out_slice("dest", "destLen")
///         .in_slice("source", "sourceLen")
///         .status_ok(0)
///         .message("zError"),
/// );
/// // gives: fn uncompress(&mut self, dest: &mut [u8], source: &[u8]) -> Result<usize>
/// ```
///
/// ```
/// use omniglot_build::{Library, Wrapper};
/// # let library = Library::new("sodium");
/// // int crypto_generichash(unsigned char *out, size_t outlen, const unsigned char *in,
/// //                        unsigned long long inlen, const unsigned char *key, size_t keylen);
/// library.wrap(
///     Wrapper::function("crypto_generichash")
///         .out_slice("out", "outlen")
///         .in_slice("in", "inlen")
///         .in_slice("key", "keylen")
///         .optional("key")
///         .status_ok(0),
/// );
/// // gives: fn crypto_generichash(&mut self, out: &mut [u8], in_: &[u8], key: Option<&[u8]>)
/// //            -> Result<()>
/// ```
///
/// Elements of `void *` and `char *` slices are bytes. What a failing call left in
/// out-slices is not copied out.
#[derive(Clone, Debug)]
#[must_use = "hand it to `Library::wrap`"]
pub struct Wrapper {
    pub(crate) function: String,
    pub(crate) roles: Vec<(String, RoleOption)>,
    pub(crate) optional: Vec<String>,
    pub(crate) success: Option<Success>,
    pub(crate) message: Option<String>,
    pub(crate) text_limit: Option<u64>,
}

/// What a parameter is for.
#[derive(Clone, Debug)]
pub(crate) enum RoleOption {
    Slice {
        direction: Direction,
        len: Length,
    },
    /// A C string in, from a `&str`.
    Str,
    /// A C string in, from a `&CStr`.
    CStr,
    /// A pointer to where one value of the result goes.
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
    InOut,
}

/// Where a slice's length is.
#[derive(Clone, Debug)]
pub(crate) enum Length {
    /// In a parameter.
    Parameter(String),
    /// Always the same.
    Fixed(u64),
}

/// Which statuses mean success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    Equal(i64),
    AtLeast(i64),
}

impl Wrapper {
    /// Describes the C function of this name.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_find(const char *name);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_find(const char *name);
    /// let library = library.wrap(Wrapper::function("shop_find").in_str("name"));
    /// // gives: fn shop_find(&mut self, name: &str) -> Result<c_int>
    /// # assert!(generates(&library, "fn shop_find(&mut self, name: &str) -> Result<c_int>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn function(name: impl Into<String>) -> Self {
        Self {
            function: name.into(),
            roles: Vec::new(),
            optional: Vec::new(),
            success: None,
            message: None,
            text_limit: None,
        }
    }

    /// A pointer to elements that the function reads, and the parameter with their
    /// number: `&[T]`. Several slices can share one length. The wrapper then returns an error unless
    /// they are equally long.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_sum(const int *prices, unsigned count);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_sum(const int *prices, unsigned count);
    /// let library = library.wrap(Wrapper::function("shop_sum").in_slice("prices", "count"));
    /// // gives: fn shop_sum(&mut self, prices: &[c_int]) -> Result<c_int>
    /// # assert!(generates(&library, "fn shop_sum(&mut self, prices: &[c_int]) -> Result<c_int>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_slice(self, pointer: impl Into<String>, len: impl Into<String>) -> Self {
        self.slice(pointer, Direction::In, Length::Parameter(len.into()))
    }

    /// A pointer to room for elements that the function writes, and the parameter with
    /// their number: `&mut [T]`. If the length is a pointer, the function says through it
    /// how many it wrote, and the wrapper returns that number as `usize`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("void shop_list(int *prices, unsigned *count);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: void shop_list(int *prices, unsigned *count);
    /// let library = library.wrap(Wrapper::function("shop_list").out_slice("prices", "count"));
    /// // gives: fn shop_list(&mut self, prices: &mut [c_int]) -> Result<usize>
    /// # assert!(generates(&library, "fn shop_list(&mut self, prices: &mut [c_int]) -> Result<usize>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn out_slice(self, pointer: impl Into<String>, len: impl Into<String>) -> Self {
        self.slice(pointer, Direction::Out, Length::Parameter(len.into()))
    }

    /// As [`out_slice`](Self::out_slice), for elements that the function reads too.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("void shop_sort(int *prices, unsigned count);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: void shop_sort(int *prices, unsigned count);
    /// let library = library.wrap(Wrapper::function("shop_sort").in_out_slice("prices", "count"));
    /// // gives: fn shop_sort(&mut self, prices: &mut [c_int]) -> Result<()>
    /// # assert!(generates(&library, "fn shop_sort(&mut self, prices: &mut [c_int]) -> Result<()>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_out_slice(self, pointer: impl Into<String>, len: impl Into<String>) -> Self {
        self.slice(pointer, Direction::InOut, Length::Parameter(len.into()))
    }

    /// A pointer to a fixed number of elements that the function reads: `&[T; len]`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_unlock(const unsigned char key[32]);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_unlock(const unsigned char key[32]);
    /// let library = library.wrap(Wrapper::function("shop_unlock").in_array("key", 32));
    /// // gives: fn shop_unlock(&mut self, key: &[c_uchar; 32]) -> Result<c_int>
    /// # assert!(generates(&library, "fn shop_unlock(&mut self, key: &[c_uchar; 32]) -> Result<c_int>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_array(self, pointer: impl Into<String>, len: u64) -> Self {
        self.slice(pointer, Direction::In, Length::Fixed(len))
    }

    /// A pointer to a fixed number of elements that the function writes: `&mut [T; len]`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("void shop_key(unsigned char key[32]);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: void shop_key(unsigned char key[32]);
    /// let library = library.wrap(Wrapper::function("shop_key").out_array("key", 32));
    /// // gives: fn shop_key(&mut self, key: &mut [c_uchar; 32]) -> Result<()>
    /// # assert!(generates(&library, "fn shop_key(&mut self, key: &mut [c_uchar; 32]) -> Result<()>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn out_array(self, pointer: impl Into<String>, len: u64) -> Self {
        self.slice(pointer, Direction::Out, Length::Fixed(len))
    }

    /// A C string that the function reads: `&str`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_find(const char *name);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_find(const char *name);
    /// let library = library.wrap(Wrapper::function("shop_find").in_str("name"));
    /// // gives: fn shop_find(&mut self, name: &str) -> Result<c_int>
    /// # assert!(generates(&library, "fn shop_find(&mut self, name: &str) -> Result<c_int>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_str(self, parameter: impl Into<String>) -> Self {
        self.role(parameter, RoleOption::Str)
    }

    /// A C string that the function reads: `&CStr`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_read(const char *path);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_read(const char *path);
    /// let library = library.wrap(Wrapper::function("shop_read").in_c_str("path"));
    /// // gives: fn shop_read(&mut self, path: &CStr) -> Result<c_int>
    /// # assert!(generates(&library, "fn shop_read(&mut self, path: &CStr) -> Result<c_int>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_c_str(self, parameter: impl Into<String>) -> Self {
        self.role(parameter, RoleOption::CStr)
    }

    /// A pointer through which the function returns one value: the wrapper returns it.
    /// Several results are a tuple, in the order of the C parameters.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("void shop_range(int *least, int *most);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: void shop_range(int *least, int *most);
    /// let library = library.wrap(Wrapper::function("shop_range").out("least").out("most"));
    /// // gives: fn shop_range(&mut self) -> Result<(c_int, c_int)>
    /// # assert!(generates(&library, "fn shop_range(&mut self) -> Result<(c_int, c_int)>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn out(self, parameter: impl Into<String>) -> Self {
        self.role(parameter, RoleOption::Out)
    }

    /// A slice, string or other pointer for which C takes null too: `Option`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_find(const char *name);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_find(const char *name);
    /// let library = library.wrap(Wrapper::function("shop_find").in_str("name").optional("name"));
    /// // gives: fn shop_find(&mut self, name: Option<&str>) -> Result<c_int>
    /// # assert!(generates(&library, "fn shop_find(&mut self, name: Option<&str>) -> Result<c_int>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn optional(mut self, parameter: impl Into<String>) -> Self {
        self.optional.push(parameter.into());
        self
    }

    /// The result is a status, and only this value is success. Any other is
    /// `Err(Error::Status)`. The wrapper does not return the status.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_open(void);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_open(void);
    /// let library = library.wrap(Wrapper::function("shop_open").status_ok(0));
    /// // gives: fn shop_open(&mut self) -> Result<()>
    /// # assert!(generates(&library, "fn shop_open(&mut self) -> Result<()>"));
    /// # Ok(())
    /// # }
    /// ```
    pub const fn status_ok(mut self, value: i64) -> Self {
        self.success = Some(Success::Equal(value));
        self
    }

    /// A result that is less than this value means failure, and is `Err(Error::Status)`. Any other
    /// is returned.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_count(void);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_count(void); // or -1
    /// let library = library.wrap(Wrapper::function("shop_count").status_at_least(0));
    /// // gives: fn shop_count(&mut self) -> Result<c_int>
    /// # assert!(generates(&library, "fn shop_count(&mut self) -> Result<c_int>"));
    /// # Ok(())
    /// # }
    /// ```
    pub const fn status_at_least(mut self, value: i64) -> Self {
        self.success = Some(Success::AtLeast(value));
        self
    }

    /// The library's function that gives the text of a status, such as `const char
    /// *zError(int)`; the error then holds it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("int shop_open(void); const char *shop_strerror(int code);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: int shop_open(void); const char *shop_strerror(int code);
    /// let library = library.wrap(Wrapper::function("shop_open").status_ok(0).message("shop_strerror"));
    /// // gives: fn shop_open(&mut self) -> Result<()>
    /// # assert!(generates(&library, "fn shop_open(&mut self) -> Result<()>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn message(mut self, function: impl Into<String>) -> Self {
        self.message = Some(function.into());
        self
    }

    /// The result is a C string of at most so many bytes, its NUL included: the wrapper
    /// returns a view of it, a `&str` that lasts until the next call.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("const char *shop_name(void);");
    /// # use omniglot_build::Wrapper;
    /// // shop.h: const char *shop_name(void);
    /// let library = library.wrap(Wrapper::function("shop_name").returns_str(64));
    /// // gives: fn shop_name(&mut self) -> Result<View
    /// # assert!(generates(&library, "fn shop_name(&mut self) -> Result<View"));
    /// # Ok(())
    /// # }
    /// ```
    pub const fn returns_str(mut self, max: u64) -> Self {
        self.text_limit = Some(max);
        self
    }

    pub(crate) fn slice(
        self,
        pointer: impl Into<String>,
        direction: Direction,
        len: Length,
    ) -> Self {
        self.role(pointer, RoleOption::Slice { direction, len })
    }

    fn role(mut self, parameter: impl Into<String>, role: RoleOption) -> Self {
        self.roles.push((parameter.into(), role));
        self
    }
}
