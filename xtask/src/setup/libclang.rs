//! Finds a libclang that can read headers.
//!
//! Two things are needed: the library, which `omniglot-build` loads at run time, and clang's own headers
//! such as `stddef.h`, without which it cannot read any other header. Distributions put them into
//! separate packages, and install `libclang-cpp`, a different library, together with LLVM.

use std::path::{Path, PathBuf};

use super::machine::{Machine, list, multiarch};

/// Returns true if `machine` has a usable libclang.
pub(super) fn is_on(machine: &Machine) -> bool {
    // A user who names the library's path is trusted to have set it up correctly.
    is_where_the_user_says(machine) || (has_library(machine) && has_headers(machine))
}

fn is_where_the_user_says(machine: &Machine) -> bool {
    machine.libclang_path.as_deref().is_some_and(|path| path.is_file() || holds_library(path))
}

fn has_library(machine: &Machine) -> bool {
    let places = ["usr/lib", "usr/lib64", "usr/local/lib", &multiarch("usr/lib")];
    places.iter().any(|place| holds_library(&machine.path(place)))
        || llvm_libraries(machine).iter().any(|place| holds_library(place))
}

fn has_headers(machine: &Machine) -> bool {
    let places = ["usr/lib", "usr/lib64", "usr/local/lib"];
    places.iter().any(|place| holds_headers(&machine.path(place)))
        || llvm_libraries(machine).iter().any(|place| holds_headers(place))
}

/// The library directories of the installed LLVM versions.
fn llvm_libraries(machine: &Machine) -> Vec<PathBuf> {
    let parent = machine.path("usr/lib");
    let names = list(&parent).into_iter().filter(|name| name.starts_with("llvm-"));
    names.map(|name| parent.join(name).join("lib")).collect()
}

fn holds_library(directory: &Path) -> bool {
    list(directory).iter().any(|name| is_library(name) && directory.join(name).is_file())
}

fn holds_headers(directory: &Path) -> bool {
    let versions = directory.join("clang");
    let mut headers = list(&versions).into_iter().map(|version| versions.join(version));
    headers.any(|version| version.join("include/stddef.h").is_file())
}

/// Returns true if `name` is a file name of libclang, such as `libclang.so.1` or
/// `libclang-14.so.13`.
fn is_library(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("libclang") else {
        return false;
    };
    let is_version = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match rest.split_once(".so") {
        Some((release, version)) => {
            is_version(release.strip_prefix('-').unwrap_or(release)) && is_version(version)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Machine, is_library, is_on, multiarch};
    use crate::testing::TempDir;

    #[test]
    fn libclang_is_told_from_its_neighbours() {
        for name in ["libclang.so", "libclang.so.1", "libclang-14.so.13", "libclang-14.0.6.so"] {
            assert!(is_library(name), "{name}");
        }
        for name in ["libclang-cpp.so.14", "libclangAST.a", "libclang.a", "libclang_rt.so", "clang"]
        {
            assert!(!is_library(name), "{name}");
        }
    }

    #[test]
    fn the_library_alone_is_not_enough() {
        let directory = TempDir::new();
        directory.touch(&format!("{}/libclang-14.so.13", multiarch("usr/lib")));
        let machine = Machine::at(directory.path());
        assert!(!is_on(&machine));
        directory.touch("usr/lib/clang/14.0.6/include/stddef.h");
        assert!(is_on(&machine));
    }

    #[test]
    fn llvm_without_libclang_is_not_enough() {
        let directory = TempDir::new();
        directory.touch("usr/lib/llvm-14/lib/libclang-cpp.so.14");
        directory.touch("usr/lib/llvm-14/lib/clang/14.0.6/include/stddef.h");
        assert!(!is_on(&Machine::at(directory.path())));
    }

    #[test]
    fn the_user_may_say_where_it_is() {
        let directory = TempDir::new();
        directory.touch("opt/clang/libclang.so");
        let mut machine = Machine::at(directory.path());
        for path in ["opt/clang", "opt/clang/libclang.so"] {
            machine.libclang_path = Some(directory.path().join(path));
            assert!(is_on(&machine), "{path}");
        }
        machine.libclang_path = Some(directory.path().join("opt"));
        assert!(!is_on(&machine));
    }
}
