//! What runs in a guest from the kernel's start to its end: the shell script `init.sh`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use super::tree::{Node, Tree};

/// The environment variable by which a program can detect that it runs in a guest.
pub(super) const MARK: &str = "OMNIGLOT_GUEST";

/// The first process, run by busybox's shell.
const SCRIPT: &str = include_str!("init.sh");

/// The environment of every program in a guest. Later entries win.
const VARIABLES: [(&str, &str); 4] = [
    ("HOME", "/root"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("USER", "root"),
    (MARK, "1"),
];

/// What to start in the guest.
#[derive(Debug)]
pub(super) struct Start<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [OsString],
    pub(super) variables: &'a [(OsString, OsString)],
    pub(super) directory: &'a Path,
    pub(super) input: &'a [u8],
    /// The time after which the guest ends by itself, if nothing outside has ended it.
    pub(super) timeout: Duration,
}

/// Adds the first process, and what it starts.
pub(super) fn add(tree: &mut Tree, start: &Start<'_>) {
    let mut put = |path: &str, bytes: Vec<u8>, executable| {
        tree.put(Path::new(path), Node::Made { bytes, executable });
    };
    put("/init", SCRIPT.as_bytes().to_vec(), true);
    put("/omniglot/command", command(start), true);
    put("/omniglot/input", start.input.to_vec(), false);
    put("/omniglot/timeout", start.timeout.as_secs().to_string().into_bytes(), false);
}

/// A script that executes the program in its place.
fn command(start: &Start<'_>) -> Vec<u8> {
    let mut words = vec![OsString::from("exec"), "/omniglot/busybox".into()];
    words.extend(["env".into(), "-i".into()]);
    words.extend(VARIABLES.iter().map(|(name, value)| quote_pair(name.as_ref(), value.as_ref())));
    words.extend(start.variables.iter().map(|(name, value)| quote_pair(name, value)));
    words.push(quote(start.program.as_os_str()));
    words.extend(start.arguments.iter().map(|argument| quote(argument)));
    let mut script = OsString::from("cd ");
    script.push(quote(start.directory.as_os_str()));
    script.push("\n");
    script.push(words.join(OsStr::new(" ")));
    script.push("\n");
    script.into_vec()
}

fn quote_pair(name: &OsStr, value: &OsStr) -> OsString {
    let mut pair = name.to_owned();
    pair.push("=");
    pair.push(value);
    quote(&pair)
}

/// Quotes a word for a shell: in single quotes, only single quotes are special.
fn quote(word: &OsStr) -> OsString {
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            _ => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::process::Command;

    use super::quote;

    #[test]
    fn a_shell_gives_back_what_was_quoted() {
        for word in ["", "plain", "two words", "it's", "$HOME `id` \\ \" \n # ~ *", "\u{e9}"] {
            check(word.into());
        }
        check(OsString::from_vec((1..=255).collect()));
    }

    #[track_caller]
    fn check(word: OsString) {
        let mut script = OsString::from("printf %s ");
        script.push(quote(&word));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(output.stdout, word.as_bytes());
    }
}
