//! Random description files.

use std::fmt::Write;
use std::fs;

use omniglot_build::Library;
use omniglot_fuzz::{Random, fuzz};

use super::Descriptions;

/// A header with names that descriptions can use, and names that they cannot.
const HEADER: &str = "
#include <stddef.h>
typedef struct codec codec;
codec *codec_new(void);
codec *codec_open(const char *name, codec **result, int *version);
void codec_free(codec *codec);
int unpack(unsigned char *dest, unsigned long *dest_len, const unsigned char *source,
           unsigned long source_len);
void mix(double *left, const double *right, int count, unsigned char seed[32]);
const char *reason(int status);
int set_option(codec *codec, int option, ...);
#define SQUARE(x) ((x) * (x))
#define LIMIT 7
";
const NAMES: [&str; 26] = [
    "codec",
    "codec_new",
    "codec_open",
    "codec_free",
    "unpack",
    "mix",
    "reason",
    "set_option",
    "SQUARE",
    "LIMIT",
    "dest",
    "dest_len",
    "source",
    "source_len",
    "left",
    "count",
    "seed",
    "name",
    "result",
    "version",
    "Self",
    "type",
    "",
    "ä b",
    "int x, const char *text",
    "double (double x)",
];
const TABLES: [&str; 5] = ["wrap", "handle", "variadic", "function_macro", "unknown"];
const WRAP: [&str; 13] = [
    "in_slice",
    "out_slice",
    "in_out_slice",
    "in_array",
    "out_array",
    "in_str",
    "in_c_str",
    "out",
    "optional",
    "status_ok",
    "status_at_least",
    "message",
    "returns_str",
];
const HANDLE: [&str; 2] = ["constructor", "named"];
const ANY: [&str; 7] = ["function", "of", "name", "parameters", "unknown", "\"\"", "a.b"];

/// A random file, in most cases of the right structure.
fn file(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(4) {
        let table = if random.once_in(20) { TABLES.len() - 1 } else { random.index(4) };
        let _ = match random.below(20) {
            0 => writeln!(text, "[{}]", TABLES[table]),
            _ => writeln!(text, "[[{}]]", TABLES[table]),
        };
        // Usually the keys that the table requires and knows.
        for key in needed(table) {
            if !random.once_in(30) {
                let _ = writeln!(text, "{key} = {:?}", random.pick(&NAMES));
            }
        }
        for _ in 0..random.below(4) {
            let keys: &[&str] = match table {
                _ if random.once_in(15) => &ANY,
                0 => &WRAP,
                1 => &HANDLE,
                _ => continue,
            };
            let key = *random.pick(keys);
            let _ = writeln!(text, "{key} = {}", value(key, random));
        }
    }
    text
}

const fn needed(table: usize) -> &'static [&'static str] {
    match table {
        0 => &["function"],
        1 => &["of", "destructor"],
        2 => &["function", "named", "parameters"],
        3 => &["name", "signature"],
        _ => &[],
    }
}

fn value(key: &str, random: &mut Random) -> String {
    let name = *random.pick(&NAMES);
    let other = *random.pick(&NAMES);
    let number = random.edge().cast_signed();
    match key {
        _ if random.once_in(30) => format!("{number}"),
        _ if random.once_in(30) => format!("[{name:?}, {other:?}]"),
        "in_array" | "out_array" => format!("{{ {name:?} = {number} }}"),
        "in_slice" | "out_slice" | "in_out_slice" => format!("{{ {name:?} = {other:?} }}"),
        "in_str" | "in_c_str" | "out" | "optional" | "constructor" => format!("[{name:?}]"),
        "status_ok" | "status_at_least" | "returns_str" => format!("{number}"),
        _ => format!("{name:?}"),
    }
}

#[test]
fn any_file_is_understood_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fuzz.toml");
    fs::write(directory.path().join("fuzz.h"), HEADER).unwrap();
    let (mut understood, mut generated, mut refused) = (0_u64, 0_u64, 0_u64);
    fuzz("describe", 400, |random| {
        let mut bytes = file(random).into_bytes();
        if random.once_in(3) {
            random.mutate(&mut bytes);
        }
        fs::write(&path, &bytes).unwrap();
        let descriptions = match Descriptions::read(&path) {
            Ok(descriptions) => descriptions,
            Err(_) => return refused += 1,
        };
        understood += 1;
        let library = Library::new("fuzz").header("fuzz.h").include(directory.path());
        let library = descriptions.describe(library.target("x86_64-unknown-linux-gnu"));
        // Running clang takes a hundred times as long as everything else.
        if random.once_in(20) {
            match library.preview() {
                Ok(_) => generated += 1,
                Err(error) => {
                    let message = descriptions.locate(&error, error.to_string());
                    assert!(!message.is_empty(), "an error without words");
                }
            }
        }
    });
    println!("describe: {understood} understood, {generated} generated, {refused} refused");
    assert!(refused == 0 || understood > 0, "nothing is understood");
}
