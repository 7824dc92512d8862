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
    /// number: `&[T]`. Several slices can share one length; then they must be equally long.
    pub fn in_slice(self, pointer: impl Into<String>, len: impl Into<String>) -> Self {
        self.slice(pointer, Direction::In, Length::Parameter(len.into()))
    }

    /// A pointer to room for elements that the function writes, and the parameter with
    /// their number: `&mut [T]`. If the length is a pointer, the function says through it
    /// how many it wrote, and the wrapper returns that number as `usize`.
    pub fn out_slice(self, pointer: impl Into<String>, len: impl Into<String>) -> Self {
        self.slice(pointer, Direction::Out, Length::Parameter(len.into()))
    }

    /// As [`out_slice`](Self::out_slice), for elements that the function reads too.
    pub fn in_out_slice(self, pointer: impl Into<String>, len: impl Into<String>) -> Self {
        self.slice(pointer, Direction::InOut, Length::Parameter(len.into()))
    }

    /// A pointer to a fixed number of elements that the function reads: `&[T; len]`.
    pub fn in_array(self, pointer: impl Into<String>, len: u64) -> Self {
        self.slice(pointer, Direction::In, Length::Fixed(len))
    }

    /// A pointer to a fixed number of elements that the function writes: `&mut [T; len]`.
    pub fn out_array(self, pointer: impl Into<String>, len: u64) -> Self {
        self.slice(pointer, Direction::Out, Length::Fixed(len))
    }

    /// A C string that the function reads: `&str`.
    pub fn in_str(self, parameter: impl Into<String>) -> Self {
        self.role(parameter, RoleOption::Str)
    }

    /// A C string that the function reads: `&CStr`.
    pub fn in_c_str(self, parameter: impl Into<String>) -> Self {
        self.role(parameter, RoleOption::CStr)
    }

    /// A pointer through which the function returns one value: the wrapper returns it.
    /// Several results are a tuple, in the order of the C parameters.
    pub fn out(self, parameter: impl Into<String>) -> Self {
        self.role(parameter, RoleOption::Out)
    }

    /// A slice, string or other pointer for which C takes null too: `Option`.
    pub fn optional(mut self, parameter: impl Into<String>) -> Self {
        self.optional.push(parameter.into());
        self
    }

    /// The result is a status, and only this value is success. Any other is
    /// `Err(Error::Status)`. The wrapper does not return the status.
    pub const fn status_ok(mut self, value: i64) -> Self {
        self.success = Some(Success::Equal(value));
        self
    }

    /// The result is a failure when it is less than this value, and else a result.
    pub const fn status_at_least(mut self, value: i64) -> Self {
        self.success = Some(Success::AtLeast(value));
        self
    }

    /// The library's function that gives the text of a status, such as `const char
    /// *zError(int)`; the error then holds it.
    pub fn message(mut self, function: impl Into<String>) -> Self {
        self.message = Some(function.into());
        self
    }

    /// The result is a C string of at most so many bytes, its NUL included: the wrapper
    /// returns a view of it, a `&str` that lasts until the next call.
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
