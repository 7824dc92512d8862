//! The article's example through plain unsafe FFI, in a child process, since it is
//! undefined behaviour.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};
use omniglot_demo_native::article;

/// The flag that makes the demo's program do only [`run`].
pub(crate) const FLAG: &str = "--plain-ffi-child";

/// The largest number of characters that are shown of a child's output.
const SHOWN: usize = 100;

/// A variant of `PrintResult`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Exactly as in listing 2.
    Literal,
    /// Without padding.
    Packed,
}

impl Kind {
    pub(crate) fn named(name: &OsStr) -> Result<Self> {
        match name.to_str() {
            Some("literal") => Ok(Self::Literal),
            Some("packed") => Ok(Self::Packed),
            _ => bail!("there is no {} {}", FLAG, name.display()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Packed => "packed",
        }
    }
}

/// Listing 2's `main`, in the child: prints the result, then drops it.
pub(crate) fn run(kind: Kind) {
    let message = b"Hello World!";
    match kind {
        Kind::Literal => println!("{:?}", article::print_literal(message)),
        Kind::Packed => println!("{:?}", article::print_packed(message)),
    }
}

/// Runs the example in a child process. Returns a description of its output and of how it ended.
pub(crate) fn watch(kind: Kind) -> Result<String> {
    let program = std::env::current_exe().context("cannot find the demo's own program")?;
    let output = Command::new(program)
        .args([FLAG, kind.name()])
        .output()
        .context("cannot start the demo's own program")?;
    let printed = printed(&output.stdout);
    Ok(format!("printed {printed} and {}", ending(output.status)))
}

/// Formats arbitrary output on one line.
fn printed(output: &[u8]) -> String {
    let text: String = output.trim_ascii_end().escape_ascii().map(char::from).collect();
    // `escape_ascii` escapes quotes, which makes text hard to read.
    let text = text.replace("\\\"", "\"");
    match text.char_indices().nth(SHOWN) {
        None if text.is_empty() => "nothing".to_owned(),
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "ended as if all were well".to_owned(),
        (_, Some(4)) => "died of SIGILL".to_owned(),
        (_, Some(6)) => "died of SIGABRT".to_owned(),
        (_, Some(7)) => "died of SIGBUS".to_owned(),
        (_, Some(11)) => "died of SIGSEGV".to_owned(),
        _ => format!("ended with {status}"),
    }
}
