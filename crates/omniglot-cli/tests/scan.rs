//! Tests `omniglot scan` on Debian's libraries, and on files that were made for it.
// Helper functions of tests may panic, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::{Value, json};

const LOADABLE: i32 = 0;
const UNREADABLE: i32 = 1;
const NOT_LOADABLE: i32 = 3;
const PROCESS_ONLY: i32 = 4;

/// The path of a library on Debian. Its name may continue with a version, which differs between
/// releases.
fn library(name: &str) -> PathBuf {
    let places = ["/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64"];
    let entries = places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths
        .find(|path| is_version_of(name, path) && path.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed"))
}

/// Returns true if a file is called `name` and ends in a number, or if it is `name` followed by a
/// number. A name without a number is for linkers, and exists only if a development package is
/// installed.
fn is_version_of(name: &str, path: &Path) -> bool {
    let file = path.file_name().unwrap().to_string_lossy();
    let number = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
    if name.ends_with(".so") {
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    } else {
        file == name
    }
}

fn scan(file: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omniglot"));
    command.arg("scan").arg(file).args(options).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Scans a file in both formats, and checks that both have this exit status.
#[track_caller]
fn report(file: &Path, status: i32) -> (String, Value) {
    let (plain, json) = (scan(file, &[]), scan(file, &["--json"]));
    assert_eq!(plain.status.code(), Some(status), "{}{}", text(&plain.stdout), text(&plain.stderr));
    assert_eq!(json.status.code(), Some(status));
    (text(&plain.stdout), serde_json::from_slice(&json.stdout).unwrap())
}

/// Links a shared library from C.
fn link(directory: &Path, source: &str, options: &[&str]) -> PathBuf {
    let (from, to) = (directory.join("made.c"), directory.join("libmade.so"));
    fs::write(&from, source).unwrap();
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&to).arg(&from).args(options);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    to
}

/// The functions whose system calls are denied, each with its system call.
fn denied(report: &Value) -> Vec<(&str, &str)> {
    let denied = report["denied"].as_array().unwrap().iter();
    denied
        .map(|it| (it["function"].as_str().unwrap(), it["system_call"].as_str().unwrap()))
        .collect()
}

#[test]
fn debians_libraries_can_be_loaded() {
    for name in ["libpng16.so.16", "libz.so.1", "libsodium.so", "libbrotlidec.so.1"] {
        let library = library(name);
        let (plain, json) = report(&library, LOADABLE);
        assert!(plain.contains("can be loaded behind protection keys: yes"), "{plain}");
        assert_eq!(json["loadable"]["process"], true);
        let name = library.file_name().unwrap().to_string_lossy();
        assert_eq!(json["libraries"][0]["name"], *name);
        assert_eq!(json["missing"], Value::Array(Vec::new()));
    }
}

#[test]
fn what_libpng_needs_and_is_denied_is_listed() {
    let (plain, json) = report(&library("libpng16.so.16"), LOADABLE);
    let names: Vec<&str> = json["libraries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    for name in ["libz.so.1", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(denied(&json).contains(&("fopen", "openat")), "{:?}", denied(&json));
    let line = plain.lines().find(|line| line.contains("fopen in libpng16.so.16")).unwrap();
    assert!(line.contains("is answered within the domain"), "{line}");
}

#[test]
fn the_c_librarys_own_gadgets_are_known() {
    let (plain, json) = report(&library("libc.so.6"), LOADABLE);
    let instructions = json["libraries"][0]["instructions"].as_array().unwrap();
    let mut changers = instructions.iter().filter(|it| it["changes_keys"] == true);
    let wrpkru = changers.next().unwrap();
    assert_eq!((&wrpkru["kind"], &wrpkru["symbol"]), (&"wrpkru".into(), &"pkey_set".into()));
    assert_eq!(changers.next(), None);
    assert!(plain.contains("in pkey_set+"), "{plain}");
    assert!(plain.contains("known as the dynamic linker's restoring of registers"), "{plain}");
    assert!(instructions.iter().filter(|it| it["kind"] == "syscall").count() > 300);
    assert!(json["libraries"][0]["thread_locals"]["size"].as_u64().unwrap() > 0);
    let indirect = json["libraries"][0]["indirect_functions"].as_array().unwrap();
    assert!(indirect.contains(&"memcpy".into()));
}

#[test]
fn a_gadget_of_its_own_leaves_only_a_process() {
    let directory = tempfile::tempdir().unwrap();
    for (source, found) in [
        ("int f(void) { return 0x00ef010f; }", "wrpkru"),
        (
            "void f(void) { __asm__ volatile(\"wrpkru\" : : \"a\"(0), \"c\"(0), \"d\"(0)); }",
            "wrpkru",
        ),
        ("void f(void *p) { __asm__ volatile(\"xrstor (%0)\" : : \"r\"(p)); }", "xrstor"),
    ] {
        let (plain, json) = report(&link(directory.path(), source, &[]), PROCESS_ONLY);
        assert!(plain.contains("can be loaded in a process: yes"), "{plain}");
        assert!(
            plain.contains(&format!("libmade.so could switch the keys off: {found}")),
            "{plain}"
        );
        assert!(plain.contains(" in f+"), "{plain}");
        assert_eq!(json["loadable"]["protection_keys"], false);
    }
}

#[test]
fn system_calls_imports_and_thread_locals_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let source = "#include <pthread.h>\n#include <sys/socket.h>\n#include <time.h>\n\
                  __thread long counters[4];\n\
                  void *g(void *p) { counters[0]++; return p; }\n\
                  long f(void) { pthread_t t; pthread_create(&t, 0, g, 0); \
                  return socket(AF_INET, SOCK_STREAM, 0) + time(0); }\n\
                  long h(void) { long r; __asm__ volatile(\"syscall\" : \"=a\"(r) : \"a\"(39) : \
                  \"rcx\", \"r11\", \"memory\"); return r; }\n";
    let (plain, json) = report(&link(directory.path(), source, &[]), LOADABLE);
    let denied = denied(&json);
    for pair in [("pthread_create", "clone3"), ("socket", "socket"), ("time", "time")] {
        assert!(denied.contains(&pair), "{pair:?}: {denied:?}");
    }
    assert!(plain.contains("it fails or ends the call) (time)"), "{plain}");
    assert!(plain.contains("syscall at") && plain.contains(" in h+"), "{plain}");
    assert_eq!(json["libraries"][0]["thread_locals"]["size"], 32);
}

#[test]
fn a_function_of_the_librarys_own_is_not_denied() {
    let directory = tempfile::tempdir().unwrap();
    let source = "int socket(int a) { return a; }\nint f(void) { return socket(1); }\n";
    let (_, json) = report(&link(directory.path(), source, &[]), LOADABLE);
    assert_eq!(denied(&json), []);
}

#[test]
fn what_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("elsewhere");
    fs::create_dir(&other).unwrap();
    let needed = link(&other, "int g(void) { return 1; }", &["-Wl,-soname,libgone.so.7"]);
    let source = "int g(void);\nint f(void) { return g(); }";
    let made = link(directory.path(), source, &[needed.to_str().unwrap()]);
    let (plain, json) = report(&made, NOT_LOADABLE);
    assert!(plain.contains("libgone.so.7, which libmade.so needs, cannot be found"), "{plain}");
    assert_eq!(json["missing"][0]["name"], "libgone.so.7");
    // Now the library is there.
    fs::rename(needed, other.join("libgone.so.7")).unwrap();
    let found = scan(&made, &["--library-directory", other.to_str().unwrap()]);
    assert_eq!(found.status.code(), Some(LOADABLE), "{}", text(&found.stdout));
}

#[test]
fn a_library_beside_it_is_found_by_its_own_search_path() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("beside");
    fs::create_dir(&other).unwrap();
    let needed = link(&other, "int g(void) { return 1; }", &["-Wl,-soname,libmade.so.2"]);
    let source = "int g(void);\nint f(void) { return g(); }";
    let options = [needed.to_str().unwrap(), "-Wl,-rpath,$ORIGIN/beside"];
    let made = link(directory.path(), source, &options);
    fs::rename(needed, other.join("libmade.so.2")).unwrap();
    report(&made, LOADABLE);

    let mut command = Command::new(env!("CARGO_BIN_EXE_omniglot"));
    let output =
        command.arg("scan").arg(made.file_name().unwrap()).current_dir(&directory).output();
    assert_eq!(output.unwrap().status.code(), Some(LOADABLE), "by a name without a directory");
}

#[test]
fn a_symbol_that_nothing_defines_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let made = link(directory.path(), "int gone(void);\nint f(void) { return gone(); }", &[]);
    let (plain, _) = report(&made, NOT_LOADABLE);
    assert!(plain.contains("no needed library defines gone"), "{plain}");
    let weak = "int gone(void) __attribute__((weak));\nint f(void) { return gone ? gone() : 0; }";
    report(&link(directory.path(), weak, &[]), LOADABLE);
}

#[test]
fn an_executable_stack_is_refused_and_writable_code_leaves_only_a_process() {
    let directory = tempfile::tempdir().unwrap();
    let source = "int f(void) { return 1; }";
    let (plain, _) = report(&link(directory.path(), source, &["-Wl,-z,execstack"]), NOT_LOADABLE);
    assert!(plain.contains("requests an executable stack"), "{plain}");
    let writable = r#"__asm__(".section .both,\"awx\",@progbits\n.byte 0xc3\n.text");"#;
    let (plain, _) = report(&link(directory.path(), writable, &[]), PROCESS_ONLY);
    assert!(plain.contains("has writable code"), "{plain}");
}

#[test]
fn names_cannot_control_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let source = "int gone_for_good(void);\nint f(void) { return gone_for_good(); }";
    let made = link(directory.path(), source, &[]);
    let mut bytes = fs::read(&made).unwrap();
    let place = bytes.windows(13).position(|window| window == b"gone_for_good").unwrap();
    bytes[place..place + 4].copy_from_slice(b"\x1b[2J");
    fs::write(&made, bytes).unwrap();
    let (plain, _) = report(&made, NOT_LOADABLE);
    assert!(!plain.contains('\u{1b}') && plain.contains("\\u{1b}[2J"), "{plain}");
}

/// Makes an archive of a C source.
fn archive(directory: &Path, source: &str) -> PathBuf {
    let (from, object) = (directory.join("made.c"), directory.join("made.o"));
    let to = directory.join("libmade.a");
    fs::write(&from, source).unwrap();
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut compile = Command::new(compiler);
    compile.args(["-O1", "-c", "-o"]).arg(&object).arg(&from);
    let mut pack = Command::new("ar");
    pack.arg("rcs").arg(&to).arg(&object);
    for mut command in [compile, pack] {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    to
}

/// The names in a list of the report.
fn names<'a>(report: &'a Value, list: &str) -> Vec<&'a str> {
    report[list].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn debians_archives_can_be_sandboxed() {
    for (name, needed) in [("libz.a", None), ("libpng16.a", Some("inflate"))] {
        let (plain, json) = report(&library(name), LOADABLE);
        assert!(plain.contains("can be sandboxed: yes"), "{plain}");
        assert_eq!((&json["sandboxable"], &json["instructions"]), (&true.into(), &json!([])));
        let missing = names(&json, "missing");
        assert_eq!(needed.is_some(), !missing.is_empty(), "{missing:?}");
        assert!(needed.is_none_or(|needed| missing.contains(&needed)), "{missing:?}");
        assert!(json["code"]["rewritten"].as_u64() > json["code"]["original"].as_u64());
    }
}

#[test]
fn instructions_of_an_archive_that_stop_a_call_are_listed() {
    let (plain, json) = report(&library("libsodium.a"), LOADABLE);
    let all = json["instructions"].as_array().unwrap();
    for instruction in all {
        assert_eq!(instruction["what"], "AVX-512 is not supported");
        assert!(instruction["object"].as_str().unwrap().contains("avx512f"), "{instruction}");
    }
    assert!(!all.is_empty() && plain.contains("more, which --json lists"), "{plain}");
}

#[test]
fn what_is_against_an_archive_is_listed_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let source =
        "__asm__(\".globl f\\n.type f, @function\\nf: nop\\n.byte 6\\nret\\n.size f, .-f\");";
    let (plain, json) = report(&archive(directory.path(), source), NOT_LOADABLE);
    assert!(plain.contains("can be sandboxed: no"), "{plain}");
    assert!(plain.contains("libmade.a(made.o), .text+0x1 in f: "), "{plain}");
    let reason = &json["reasons_against"][0];
    assert_eq!((&reason["symbol"], &reason["offset"]), (&"f".into(), &1.into()));
    assert!(reason["remedy"].as_str().unwrap().contains("a section of its own"), "{reason}");
}

#[test]
fn what_an_archive_in_cpp_needs_is_against_it() {
    let directory = tempfile::tempdir().unwrap();
    // As a C++ compiler would call `operator new(unsigned long)`.
    let source = "void *_Znwm(unsigned long);\nvoid *f(void) { return _Znwm(8); }";
    let (plain, _) = report(&archive(directory.path(), source), NOT_LOADABLE);
    assert!(plain.contains("in f: uses _Znwm") && plain.contains("it belongs to C++"), "{plain}");
    let source = "void *other(unsigned long);\nvoid *f(void) { return other(8); }";
    let (_, json) = report(&archive(directory.path(), source), LOADABLE);
    assert_eq!(names(&json, "missing"), ["other"]);
}

#[test]
fn an_archive_that_cannot_be_examined_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = archive(directory.path(), "int f(void) { return 1; }");
    let mut command = Command::new(env!("CARGO_BIN_EXE_omniglot"));
    let output = command.arg("scan").arg(&path).env("CC", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(UNREADABLE));
    assert!(text(&output.stderr).contains("/nonexistent: No such file"), "{output:?}");
    fs::write(&path, b"!<thin>\n").unwrap();
    let output = scan(&path, &[]);
    assert_eq!(output.status.code(), Some(UNREADABLE));
    assert!(text(&output.stderr).contains("is a thin archive"), "{output:?}");
}

#[test]
fn what_is_no_library_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    for (contents, part) in [
        (&b""[..], "not a 64-bit ELF file"),
        (b"#!/bin/sh\n", "not a 64-bit ELF file"),
        (b"\x7fELF\x01\x01\x01", "not a 64-bit ELF file"),
    ] {
        fs::write(&path, contents).unwrap();
        let output = scan(&path, &[]);
        assert_eq!(output.status.code(), Some(UNREADABLE));
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
    let nowhere = scan(&directory.path().join("nowhere"), &[]);
    assert_eq!(nowhere.status.code(), Some(UNREADABLE));
    assert!(text(&nowhere.stderr).contains("nowhere: No such file"));
    let (plain, _) = report(Path::new(env!("CARGO_BIN_EXE_omniglot")), NOT_LOADABLE);
    assert!(plain.contains("is a program"), "{plain}");
}

#[test]
fn constructors_run_and_what_they_ask_for_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let source = r#"
#include <fcntl.h>
#include <stdlib.h>
__attribute__((constructor)) static void start(void) {
    if (open("/usr/share/omniglot-made/table", O_RDONLY) >= 0) abort();
}
int made(void) { return 1; }
"#;
    let (plain, json) = report(&link(directory.path(), source, &[]), LOADABLE);
    assert!(plain.contains("\nstarts in a process: yes\n"), "{plain}");
    assert!(plain.contains("/usr/share/omniglot-made/table: a constructor can"), "{plain}");
    assert_eq!(json["start"]["works"], true);
    assert_eq!(json["start"]["asked_for"].as_array().unwrap().len(), 1);
}

#[test]
fn a_library_that_does_not_start_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    let source = "#include <stdlib.h>\n\
                  __attribute__((constructor)) static void start(void) { abort(); }\n";
    let made = link(directory.path(), source, &[]);
    let (plain, json) = report(&made, NOT_LOADABLE);
    assert!(plain.contains("\nstarts in a process: no\n"), "{plain}");
    assert!(plain.contains("abort"), "{plain}");
    assert_eq!(json["loadable"]["process"], true);
    assert_eq!(json["start"]["works"], false);

    let unstarted = scan(&made, &["--no-start"]);
    assert_eq!(unstarted.status.code(), Some(LOADABLE));
    assert!(text(&unstarted.stdout).contains("starts in a process: not tried: --no-start"));
}
