//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Safe Rust for untrusted C libraries.
#[derive(Debug, Parser)]
#[command(name = "omniglot", version)]
pub(crate) struct Arguments {
    /// The command to run.
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// One command with its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Generate Rust bindings and C shims from headers
    Bindings(Box<Bindings>),

    /// Report which runtimes this machine supports, and what is missing for the others
    Doctor(Doctor),

    /// Run a program, and report which builder lines its libraries needed
    Learn(Learn),

    /// Report what a library needs, and whether it can be loaded and starts, or a static archive
    /// sandboxed
    Scan(Scan),
}

/// The arguments of `omniglot doctor`.
#[derive(Args, Debug)]
#[command(after_help = DOCTOR_HELP)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The arguments of `omniglot learn`.
#[derive(Args, Debug)]
#[command(after_help = LEARN_HELP)]
pub(crate) struct Learn {
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    pub(crate) command: Vec<OsString>,
}

/// Help text: what `omniglot learn` does, and its exit status.
const LEARN_HELP: &str = "\
The program runs as always: its libraries get what their builders grant, and no more. What each
library requested beyond that is listed as lines for its builder, the smallest grant first. The exit
status is the program's. For example: omniglot learn -- cargo test";

/// The arguments of `omniglot scan`.
#[derive(Args, Debug)]
#[command(after_help = SCAN_HELP)]
pub(crate) struct Scan {
    /// The shared library, or static archive
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Search this directory for needed libraries, before the system's directories (may be
    /// repeated)
    #[arg(long, value_name = "DIR")]
    pub(crate) library_directory: Vec<PathBuf>,

    /// Judge a shared library by its files alone, and execute nothing
    #[arg(long)]
    pub(crate) no_start: bool,

    /// Start the library, and print only why that fails
    #[arg(long, hide = true, conflicts_with = "no_start")]
    pub(crate) only_start: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Help text: the exit statuses of `omniglot doctor`.
const DOCTOR_HELP: &str = "\
A library with nothing in it is run in a process, too, so that limits and filters that only show then
are named. The exit status is 0 if foreign code can be run here, and 1 otherwise.";

/// Help text: the exit statuses of `omniglot scan`.
const SCAN_HELP: &str = "\
A shared library is also started, in a process that contains it, with nothing granted, to see whether
its constructors succeed and what they ask for. The exit status is
  0  the library can be loaded, in a process and behind protection keys
  1  the file cannot be read, or is not a library for x86-64
  2  the command line is wrong
  3  the library cannot be loaded, or does not start
  4  the library can be loaded in a process, but not behind protection keys
For a static archive, all of it is rewritten, as for Library::sandboxed, which needs a C compiler
(`cc`, or what the variable CC names) and musl (Debian: musl-dev). The exit status is
  0  it can be sandboxed
  1  it cannot be read, or compiler or musl are missing
  2  the command line is wrong
  3  it cannot be sandboxed";

/// The arguments of `omniglot bindings`, which correspond to the methods of `Library`.
#[derive(Args, Debug)]
#[command(
    override_usage = "omniglot bindings [OPTIONS] <HEADER>... [-- <CLANG_ARGS>...]",
    after_help = BINDINGS_HELP
)]
pub(crate) struct Bindings {
    /// The headers, as in a C include: relative to the current directory or an include directory
    #[arg(required = true, value_name = "HEADER")]
    pub(crate) headers: Vec<String>,

    /// Arguments for clang, which reads the headers; the C compiler does not get them
    #[arg(last = true, value_name = "CLANG_ARGS")]
    pub(crate) clang_args: Vec<String>,

    /// Write NAME.rs and NAME_shims.c to this directory, instead of printing the Rust code
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,

    /// The library's name for `include_library!` [default: the first header's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// The name of the instance type [default: the library's name in upper camel case]
    #[arg(long, value_name = "TYPE")]
    pub(crate) instance_name: Option<String>,

    #[command(flatten)]
    pub(crate) library: Library,

    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) behaviour: Behaviour,
}

/// Where to find headers and the library.
#[derive(Args, Debug)]
#[command(next_help_heading = "Where the library is")]
pub(crate) struct Library {
    /// Link a library by its pkg-config name, and use its include directories
    #[arg(long, value_name = "PACKAGE")]
    pub(crate) pkg_config: Vec<String>,

    /// Link a library, as -lNAME does
    #[arg(long, value_name = "NAME")]
    pub(crate) link: Vec<String>,

    /// Search a directory for libraries
    #[arg(long, value_name = "DIR")]
    pub(crate) link_search: Vec<PathBuf>,

    /// Compile a C source into the image
    #[arg(long, value_name = "FILE")]
    pub(crate) source: Vec<PathBuf>,

    /// Link a static archive into the image: a file, or the name of one where linkers search
    #[arg(long, value_name = "FILE")]
    pub(crate) archive: Vec<PathBuf>,

    /// Search a directory for headers
    #[arg(long, value_name = "DIR")]
    pub(crate) include: Vec<PathBuf>,

    /// Define a macro for headers and sources
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) define: Vec<(String, String)>,

    /// Generate for this target [default: x86_64-unknown-linux-gnu]
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
}

/// What to bind, and how.
#[derive(Args, Debug)]
#[command(next_help_heading = "What is bound (regular expressions that match whole names)")]
pub(crate) struct Selection {
    /// Bind these functions and what they need, instead of everything in the headers
    #[arg(long, value_name = "REGEX")]
    pub(crate) allowlist_function: Vec<String>,

    /// Bind these types and what they need
    #[arg(long, value_name = "REGEX")]
    pub(crate) allowlist_type: Vec<String>,

    /// Bind these constants, macros and globals
    #[arg(long, value_name = "REGEX")]
    pub(crate) allowlist_var: Vec<String>,

    /// Leave these functions out
    #[arg(long, value_name = "REGEX")]
    pub(crate) blocklist_function: Vec<String>,

    /// Leave these types out; uses of them become opaque
    #[arg(long, value_name = "REGEX")]
    pub(crate) blocklist_type: Vec<String>,

    /// Bind these enums as structs around an integer, of which any value is valid
    #[arg(long, value_name = "REGEX")]
    pub(crate) newtype_enum: Vec<String>,

    /// Bind these enums in the same way, with `|` and `&`: for flags
    #[arg(long, value_name = "REGEX")]
    pub(crate) bitfield_enum: Vec<String>,

    /// Bind these enums as an integer type with constants
    #[arg(long, value_name = "REGEX")]
    pub(crate) constified_enum: Vec<String>,

    /// Bind these enums as Rust enums, although their values look like flags
    #[arg(long, value_name = "REGEX")]
    pub(crate) plain_enum: Vec<String>,

    /// Bind this typedef of an integer as a boolean
    #[arg(long, value_name = "TYPE")]
    pub(crate) bool_type: Vec<String>,
}

/// How calls and callbacks behave.
#[derive(Args, Debug)]
#[command(next_help_heading = "Calls and callbacks")]
pub(crate) struct Behaviour {
    /// Functions that use longjmp on errors, each with a C expression over its parameters for the
    /// jmp_buf
    #[arg(long, value_name = "REGEX=EXPR", value_parser = pair)]
    pub(crate) setjmp_guard: Vec<(String, String)>,

    /// Allow callbacks to exit through this function of the library
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) raise: Vec<String>,

    /// Functions that also get a method for many calls in one crossing
    #[arg(long, value_name = "REGEX")]
    pub(crate) batch: Vec<String>,

    /// Read wrappers, handles, variadic functions and macros from this TOML file, as shown below
    #[arg(long, value_name = "FILE")]
    pub(crate) describe: Option<PathBuf>,

    /// The maximum number of callbacks of each type at a time [default: 8]
    #[arg(long, value_name = "COUNT")]
    pub(crate) callback_slots: Option<u32>,
}

/// Help text about the output, shown below the options.
const BINDINGS_HELP: &str = r#"What is not bound is listed on standard error, with the reason. If a library or a source is named,
the shims are also compiled and linked, so that functions which it lacks are left out.

The file for --describe. Tables and keys are named like the builder's methods, which document them:
  [[wrap]]                          # .wrap(Wrapper::function("uncompress")…)
  function = "uncompress"
  out_slice = { dest = "destLen" }  # in_slice, in_out_slice; in_array and out_array = { key = 32 }
  in_slice = { source = "sourceLen" }
  status_ok = 0                     # status_at_least; message = "zError"; returns_str = 64
  optional = []                     # in_str, in_c_str, out: lists of parameters

  [[handle]]                        # .handle(Handle::of("sqlite3_stmt")…)
  of = "sqlite3_stmt"
  constructor = ["sqlite3_prepare_v2"]
  destructor = "sqlite3_finalize"
  named = "Statement"

  [[variadic]]                      # .variadic(…)
  function = "curl_easy_setopt"
  named = "curl_easy_setopt_long"
  parameters = "long"

  [[function_macro]]                # .function_macro(…)
  name = "FRAME_BYTES"
  signature = "size_t (const struct frame *frame, int channels)"

To ship the output, so that a crate's users need no libclang, see omniglot_build::Prebuilt."#;

/// Splits at the first `=`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((left, right)) if !left.is_empty() => Ok((left.to_owned(), right.to_owned())),
        _ => Err("there must be a `=` after a name".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Action, Arguments};

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_guard_is_split_at_its_first_equals_sign() {
        let words = ["omniglot", "bindings", "a.h", "--setjmp-guard", "f.*=x ? x->a == 1 : 0"];
        let Action::Bindings(bindings) = Arguments::try_parse_from(words).unwrap().action else {
            panic!("not the bindings command");
        };
        let [(pattern, buffer)] = &bindings.behaviour.setjmp_guard[..] else { panic!() };
        assert_eq!((&**pattern, &**buffer), ("f.*", "x ? x->a == 1 : 0"));
    }

    #[test]
    fn what_follows_two_dashes_is_for_clang() {
        let words = ["omniglot", "bindings", "a.h", "b.h", "--", "-std=c99", "-DX"];
        let Action::Bindings(bindings) = Arguments::try_parse_from(words).unwrap().action else {
            panic!("not the bindings command");
        };
        assert_eq!(bindings.headers, ["a.h", "b.h"]);
        assert_eq!(bindings.clang_args, ["-std=c99", "-DX"]);
    }
}
