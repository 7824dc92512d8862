//! Checks that what an architecture decides stands in the modules made for that.
//!
//! Anywhere else a condition on the architecture is something that the next one would have to be
//! looked for by.

use std::path::Path;

use anyhow::Result;

use super::safety::{read, rust_files};

/// The condition.
const CONDITION: &str = concat!("target_", "arch");

/// Where sources are.
const DIRECTORIES: [&str; 7] = ["crates", "tests", "fuzz", "benches", "demo", "examples", "xtask"];

/// The modules made for it, and tests of what only one architecture has.
const MODULES: [&str; 7] = [
    "crates/omniglot-linux/src/enabled/machine/mod.rs",
    "tests/conformance/tests/attacks/machine/mod.rs",
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
        for file in rust_files(&root.join(directory))? {
            let name = file.strip_prefix(root).unwrap_or(&file);
            if name.components().any(|part| part.as_os_str() == "target")
                || MODULES.iter().any(|module| name.starts_with(module))
            {
                continue;
            }
            let text = read(&file)?;
            let lines = (1..).zip(text.lines()).filter(|(_, line)| line.contains(CONDITION));
            complaints.extend(lines.map(|(number, _)| {
                format!("{}:{number}: {CONDITION} belongs in a module `machine`", name.display())
            }));
        }
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{CONDITION, DIRECTORIES, complaints};
    use crate::testing::TempDir;
    use crate::workspace::Workspace;

    #[test]
    fn no_condition_is_anywhere_else() {
        let none: [String; 0] = [];
        assert_eq!(complaints(Workspace::load().unwrap().root()).unwrap(), none);
    }

    #[test]
    fn a_condition_elsewhere_is_found() {
        let root = TempDir::new();
        for directory in DIRECTORIES {
            root.touch(&format!("{directory}/none"));
        }
        root.touch("crates/omniglot-pmp/src/lib.rs");
        root.touch("crates/a/src/lib.rs");
        let text = format!("\n#[cfg({CONDITION} = \"x86_64\")]\n");
        for file in ["crates/omniglot-pmp/src/lib.rs", "crates/a/src/lib.rs"] {
            fs::write(root.path().join(file), &text).unwrap();
        }
        let found = complaints(root.path()).unwrap();
        assert!(
            matches!(&found[..], [one] if one.starts_with("crates/a/src/lib.rs:2:")),
            "{found:?}"
        );
    }
}
