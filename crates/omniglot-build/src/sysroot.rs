//! The directory in which a C compiler for another machine has that machine's headers.

use std::path::PathBuf;
use std::process::Command;

use crate::scalar::Target;

/// What libclang has to be told, since it is not the compiler that knows it: the compiler's
/// `--sysroot`, or what it was built with. `None` if there is none, or the build is for this
/// machine.
pub(crate) fn of(target: &Target) -> Option<PathBuf> {
    let host = std::env::var("HOST").ok().filter(|host| host != target.triple())?;
    let mut build = cc::Build::new();
    build.cargo_metadata(false).cargo_warnings(false).target(target.triple()).host(&host);
    build.opt_level(0).debug(false).out_dir(std::env::temp_dir());
    let tool = build.try_get_compiler().ok()?;
    let arguments: Vec<_> = tool.args().iter().filter_map(|text| text.to_str()).collect();
    let given = arguments.iter().find_map(|text| text.strip_prefix("--sysroot="));
    let next = || {
        let mut pairs = arguments.windows(2);
        pairs.find_map(|pair| matches!(pair, ["--sysroot", _]).then(|| pair[1]))
    };
    given.or_else(next).map_or_else(|| built_in(tool.to_command()), directory)
}

/// What GNU's compiler says; clang does not know the question.
fn built_in(mut compiler: Command) -> Option<PathBuf> {
    let output = compiler.arg("-print-sysroot").output().ok()?;
    let said = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    directory(said.trim())
}

/// The root directory is where everybody looks anyway.
fn directory(path: &str) -> Option<PathBuf> {
    let is_other = !path.trim_end_matches('/').is_empty();
    is_other.then(|| PathBuf::from(path)).filter(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::directory;

    #[test]
    fn the_root_directory_needs_no_word() {
        assert_eq!(directory("/"), None);
        assert_eq!(directory(""), None);
        assert_eq!(directory("/usr/"), Some("/usr/".into()));
        assert_eq!(directory("/no/such/place"), None);
    }
}
