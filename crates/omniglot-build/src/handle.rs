//! Descriptions of owned objects, as build scripts write them.

/// Describes a type of object that the library makes and that somebody has to destroy:
/// functions that make one then return a handle that owns it.
///
/// When a handle is dropped, the destructor is called before the next call of the instance, unless
/// the instance is poisoned or was reset; `close(&mut api)` calls it at once and returns its
/// result. A handle can be passed wherever C takes the object's address.
///
/// ```
/// use omniglot_build::{Handle, Library};
/// # let library = Library::new("database");
/// // int sqlite3_prepare_v2(sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
/// // int sqlite3_finalize(sqlite3_stmt *);
/// library.handle(
///     Handle::of("sqlite3_stmt")
///         .constructor("sqlite3_prepare_v2")
///         .destructor("sqlite3_finalize")
///         .named("Statement"),
/// );
/// // gives: type Statement = Handle<sqlite3_stmt>, and a sqlite3_prepare_v2 that returns one
/// ```
#[derive(Clone, Debug)]
#[must_use = "hand it to `Library::handle`"]
pub struct Handle {
    pub(crate) ty: String,
    pub(crate) destructor: Option<String>,
    pub(crate) constructors: Vec<String>,
    pub(crate) name: Option<String>,
}

impl Handle {
    /// Describes the C type of this name: a struct's tag, or a typedef of a struct or of
    /// `void`. The latter then is a type of its own, whose addresses do not mix with others'.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct shop; struct shop *shop_open(void); void shop_close(struct shop *shop);");
    /// # use omniglot_build::Handle;
    /// // shop.h: struct shop *shop_open(void); void shop_close(struct shop *);
    /// let library = library.handle(Handle::of("shop").constructor("shop_open").destructor("shop_close"));
    /// // gives: fn shop_open(&mut self) -> Result<shopHandle>
    /// # assert!(generates(&library, "fn shop_open(&mut self) -> Result<shopHandle>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn of(ty: impl Into<String>) -> Self {
        Self { ty: ty.into(), destructor: None, constructors: Vec::new(), name: None }
    }

    /// The function that destroys an object: its one parameter is the object's address.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct shop; struct shop *shop_open(void); int shop_close(struct shop *shop);");
    /// # use omniglot_build::Handle;
    /// // shop.h: struct shop *shop_open(void); int shop_close(struct shop *);
    /// let library = library.handle(Handle::of("shop").constructor("shop_open").destructor("shop_close"));
    /// // `open.close(&mut *shop)?` returns what `shop_close` returned.
    /// # assert!(generates(&library, "type Closed = c_int"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn destructor(mut self, function: impl Into<String>) -> Self {
        self.destructor = Some(function.into());
        self
    }

    /// A function that makes an object, and returns its address or stores it through a
    /// parameter. It gets a wrapper that returns the handle; where it needs more of one,
    /// describe it with [`Wrapper`](crate::Wrapper) too. An object that comes with a
    /// status that means failure is destroyed.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct shop; int shop_open(struct shop **shop); struct shop *shop_copy(struct shop *shop); void shop_close(struct shop *shop);");
    /// # use omniglot_build::Handle;
    /// // shop.h: int shop_open(struct shop **shop); struct shop *shop_copy(struct shop *);
    /// let library = library.handle(
    ///     Handle::of("shop")
    ///         .constructor("shop_open") // stores the address
    ///         .constructor("shop_copy") // returns it
    ///         .destructor("shop_close"),
    /// );
    /// # assert!(generates(&library, "-> Result<shopHandle>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn constructor(mut self, function: impl Into<String>) -> Self {
        self.constructors.push(function.into());
        self
    }

    /// The Rust type's name; the C type's with `Handle` behind it unless set.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/example/declares.rs"));
    /// # fn main() -> omniglot_build::Result<()> {
    /// # let (here, library) = declares("struct shop; struct shop *shop_open(void); void shop_close(struct shop *shop);");
    /// # use omniglot_build::Handle;
    /// let library = library.handle(
    ///     Handle::of("shop").constructor("shop_open").destructor("shop_close").named("OpenShop"),
    /// );
    /// // gives: type OpenShop = Handle<shop>
    /// # assert!(generates(&library, "OpenShop"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The Rust type's name.
    pub(crate) fn rust_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{}Handle", self.ty))
    }
}
