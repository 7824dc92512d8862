//! The description of a library in the corpus: its job, how its instance is built, and what
//! confirms the result. This crate also generates the inputs, and runs the commands that confirm
//! results.

mod inputs;
mod plain;
mod run;
mod tools;

pub use anyhow;
pub use inputs::{Picture, prose, tone};
pub use omniglot;
pub use plain::{Plain, plain};
pub use run::{Facts, Running, Started, facts, in_process, process, sandboxed};
pub use tools::{Scratch, tool};

/// A library at its main job.
#[derive(Debug)]
pub struct Subject {
    /// Its name here, without spaces.
    pub name: &'static str,
    /// The Debian package with its headers, whose version is reported.
    pub package: &'static str,
    /// Its job.
    pub does: &'static str,
    /// What confirms the result.
    pub confirmed: &'static str,
    /// The builder lines that it needs.
    pub builder: &'static [&'static str],
    /// The reason if it does not work in a worker process.
    pub refused: Option<&'static str>,
    /// The reason if it cannot run in the host's own process.
    pub not_in_process: Option<&'static str>,
    /// The reason if it cannot run as verified code in the host's own process.
    pub not_sandboxed: Option<&'static str>,
    /// Starts it in a worker process.
    pub process: fn() -> anyhow::Result<Box<dyn Running>>,
    /// Starts it in this process, without protection.
    pub in_process: fn() -> anyhow::Result<Box<dyn Running>>,
    /// Starts it in this process, as verified code.
    pub sandboxed: fn() -> anyhow::Result<Box<dyn Running>>,
    /// Loads it into this program, to be called directly.
    pub plain: fn() -> anyhow::Result<Box<dyn Running>>,
}

/// Makes a [`Subject`] from a module's `input`, `run` and `confirm`.
///
/// ```ignore
/// real_subject::subject! {
///     ZLIB: Zlib = "zlib" from "zlib1g-dev",
///     does: "compresses text",
///     confirmed: "the command gzip",
///     builder: |input| [.env("A", "1")],
/// }
/// ```
#[macro_export]
macro_rules! subject {
    (
        $constant:ident: $library:ident = $name:literal from $package:literal,
        does: $does:literal,
        confirmed: $confirmed:literal,
        builder: |$input:ident| [$(.$method:ident($($argument:expr),*)),*],
        $(refused: $refused:literal,)?
        $(not_in_process: $reason:literal,)?
        $(not_sandboxed: $refusal:literal,)?
    ) => {
        /// The library at its main job.
        pub static $constant: $crate::Subject = $crate::Subject {
            name: $name,
            package: $package,
            does: $does,
            confirmed: $confirmed,
            builder: &[$(concat!(
                ".", stringify!($method), "(", $crate::subject!(@list $($argument),*), ")"
            )),*],
            refused: $crate::subject!(@reason $($refused)?),
            not_in_process: $crate::subject!(@reason $($reason)?),
            not_sandboxed: $crate::subject!(@reason $($refusal)?),
            process: || {
                let given = input()?;
                let $input = &given;
                let builder = $crate::process::<$library>()$(.$method($($argument),*))*;
                Ok($crate::Started::boxed(
                    move || builder.build(),
                    given,
                    run,
                    confirm,
                    |library| $crate::facts(library.runtime()),
                )?)
            },
            in_process: || {
                let given = input()?;
                let $input = &given;
                let builder = $crate::process::<$library>()$(.$method($($argument),*))*;
                let start = $crate::in_process::<$library<$crate::omniglot::Unprotected>>;
                Ok($crate::Started::boxed(
                    move || start(builder.options()),
                    given,
                    run,
                    confirm,
                    |_| $crate::Facts::default(),
                )?)
            },
            sandboxed: || {
                let given = input()?;
                let $input = &given;
                let builder = $crate::sandboxed::<$library>()$(.$method($($argument),*))*;
                Ok($crate::Started::boxed(
                    move || builder.build(),
                    given,
                    run,
                    confirm,
                    |library| $crate::facts(library.runtime()),
                )?)
            },
            plain: || {
                let given = input()?;
                let library = $crate::plain::<$library<$crate::Plain>>()?;
                Ok($crate::Started::boxed(|| Ok(library), given, run, confirm, |_| {
                    $crate::Facts::default()
                })?)
            },
        };
    };
    (@reason) => { None };
    (@reason $reason:literal) => { Some($reason) };
    (@list) => { "" };
    (@list $first:expr $(, $rest:expr)*) => {
        concat!(stringify!($first) $(, ", ", stringify!($rest))*)
    };
}
