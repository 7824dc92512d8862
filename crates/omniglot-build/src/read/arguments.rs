//! What clang is asked to read, and how.

use std::env;
use std::path::{Path, PathBuf};

use crate::options::Options;
use crate::scalar::Target;
use crate::{described, flat, output, paths, sysroot};

/// The C that includes the user's headers.
pub(crate) fn include_lines(options: &Options) -> String {
    options.headers.iter().map(|header| format!("#include \"{header}\"\n")).collect()
}

/// The file that includes the headers. Only libclang sees it.
const FILE: &str = "omniglot_headers.h";

/// Files that are not there: the headers, and the user's declarations in terms of them, each in a
/// file that is named after the builder's call, since clang's messages name the file.
pub(super) struct Files {
    /// The first one includes the others.
    pub(super) files: Vec<(PathBuf, String)>,
}

impl Files {
    pub(super) fn new(options: &Options) -> Self {
        let described: Vec<(String, String)> = described::files(options).collect();
        let lines = described.iter().map(|(file, _)| format!("#include \"{file}\"\n"));
        let text = include_lines(options) + &lines.collect::<String>();
        let files = [(FILE.to_owned(), text)].into_iter().chain(described);
        // clang finds files in the directory of the one that includes them.
        let files = files.map(|(name, text)| (paths::package().join(name), text));
        Self { files: files.collect() }
    }

    /// Whether a file is one of these.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.files.iter().any(|(own, _)| own == path)
    }

    /// The messages of clang, with the files' names as they were given.
    pub(super) fn named(&self, messages: &str) -> String {
        self.files.iter().fold(messages.to_owned(), |messages, (path, _)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            messages.replace(&*path.to_string_lossy(), &name)
        })
    }
}

/// The variable with further arguments for clang, whose name other generators know, too.
pub(crate) const EXTRA: &str = "BINDGEN_EXTRA_CLANG_ARGS";

pub(super) fn arguments(options: &Options, includes: &[PathBuf], target: &Target) -> Vec<String> {
    let mut arguments = vec![
        format!("--target={}", target.clang()),
        format!("-iquote{}", paths::package().display()),
        // Installed libraries have their comments in the system's directories.
        "-fretain-comments-from-system-headers".to_owned(),
    ];
    if let Some(sysroot) = sysroot::of(target).filter(|_| target.is_compiled()) {
        arguments.push(format!("--sysroot={}", sysroot.display()));
    }
    if target.is_bare() {
        let directories = flat::headers();
        arguments.extend(directories.iter().map(|path| format!("-isystem{}", path.display())));
    }
    arguments.extend(includes.iter().map(|directory| format!("-I{}", directory.display())));
    arguments.extend(options.defines.iter().map(|(name, value)| format!("-D{name}={value}")));
    arguments.extend(options.clang_args.iter().cloned());
    let variables = output::variables(EXTRA, target.triple());
    let extra = variables.iter().find_map(|name| env::var(name).ok());
    arguments.extend(extra.and_then(|text| shlex::split(&text)).unwrap_or_default());
    arguments
}
