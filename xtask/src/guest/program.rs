//! Finding the program that is to run.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::tree::is_executable;

/// The absolute path of `program`: a path relative to `here`, or a name on the search path.
pub(super) fn find(program: &OsStr, here: &Path) -> Result<PathBuf> {
    let path = Path::new(program);
    if path.components().count() == 1 && !path.is_absolute() && !has_slash(program) {
        return match on_search_path(program) {
            Some(found) => Ok(found),
            None => bail!("there is no program called {} on the search path", path.display()),
        };
    }
    let path = here.join(path);
    if !path.exists() {
        bail!("there is no {}", path.display());
    }
    if !is_executable(&path) {
        bail!("{} is not an executable file", path.display());
    }
    Ok(path)
}

/// The first executable file called `name` on the search path.
pub(super) fn on_search_path(name: &OsStr) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|place| place.join(name)).find(|path| is_executable(path))
}

/// Whether this is a path, such as `./program`, though of one component only.
fn has_slash(program: &OsStr) -> bool {
    program.as_encoded_bytes().contains(&b'/')
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;

    use super::find;
    use crate::testing::TempDir;

    #[test]
    fn names_are_searched_for_and_paths_are_not() {
        let directory = TempDir::new();
        directory.touch("sh");
        let here = directory.path();
        assert!(find(OsStr::new("sh"), here).unwrap().ends_with("bin/sh"));
        for (program, message) in [
            ("./sh", "is not an executable file"),
            ("./none", "there is no"),
            ("no-such-program", "there is no program called no-such-program"),
            ("/", "is not an executable file"),
        ] {
            let error = find(OsStr::new(program), here).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert_eq!(find(OsStr::new("/bin/sh"), here).unwrap(), Path::new("/bin/sh"));
    }
}
