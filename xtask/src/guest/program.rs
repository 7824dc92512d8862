//! Finds the program to run.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::tree::{below, is_executable};
use super::wanted::Wanted;

/// The directories that contain programs on any system.
const USUAL: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Locates `program`: a path relative to `here`, or a name on the search path. A program of the
/// system at `root` takes precedence over this machine's.
pub(super) fn find<'a>(root: &'a Path, program: &OsStr, here: &Path) -> Result<Wanted<'a>> {
    let path = Path::new(program);
    if path.components().count() == 1 && !path.is_absolute() && !has_slash(program) {
        return match on_search_path_of(root, program) {
            Some(path) => Ok(Wanted { root, path }),
            None => bail!("there is no program called {} on the search path", path.display()),
        };
    }
    let wanted = Wanted::first(root, here.join(path));
    let path = below(wanted.root, &wanted.path);
    if !path.exists() {
        bail!("there is no {}", path.display());
    }
    if !is_executable(&path) {
        bail!("{} is not an executable file", path.display());
    }
    Ok(wanted)
}

fn on_search_path_of(root: &Path, name: &OsStr) -> Option<PathBuf> {
    if root == Path::new("/") {
        return on_search_path(name);
    }
    let mut paths = USUAL.iter().map(|place| Path::new(place).join(name));
    paths.find(|path| is_executable(&below(root, path)))
}

/// The first executable file called `name` on the search path.
pub(super) fn on_search_path(name: &OsStr) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|place| place.join(name)).find(|path| is_executable(path))
}

/// Returns true if `program` is a path, even one with a single component such as `./program`.
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
        let find = |program: &str| find(Path::new("/"), OsStr::new(program), here);
        assert!(find("sh").unwrap().path.ends_with("bin/sh"));
        for (program, message) in [
            ("./sh", "is not an executable file"),
            ("./none", "there is no"),
            ("no-such-program", "there is no program called no-such-program"),
            ("/", "is not an executable file"),
        ] {
            let error = find(program).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert_eq!(find("/bin/sh").unwrap().path, Path::new("/bin/sh"));
    }
}
