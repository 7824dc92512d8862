//! The generator binds whole real headers.
// Functions that tests share may panic, as tests may.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::{env, fs, thread};

use omniglot_headers::{Report, chosen, constants, table};

/// The reports on the headers that the variable `OMNIGLOT_HEADERS` selects.
static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| {
    let names = env::var("OMNIGLOT_HEADERS").unwrap_or_default();
    Report::on(&chosen(&names)).unwrap()
});

/// Returns every installed compiler. gcc and a clang are required.
fn compilers() -> Vec<&'static str> {
    let known = ["gcc", "clang", "clang-19"];
    let found: Vec<&str> = known.into_iter().filter(|name| runs(name)).collect();
    assert!(found.contains(&"gcc") && found.len() > 1, "gcc and clang are needed: {found:?}");
    found
}

fn runs(compiler: &str) -> bool {
    Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// This holds for any version of a header: no number is expected that a new version would change.
#[test]
fn everything_that_can_be_is_bound() {
    for report in REPORTS.iter() {
        assert!(report.functions.total > report.not_counted(), "{} has none", report.name);
    }
    let missing = REPORTS.iter().map(|report| {
        let literals = || report.missing_literals().collect();
        (report.name, if report.everyday { report.missing() } else { literals() })
    });
    let missing: Vec<_> = missing.filter(|(_, missing)| !missing.is_empty()).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Also fails if coverage changes in either direction. A row for another version than the installed
/// one cannot be compared, and is ignored.
#[test]
fn the_table_is_fresh() {
    let file = fs::read_to_string(table::PATH).unwrap();
    let stale = table::stale(&file, &REPORTS);
    assert!(
        stale.is_empty(),
        "docs/headers.md is stale: `cargo xtask headers` updates it; now:\n{}",
        stale.join("\n")
    );
    let compared: Vec<&str> =
        table::comparable(&file, &REPORTS).iter().map(|report| report.name).collect();
    for report in REPORTS.iter().filter(|report| !compared.contains(&report.name)) {
        println!(
            "{}: the table is about another version than {}, read by {}",
            report.name, report.version, report.reader
        );
    }
}

/// The C code asserts every layout, so this also shows that layouts match C's.
#[test]
fn shims_compile_without_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for compiler in compilers() {
            let path = directory.path().join(compiler);
            fs::create_dir(&path).unwrap();
            scope.spawn(move || REPORTS.iter().for_each(|report| compile(compiler, report, &path)));
        }
    });
}

/// The type and value of every macro's constant are those that a compiled C program prints.
#[test]
fn constants_are_what_c_says() {
    let directory = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for report in REPORTS.iter() {
        let program = constants::program(&report.lines, &report.constants);
        let said = run(&program, report, directory.path());
        let said: Vec<&str> = said.lines().collect();
        let bound: Vec<String> =
            report.constants.iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(said.len(), bound.len(), "{}", report.name);
        for (c, rust) in said.into_iter().zip(&bound) {
            assert_eq!(c, rust, "{}: C, and Rust", report.name);
            compared += 1;
        }
    }
    println!("{compared} constants are what C says");
    assert!(compared > 0);
}

/// Compiles and runs a C program, and returns its output.
fn run(program: &str, report: &Report, directory: &Path) -> String {
    let (source, binary) = (directory.join("constants.c"), directory.join("constants"));
    fs::write(&source, program).unwrap();
    let mut command = Command::new("gcc");
    command.arg("-w").args(&report.defines);
    for include in &report.includes {
        command.arg("-I").arg(include);
    }
    let output = command.arg(&source).arg("-o").arg(&binary).output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{messages}", report.name);
    let output = Command::new(&binary).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Nothing is linked here, but the modules include an image.
const EMPTY_IMAGE: &str = r#"
fn main() {
    let directory = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap()).join("omniglot");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("corpus.so"), "").unwrap();
}
"#;

/// The number of lines from which modules go to another crate: the compiler needs some 7 KiB of
/// memory for each line.
const CRATE_LINES: usize = 200_000;

/// Compiles the modules as a user's crate includes them. The Rust code asserts the same layouts as
/// the C code.
#[test]
fn modules_compile_without_unsafe_code_or_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let manifest = format!(
        "[package]\nname = \"corpus\"\nedition = \"2024\"\n\
         [dependencies]\nomniglot = {{ path = {:?} }}\n[workspace]\n",
        root.join("crates/omniglot")
    );
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), directory.path().join("Cargo.lock")).unwrap();
    fs::write(directory.path().join("build.rs"), EMPTY_IMAGE).unwrap();
    for reports in crates() {
        put_modules(&reports, &directory.path().join("src"));
        check(directory.path());
    }
}

/// The reports whose modules are compiled together.
fn crates() -> Vec<Vec<&'static Report>> {
    let mut crates: Vec<Vec<&Report>> = Vec::new();
    let mut lines = usize::MAX;
    for report in REPORTS.iter() {
        let more = report.rust.lines().count();
        match crates.last_mut() {
            Some(last) if lines.saturating_add(more) <= CRATE_LINES => last.push(report),
            _ => {
                crates.push(vec![report]);
                lines = 0;
            }
        }
        lines += more;
    }
    crates
}

/// Replaces a crate's sources by these modules.
fn put_modules(reports: &[&Report], source: &Path) {
    let _ = fs::remove_dir_all(source);
    fs::create_dir(source).unwrap();
    let mut library =
        "//! All.\n#![forbid(unsafe_code)]\n#![deny(warnings, missing_docs)]\n".to_owned();
    for (index, report) in reports.iter().enumerate() {
        fs::write(source.join(format!("header_{index}.rs")), &report.rust).unwrap();
        library.push_str(&format!("/// `{}`\npub mod header_{index};\n", report.name));
    }
    fs::write(source.join("lib.rs"), library).unwrap();
}

fn check(directory: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["check", "--offline", "--quiet"])
        .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/../nested/config.toml")])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Compiles a header's shims. If the header by itself causes warnings, only those of the shims
/// count. A compiler that rejects the header even then is passed over; gcc rejects none.
fn compile(compiler: &str, report: &Report, directory: &Path) {
    let includes: Vec<&str> =
        report.c.lines().filter(|line| line.starts_with("#include")).collect();
    let alone = includes.join("\n");
    for option in ["-I", "-isystem"] {
        let output = compiled(compiler, report, &report.c, option, directory);
        if output.status.success() {
            return;
        }
        let is_the_headers =
            !compiled(compiler, report, &alone, option, directory).status.success();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(is_the_headers, "{compiler}, {}:\n{messages}", report.name);
    }
    assert!(compiler != "gcc", "gcc rejects {}", report.name);
    println!("{}: {compiler} rejects the header itself", report.name);
}

/// Compiles a text with the header's directories, which `option` names.
fn compiled(compiler: &str, report: &Report, text: &str, option: &str, directory: &Path) -> Output {
    let source = directory.join("shims.c");
    fs::write(&source, text).unwrap();
    let mut command = Command::new(compiler);
    // The image is built with optimisation, and some warnings need it.
    command.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-c"]);
    command.args(&report.defines);
    for include in &report.includes {
        command.arg(option).arg(include);
    }
    command.arg(&source).arg("-o").arg(directory.join("shims.o"));
    command.env("LC_ALL", "C").output().unwrap()
}
