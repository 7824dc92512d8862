//! Checks that what an architecture decides stands in the modules made for that, in Rust and in C.
//!
//! Anywhere else a condition on the architecture is something that the next one would have to be
//! looked for by.

use std::path::Path;

use anyhow::Result;

use super::safety::{files, read};

/// The conditions: of the compiler, of build scripts, and of the C compiler.
const CONDITIONS: [&str; 6] = [
    concat!("target_", "arch"),
    concat!("TARGET_", "ARCH"),
    concat!("__x86_", "64__"),
    concat!("__i3", "86__"),
    concat!("__aarch", "64__"),
    concat!("__ris", "cv"),
];

/// Where sources are.
const DIRECTORIES: [&str; 9] =
    ["crates", "tests", "fuzz", "benches", "demo", "examples", "xtask", "kernel", "integrations"];

/// The endings of sources' names.
const SOURCES: [&str; 6] = ["rs", "toml", "c", "h", "S", "ld"];

/// The modules made for it, and tests of what only one architecture has.
const MODULES: [&str; 15] = [
    // They choose the sources and dependencies of an architecture by its name.
    "crates/omniglot-linux/Cargo.toml",
    "crates/omniglot-linux/build.rs",
    "crates/omniglot-linux/src/enabled/machine/mod.rs",
    "crates/omniglot-linux/worker/machine",
    "crates/omniglot-linux/tests/images/sample.c",
    "tests/conformance/tests/attacks/machine/mod.rs",
    "tests/conformance/c/hostile.c",
    // Which runtimes have tests, and which types have signatures.
    "tests/conformance/build.rs",
    "tests/in-process/build.rs",
    "tests/abi/build/probe.rs",
    // How memory is copied.
    "crates/omniglot-core/src/memory.rs",
    // Machine code, compared.
    "crates/omniglot-core/tests/golden.rs",
    // A host's process of a runtime that only x86-64 has.
    "tests/plugin/tests/opened.rs",
    // Verified code, which is x86-64's.
    "crates/omniglot-build/tests/sandboxed.rs",
    // For one architecture as a whole.
    "crates/omniglot-pmp/src",
];

/// The problems, one line each.
pub(super) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for directory in DIRECTORIES {
        for file in files(&root.join(directory), &SOURCES)? {
            let name = file.strip_prefix(root).unwrap_or(&file);
            if name.components().any(|part| part.as_os_str() == "target")
                || MODULES.iter().any(|module| name.starts_with(module))
            {
                continue;
            }
            let text = read(&file)?;
            for (number, line) in (1..).zip(text.lines()) {
                let condition = CONDITIONS.iter().find(|condition| line.contains(**condition));
                complaints.extend(condition.map(|condition| {
                    format!(
                        "{}:{number}: {condition} belongs in a module `machine`",
                        name.display()
                    )
                }));
            }
        }
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{CONDITIONS, DIRECTORIES, MODULES, SOURCES, complaints, files, read};
    use crate::testing::TempDir;
    use crate::workspace::Workspace;

    #[test]
    fn no_condition_is_anywhere_else() {
        let none: [String; 0] = [];
        assert_eq!(complaints(Workspace::load().unwrap().root()).unwrap(), none);
    }

    #[test]
    fn each_module_has_a_condition() {
        let workspace = Workspace::load().unwrap();
        for module in MODULES {
            let path = workspace.root().join(module);
            let sources = if path.is_dir() { files(&path, &SOURCES).unwrap() } else { vec![path] };
            let texts: Vec<String> = sources.iter().map(|file| read(file).unwrap()).collect();
            let has = |text: &String| CONDITIONS.iter().any(|condition| text.contains(condition));
            assert!(texts.iter().any(has), "{module}");
        }
    }

    #[test]
    fn a_condition_elsewhere_is_found() {
        let root = TempDir::new();
        for directory in DIRECTORIES {
            root.touch(&format!("{directory}/none"));
        }
        root.touch("crates/omniglot-pmp/src/lib.rs");
        root.touch("crates/a/src/lib.rs");
        root.touch("kernel/c/a.c");
        let [in_rust, _, in_c, ..] = CONDITIONS;
        for (file, text) in [
            ("crates/omniglot-pmp/src/lib.rs", format!("\n#[cfg({in_rust} = \"x86_64\")]\n")),
            ("crates/a/src/lib.rs", format!("\n#[cfg({in_rust} = \"x86_64\")]\n")),
            ("kernel/c/a.c", format!("#ifdef {in_c}\n")),
        ] {
            fs::write(root.path().join(file), text).unwrap();
        }
        let found = complaints(root.path()).unwrap();
        let starts = ["crates/a/src/lib.rs:2:", "kernel/c/a.c:1:"];
        assert_eq!(found.len(), starts.len(), "{found:?}");
        for (complaint, start) in found.iter().zip(starts) {
            assert!(complaint.starts_with(start), "{complaint}");
        }
    }
}
