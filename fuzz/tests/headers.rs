//! Random C headers. What the C compiler accepts is bound, or the generator reports why not. Shims
//! compile without warnings, and the generated Rust compiles.
#![forbid(unsafe_code)]
#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use omniglot_build::{Library, Preview};
use omniglot_fuzz::{Random, Session};

/// Number of headers in the test suite.
const RUNS: u64 = 12;
/// Number of headers that are compiled in one Rust crate.
const BATCH: usize = 12;
/// The same in a long session, in which most of the time would be cargo's.
const LONG_BATCH: usize = 100;

const SCALARS: [&str; 17] = [
    "_Bool",
    "char",
    "signed char",
    "unsigned char",
    "short",
    "unsigned short",
    "int",
    "unsigned",
    "long",
    "unsigned long",
    "long long",
    "float",
    "double",
    "size_t",
    "uint8_t",
    "int32_t",
    "uint64_t",
];
/// Names that have a meaning in Rust, in generated code, or only in C.
const NAMES: [&str; 24] = [
    "type", "match", "fn", "self", "Self", "crate", "super", "async", "dyn", "move", "ref", "mut",
    "impl", "loop", "frame", "api", "base", "Ptr", "Result", "Frame", "value", "bytes", "encode",
    "args",
];

/// A header under construction.
struct Header {
    text: String,
    /// Types that can be passed by value.
    types: Vec<String>,
    functions: Vec<String>,
    count: usize,
}

impl Header {
    fn random(random: &mut Random) -> Self {
        let text = "#include <stddef.h>\n#include <stdint.h>\n".to_owned();
        let types = SCALARS.map(str::to_owned).to_vec();
        let mut header = Self { text, types, functions: Vec::new(), count: 0 };
        for _ in 0..4 + random.below(12) {
            match random.below(20) {
                12 => header.awkward_structure(random),
                13 => header.awkward_function(random),
                14 => header.awkward_type(random),
                15 => header.awkward_global(random),
                16 => header.expression(random),
                17 => header.nested(random),
                18 => header.opaque(random),
                19 => header.redeclared(random),
                0 => header.enumeration(random),
                1 | 2 => header.structure(random),
                3 => header.union(random),
                4 => header.alias(random),
                5 => header.callback(random),
                6 => header.constant(random),
                7 => header.global(random),
                8 => header.inline(random),
                _ => header.function(random),
            }
        }
        header
    }

    /// Returns a new name. It is rarely a keyword of Rust.
    fn name(&mut self, prefix: &str, random: &mut Random) -> String {
        self.count += 1;
        match random.below(6) {
            0 => format!("{prefix}_{}", random.pick(&NAMES)) + &self.count.to_string(),
            1 => format!("{}{}", prefix.to_uppercase(), self.count),
            _ => format!("{prefix}{}", self.count),
        }
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn of_value(&self, random: &mut Random) -> String {
        // Half of the time, one of the newer types.
        let from = if random.once_in(2) { SCALARS.len().min(self.types.len() - 1) } else { 0 };
        self.types[from + random.index(self.types.len() - from)].clone()
    }

    /// Returns a type, or a pointer to one.
    fn ty(&self, random: &mut Random) -> String {
        let value = self.of_value(random);
        match random.below(6) {
            0 => format!("{value} *"),
            1 => format!("const {value} *"),
            2 => "void *".to_owned(),
            3 => "const char *".to_owned(),
            _ => value,
        }
    }

    fn enumeration(&mut self, random: &mut Random) {
        let name = self.name("kind", random);
        let values: Vec<String> = (0..1 + random.below(5))
            .map(|index| match random.below(3) {
                0 => format!("{name}_{index}"),
                1 => format!("{name}_{index} = {}", random.below(300)),
                _ => format!("{name}_{index} = -{}", random.below(9)),
            })
            .collect();
        self.line(&format!("typedef enum {{ {} }} {name};", values.join(", ")));
        self.types.push(name);
    }

    /// Returns fields with distinct names. Some are arrays, some are bit-fields.
    fn fields(&self, random: &mut Random) -> String {
        let mut fields = String::new();
        for index in 0..1 + random.below(6) {
            let name = match random.below(4) {
                0 => {
                    format!("{}{}", random.pick(&NAMES), if index == 0 { "" } else { "_" })
                        + &if index == 0 { String::new() } else { index.to_string() }
                }
                _ => format!("field{index}"),
            };
            let ty = self.ty(random);
            let _ = match random.below(8) {
                0 => write!(fields, "{ty} {name}[{}]; ", 1 + random.below(40)),
                1 => write!(fields, "unsigned {name} : {}; ", 1 + random.below(31)),
                2 => write!(fields, "{ty} {name}[{}][3]; ", 1 + random.below(3)),
                _ => write!(fields, "{ty} {name}; "),
            };
        }
        fields
    }

    fn structure(&mut self, random: &mut Random) {
        let name = self.name("record", random);
        let fields = self.fields(random);
        if random.once_in(2) {
            self.line(&format!("struct {name} {{ {fields}struct {name} *next; }};"));
            self.types.push(format!("struct {name}"));
        } else {
            self.line(&format!("typedef struct {name} {{ {fields}}} {name};"));
            self.types.push(name);
        }
    }

    fn union(&mut self, random: &mut Random) {
        let name = self.name("either", random);
        let (one, other) = (self.of_value(random), self.of_value(random));
        self.line(&format!("typedef union {name} {{ {one} one; {other} other[2]; }} {name};"));
        self.types.push(name);
    }

    fn alias(&mut self, random: &mut Random) {
        let name = self.name("alias", random);
        let ty = self.of_value(random);
        self.line(&format!("typedef {ty} {name};"));
        self.types.push(name);
    }

    fn callback(&mut self, random: &mut Random) {
        let name = self.name("handler", random);
        let (result, parameters) = (self.result(random), self.parameters(random));
        self.line(&format!("typedef {result} (*{name})({parameters});"));
        self.types.push(name);
    }

    fn constant(&mut self, random: &mut Random) {
        let name = self.name("limit", random);
        let value = match random.below(3) {
            0 => format!("{}", random.below(1 << 40)),
            1 => "\"some text\"".to_owned(),
            _ => format!("(1 << {})", random.below(30)),
        };
        self.line(&format!("#define {name} {value}"));
    }

    fn global(&mut self, random: &mut Random) {
        let name = self.name("global", random);
        let ty = self.ty(random);
        self.line(&format!("extern {ty} {name};"));
    }

    fn inline(&mut self, random: &mut Random) {
        let name = self.name("shortcut", random);
        let ty = self.of_value(random);
        self.line(&format!("static inline {ty} {name}({ty} same) {{ return same; }}"));
        self.functions.push(name);
    }

    fn function(&mut self, random: &mut Random) {
        let name = self.name("work", random);
        let (result, parameters) = (self.result(random), self.parameters(random));
        self.line("/** Does something, such as `*this` or [that]. */");
        self.line(&format!("{result} {name}({parameters});"));
        self.functions.push(name);
    }

    /// Writes a struct that may be packed, aligned, with bit-fields of any width and type, and with
    /// unnamed members.
    fn awkward_structure(&mut self, random: &mut Random) {
        const ATTRIBUTES: [&str; 6] = [
            "",
            "__attribute__((packed))",
            "__attribute__((aligned(16)))",
            "__attribute__((packed, aligned(4)))",
            "__attribute__((packed, aligned(2)))",
            "__attribute__((may_alias))",
        ];
        const MEMBERS: [&str; 16] = [
            "int : 0;",
            "unsigned : 3;",
            "_Bool @ : 1;",
            "unsigned long @ : 37;",
            "signed char @ : 5;",
            "long long @ : 60;",
            "union { int @; struct { short @_low, @_high; }; };",
            "struct { char @; double @_more; } @_in[2];",
            "_Alignas(8) char @;",
            "const int @;",
            "volatile short @;",
            "_Atomic int @;",
            "long double @;",
            "__int128 @;",
            "double _Complex @;",
            "int (*@)(struct OWN *self, int);",
        ];
        let name = self.name("odd", random);
        let mut members = String::new();
        for index in 0..1 + random.below(7) {
            let member = random.pick(&MEMBERS);
            members += &member.replace('@', &format!("member{index}")).replace("OWN", &name);
            members.push(' ');
        }
        let tail = if random.once_in(5) { "int tail[];" } else { "" };
        let members = if tail.is_empty() { members } else { format!("int first; {members}") };
        let attribute = random.pick(&ATTRIBUTES);
        self.line(&format!("struct {attribute} {name} {{ {members}{tail} }};"));
        self.line(&format!("int on_{name}(struct {name} *{name});"));
        self.functions.push(format!("on_{name}"));
        if tail.is_empty() {
            self.types.push(format!("struct {name}"));
        }
    }

    /// Writes a function with unusual declarators and attributes.
    fn awkward_function(&mut self, random: &mut Random) {
        let name = self.name("rare", random);
        let (one, other) = (self.of_value(random), self.ty(random));
        let text = match random.below(14) {
            0 => format!("{one} (*{name}({other} x))({one}, int);"),
            1 => format!("int (*(*{name}(void))(int))({one} *);"),
            2 => format!("void {name}({one} rows[2][3], {other} *restrict to);"),
            3 => format!("int {name}(int n, {one} list[n]);"),
            4 => format!("{one} {name}({other} x) __attribute__((deprecated(\"old\"), nothrow));"),
            5 => format!("_Noreturn void {name}({other});"),
            6 => format!(
                "int {name}(const char *format, ...) __attribute__((format(printf, 1, 2)));"
            ),
            7 => format!("{one} {name}();"),
            8 => format!("int {name}({one} first, struct only_here_{name} *second);"),
            9 => format!("const {one} *const *{name}(const volatile {one} *const x);"),
            10 => format!("{one} {name}({one} x) __asm__(\"other_{name}\");"),
            11 => format!("int {name}(int (*compare)(const void *, const void *), {one} (*)[4]);"),
            12 => format!("__attribute__((weak, visibility(\"default\"))) {one} {name}({one});"),
            _ => format!("int __attribute__((ms_abi)) {name}({other});"),
        };
        self.line(&text);
        self.functions.push(name);
    }

    fn awkward_type(&mut self, random: &mut Random) {
        let name = self.name("form", random);
        let one = self.of_value(random);
        let text = match random.below(10) {
            0 => format!("typedef {one} {name}[3];"),
            1 => format!("typedef {one} {name} __attribute__((aligned(16)));"),
            2 => format!("typedef struct {{ {one} only; }} *{name};"),
            3 => format!("typedef int {name}({one}, int);"),
            4 => format!("typedef float {name} __attribute__((vector_size(16)));"),
            5 => format!("typedef const {one} {name};"),
            6 => format!("enum __attribute__((packed)) {name} {{ {name}_A = -1, {name}_B = 99 }};"),
            7 => format!("enum {name} {{ {name}_A = 1, {name}_B = 0x123456789aLL }};"),
            8 => format!(
                "typedef enum {name}_tag {{ {name}_A = 1, {name}_B = 2, {name}_C = 4 }} {name};"
            ),
            _ => format!("union {name} {{ {one} one; char bytes[3]; struct {{ int in; }}; }};"),
        };
        self.line(&text);
        self.line(&format!("int with_{name}({}{name} *x);", keyword(&text)));
        self.functions.push(format!("with_{name}"));
    }

    fn awkward_global(&mut self, random: &mut Random) {
        let name = self.name("thing", random);
        let one = self.of_value(random);
        let text = match random.below(7) {
            0 => format!("extern const {one} {name}[];"),
            1 => format!("extern __thread {one} {name};"),
            2 => format!("extern struct {{ {one} only; }} {name};"),
            3 => format!("extern volatile {one} *const {name}[2][2];"),
            4 => format!("extern int (*{name}[3])({one});"),
            5 => format!("static const int {name} = 5;"),
            _ => format!("extern {one} (*{name})(void);"),
        };
        self.line(&text);
    }

    /// Writes a macro that is an expression, or looks like one.
    fn expression(&mut self, random: &mut Random) {
        const OPERANDS: [&str; 14] = [
            "1",
            "-1",
            "0xffffffff",
            "1u",
            "2.5",
            "3L",
            "0x8000000000000000",
            "'a'",
            "sizeof(int)",
            "(unsigned char)300",
            "1.0f",
            "(1 ? 2 : 3u)",
            "~0ul",
            "'\\xff'",
        ];
        const OPERATORS: [&str; 10] = ["+", "-", "*", "/", "%", "<<", ">>", "&", "==", "&&"];
        let name = self.name("FORMULA", random);
        let mut text = (*random.pick(&OPERANDS)).to_owned();
        for _ in 0..random.below(3) {
            text = format!("({text} {} {})", random.pick(&OPERATORS), random.pick(&OPERANDS));
        }
        self.line(&format!("#define {name} {text}"));
    }

    /// Writes nested types.
    fn nested(&mut self, random: &mut Random) {
        let name = self.name("outer", random);
        let (one, other) = (self.of_value(random), self.of_value(random));
        self.line(&format!(
            "typedef struct {name} {{ struct {name}_in {{ {one} a; enum {{ {name}_X, {name}_Y }} e; }} in; \
             union {{ {other} b; struct {name} *up; }} at[2]; }} {name}_t;"
        ));
        self.types.push(format!("{name}_t"));
        self.types.push(format!("struct {name}_in"));
    }

    fn opaque(&mut self, random: &mut Random) {
        let name = self.name("hidden", random);
        let function = self.name("make", random);
        self.line(&format!(
            "typedef struct _{name} {name}; {name} *{function}(struct _{name} *old);"
        ));
        self.functions.push(function);
    }

    /// Declares the same function more than once.
    fn redeclared(&mut self, random: &mut Random) {
        let name = self.name("again", random);
        let one = self.of_value(random);
        self.line(&format!("int {name}({one});\nextern int {name}({one} named);"));
        self.line(&format!("#define {name} {name}"));
        self.functions.push(name);
    }

    fn result(&self, random: &mut Random) -> String {
        if random.once_in(4) { "void".to_owned() } else { self.ty(random) }
    }

    fn parameters(&self, random: &mut Random) -> String {
        let count = random.below(6);
        let first = random.index(NAMES.len());
        let parameters = (0..count).map(|index| {
            let ty = self.ty(random);
            match random.below(4) {
                0 => ty,
                1 => format!("{ty} {}", NAMES[(first + index as usize) % NAMES.len()]),
                _ => format!("{ty} parameter{index}"),
            }
        });
        let parameters = parameters.collect::<Vec<_>>().join(", ");
        if count == 0 { "void".to_owned() } else { parameters }
    }
}

/// Returns the keyword in C for a type that a line declares by its tag.
fn keyword(declaration: &str) -> &'static str {
    let starts = |word: &str| declaration.starts_with(word);
    if starts("enum") {
        "enum "
    } else if starts("union") {
        "union "
    } else {
        ""
    }
}

fn compiler(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("cc");
    command.args(["-std=gnu11", "-fsyntax-only"]).args(arguments).current_dir(directory);
    command.output().unwrap()
}

/// Returns the generated code, or `None` if the C compiler rejects the header.
fn generate(directory: &Path, header: &Header) -> Option<Preview> {
    let include = directory.join("include");
    fs::create_dir_all(&include).unwrap();
    fs::write(include.join("random.h"), &header.text).unwrap();
    if !compiler(directory, &["-x", "c", "include/random.h"]).status.success() {
        return None;
    }
    let library = Library::new("random").header("random.h").include(&include).callback_slots(2);
    let library = library.target("x86_64-unknown-linux-gnu");
    let preview = library.preview_compiled(directory.join("out"));
    let preview = preview.unwrap_or_else(|error| panic!("{error}\n{}", header.text));
    fs::write(directory.join("random.c"), &preview.c).unwrap();
    // The header's own warnings do not matter here: `-isystem` silences them.
    let output = compiler(directory, &["-Wall", "-Werror", "-isystem", "include", "random.c"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{}\n{}", header.text, preview.c);
    // Each function is bound, or the generator reports why not.
    for function in &header.functions {
        let is_bound = preview.functions.contains(function);
        let is_told = preview.problems.iter().any(|problem| problem.item == *function);
        assert!(is_bound || is_told, "{function} is forgotten\n{}", header.text);
    }
    Some(preview)
}

/// A crate whose modules are generated code.
struct Crate {
    directory: PathBuf,
}

impl Crate {
    fn new(directory: &Path) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let manifest = format!(
            "[package]\nname = \"random\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nomniglot = {{ path = {:?} }}\n\n[workspace]\n",
            root.join("crates/omniglot")
        );
        // Images are not linked, since modules only embed them.
        let script = "fn main() {\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
                      std::fs::create_dir_all(format!(\"{out}/omniglot\")).unwrap();\n    \
                      std::fs::write(format!(\"{out}/omniglot/random.so\"), []).unwrap();\n}\n";
        fs::create_dir_all(directory.join("src")).unwrap();
        fs::write(directory.join("Cargo.toml"), manifest).unwrap();
        fs::write(directory.join("build.rs"), script).unwrap();
        fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
        Self { directory: directory.to_owned() }
    }

    fn check(&self, modules: &[(String, Preview)]) {
        let mut text = "#![forbid(unsafe_code)]\n".to_owned();
        for (index, (_, preview)) in modules.iter().enumerate() {
            let name = format!("module{index}.rs");
            fs::write(self.directory.join("src").join(&name), &preview.rust).unwrap();
            let _ = writeln!(text, "pub mod module{index} {{ include!({name:?}); }}");
        }
        fs::write(self.directory.join("src/lib.rs"), text).unwrap();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["check", "--offline", "--quiet"])
            .args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/nested/config.toml")])
            .current_dir(&self.directory)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let headers = || modules.iter().map(|(header, _)| &**header).collect::<Vec<_>>();
        assert!(output.status.success(), "{said}\n{}", headers().join("\n---- next header\n"));
    }
}

#[test]
fn what_a_compiler_accepts_is_bound() {
    let directory = tempfile::tempdir().unwrap();
    let package = Crate::new(&directory.path().join("crate"));
    let mut session = Session::new("headers", RUNS);
    let batch = if session.is_long() { LONG_BATCH } else { BATCH };
    let (mut waiting, mut accepted, mut refused) = (Vec::new(), 0_u64, 0_u64);
    while let Some(mut random) = session.next_run() {
        let header = Header::random(&mut random);
        match generate(directory.path(), &header) {
            Some(preview) => waiting.push((header.text, preview)),
            None => refused += 1,
        }
        if waiting.len() == batch {
            accepted += waiting.len() as u64;
            package.check(&std::mem::take(&mut waiting));
        }
    }
    accepted += waiting.len() as u64;
    package.check(&waiting);
    println!(
        "headers, seed {}: {accepted} bound and compiled, {refused} that the compiler refuses",
        session.seed()
    );
    assert!(accepted > refused, "the grammar is broken");
}
