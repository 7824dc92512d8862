//! What some places need of the machine.

use std::env;
use std::path::Path;

/// Something that a place cannot be made without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// A command, of the Debian package of that name.
    Command(&'static str, &'static str),
    /// This program runs as root.
    Root,
    /// The compiler has the runtimes of its sanitizers.
    Sanitizers,
    /// The compiler has a standard library for musl.
    Musl,
}

impl Tool {
    /// Why it is not there, if it is not.
    #[must_use]
    pub fn lack(&self, is_root: bool) -> Option<String> {
        match self {
            Self::Command(name, package) => {
                (!has(name)).then(|| format!("no {name} (apt install {package})"))
            }
            Self::Root => (!is_root).then(|| "it can be made by root only".to_owned()),
            Self::Sanitizers => crate::host::lacks_sanitizers(),
            Self::Musl => crate::host::lacks_musl(),
        }
    }
}

fn has(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain([Path::new("/usr/sbin").to_owned()]);
    directories.into_iter().any(|directory| directory.join(name).is_file())
}
