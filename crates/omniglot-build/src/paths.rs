//! Where files are.

use std::env;
use std::path::{Path, PathBuf};

/// The package's directory: where build scripts run, and what paths are relative to.
pub(crate) fn package() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// A path of the builder, which is relative to the package.
pub(crate) fn in_package(path: &Path) -> PathBuf {
    package().join(path)
}

/// Whether a directory belongs to the system, so that searching it needs no option.
pub(crate) fn is_system(directory: &Path) -> bool {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let system = ["/usr/include", "/usr/local/include", "/usr/lib", "/usr/local/lib", "/lib"];
    let is_triplet = |name: &str| name.contains("-linux-") || name == "lib64";
    let parent = directory.parent().unwrap_or(Path::new(""));
    let last = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    system.iter().any(|system| directory == Path::new(system))
        || (is_triplet(last) && system.iter().any(|system| parent == Path::new(system)))
        || directory == Path::new("/usr/lib64")
        // Of a compiler for another machine.
        || (["include", "lib"].contains(&last) && is_of_another_machine(parent))
}

/// Whether a directory is where Debian has another machine's headers and libraries.
fn is_of_another_machine(directory: &Path) -> bool {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    directory.parent() == Some(Path::new("/usr")) && name.contains("-linux-")
}

/// Whether a header is the system's, which no build changes.
pub(crate) fn is_system_header(header: &Path) -> bool {
    let header = &header.canonicalize().unwrap_or_else(|_| header.to_owned());
    let system = ["/usr/include", "/usr/local/include", "/usr/lib"];
    system.iter().any(|system| header.starts_with(system))
        || header.ancestors().any(is_of_another_machine)
}

/// Whether the build script wrote the file itself: it is newer than the script's start, so cargo
/// would run the script again each time.
pub(crate) fn is_output(file: &Path) -> bool {
    env::var_os("OUT_DIR").is_some_and(|directory| file.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn system_directories_are_known() {
        assert!(super::is_system(Path::new("/usr/include")));
        assert!(super::is_system(Path::new("/usr/lib/x86_64-linux-gnu")));
        assert!(!super::is_system(Path::new("/usr/include/libpng16")));
        assert!(!super::is_system(Path::new("/opt/lib")));
        assert!(super::is_system(Path::new("/usr/aarch64-linux-gnu/include")));
        assert!(!super::is_system(Path::new("/usr/aarch64-linux-gnu/share")));
        let header = "/usr/aarch64-linux-gnu/include/bits/types.h";
        assert!(super::is_system_header(Path::new(header)));
    }
}
