//! Kinds of C that bindings are often wrong about: each is bound, or left out alone, by name and
//! with a reason; whatever is generated compiles, in C and in Rust; and what is bound is called.
//!
//! `OMNIGLOT_KINDS=NAME` runs those alone whose names contain it.
// Helpers of tests may stop at once, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod constants;
mod extensions;
mod functions;
mod names;
mod reported;
mod types;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use omniglot_build::{Error, Library, Preview};

/// A header, what defines it, and what must be bound.
struct Kind {
    name: &'static str,
    header: &'static str,
    source: &'static str,
    bound: &'static [&'static str],
    /// Items that are mentioned, each with a part of the reason.
    said: &'static [(&'static str, &'static str)],
    /// Statements of Rust that call what is bound: `api` is the interface, `lib` the module.
    run: &'static str,
}

/// A kind of which nothing special is expected.
const PLAIN: Kind = Kind { name: "", header: "", source: "", bound: &[], said: &[], run: "" };

fn kinds() -> impl Iterator<Item = &'static Kind> {
    let wanted = env::var("OMNIGLOT_KINDS").unwrap_or_default();
    let all = [
        reported::KINDS,
        types::KINDS,
        functions::KINDS,
        names::KINDS,
        constants::KINDS,
        extensions::KINDS,
    ];
    all.into_iter().flatten().filter(move |kind| kind.name.contains(&wanted))
}

#[test]
fn each_kind_is_bound_or_left_out_alone() {
    let directory = tempfile::tempdir().unwrap();
    let wrong: Vec<String> =
        kinds().filter_map(|kind| generate(kind, directory.path()).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    run(directory.path());
}

/// Generates for a kind; gives what is bound or said otherwise than expected.
fn generate(kind: &Kind, root: &Path) -> Result<(), String> {
    let name = kind.name;
    let directory = root.join("c").join(name);
    fs::create_dir_all(&directory).unwrap();
    let header = format!("{name}.h");
    fs::write(directory.join(&header), format!("#pragma once\n{}", kind.header)).unwrap();
    let source = directory.join("source.c");
    fs::write(&source, format!("#include \"{header}\"\n{}\n", kind.source)).unwrap();
    let library = Library::new(name).header(header).include(&directory).source(source);
    let library = library.callback_slots(1);
    // Whatever can be called can be called many times.
    let batched = library.clone().batch(".*").preview_linked(directory.join("out"));
    let preview = match batched {
        Err(Error::MatchesNothing { method: "batch", .. }) => {
            library.preview_linked(directory.join("out"))
        }
        batched => batched,
    };
    let Preview { functions, problems, rust, c } =
        preview.map_err(|error| format!("{name}: {error}"))?;
    let is_bound = |name: &&str| functions.iter().any(|bound| bound == name);
    let is_said = |(item, part): &(&str, &str)| {
        problems.iter().any(|problem| {
            problem.item == *item && problem.place.is_some() && problem.reason.contains(part)
        })
    };
    let missing: Vec<_> = kind.bound.iter().filter(|name| !is_bound(name)).collect();
    let unsaid: Vec<_> = kind.said.iter().filter(|said| !is_said(said)).collect();
    if !missing.is_empty() || !unsaid.is_empty() {
        return Err(format!("{name}: not bound {missing:?}, not said {unsaid:?}: {problems:#?}"));
    }
    let generated = root.join("omniglot");
    fs::create_dir_all(&generated).unwrap();
    fs::write(generated.join(format!("{name}.rs")), rust).unwrap();
    fs::write(directory.join("shims.c"), c).unwrap();
    link(&directory, &generated.join(format!("{name}.so")))
}

/// Makes the image, once more, since previews leave none behind.
fn link(directory: &Path, image: &Path) -> Result<(), String> {
    let mut command = Command::new("cc");
    command.args([
        "-w",
        "-O1",
        "-fPIC",
        "-fcommon",
        "-shared",
        "-Wl,-Bsymbolic",
        "-Wl,-z,now",
        "-o",
    ]);
    command.arg(image).arg("-I").arg(directory).args(["shims.c", "source.c"]);
    let output = command.current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{}: {said}", directory.display())) }
}

/// Compiles all modules as a user's crate does, and runs what calls them.
fn run(directory: &Path) {
    let source = directory.join("src");
    fs::create_dir(&source).unwrap();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let manifest = format!(
        "[package]\nname = \"kinds\"\nedition = \"2024\"\n\
         [dependencies]\nomniglot = {{ path = {:?} }}\n[workspace]\n",
        root.join("crates/omniglot")
    );
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    fs::write(directory.join("build.rs"), BUILD_SCRIPT).unwrap();
    let mut program =
        "//! All.\n#![forbid(unsafe_code)]\n#![deny(warnings, missing_docs)]\n".to_owned();
    let mut calls = String::new();
    for Kind { name, run, .. } in kinds() {
        let _ = writeln!(
            program,
            "/// A kind.\npub mod {name} {{ include!(concat!(env!(\"OUT_DIR\"), \"/omniglot/{name}.rs\")); }}"
        );
        if !run.is_empty() {
            let _ = writeln!(
                program,
                "fn run_{name}(api: &mut {name}::Api) -> omniglot::Result<()> {{\n    \
                 #[allow(unused_imports)]\n    use {name} as lib;{run}\n    Ok(())\n}}"
            );
            let instance = upper_camel(name);
            let _ = writeln!(
                calls,
                "    if let Err(error) = {name}::{instance}::builder().build()\
                 .and_then(|mut api| run_{name}(&mut api)) {{ panic!(\"{name}: {{error}}\"); }}"
            );
        }
    }
    let _ = writeln!(program, "fn main() {{\n{calls}    println!(\"all of it works\");\n}}");
    fs::write(source.join("main.rs"), program).unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--offline", "--quiet"])
        .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/nested/config.toml")])
        .current_dir(directory)
        .output()
        .unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && said[0].contains("all of it works"), "{}", said.concat());
}

/// Puts what was generated where a build script that generates it leaves it.
const BUILD_SCRIPT: &str = r#"
fn main() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap()).join("omniglot");
    std::fs::create_dir_all(&out).unwrap();
    for file in std::fs::read_dir("omniglot").unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            std::fs::copy(&file, out.join(file.file_name().unwrap())).unwrap();
        }
    }
}
"#;

/// `only_macros` → `OnlyMacros`, as instances are named.
fn upper_camel(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}
