//! The C half: every function folds its arguments into a checksum, and derives its result from
//! that.

use std::fmt::Write as _;

use crate::world::{Kind, Signature, Type, World};

/// The C version of the operations on numbers; `src/mix.rs` is the Rust version.
const PROLOGUE: &str = "
static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static uint64_t next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    return mix(0xabcdef, *state);
}

static uint64_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static uint64_t bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

static float float_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, 4);
    return value;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

#ifdef __SIZEOF_INT128__
static unsigned __int128 wide_of(uint64_t *state)
{
    uint64_t low = next(state);
    return low | (unsigned __int128)next(state) << 64;
}
#endif

/* In every `unit` bytes, the first `used` belong to a number; the others are padding. */
static uint64_t fold_bytes(uint64_t hash, const void *value, size_t size, size_t unit, size_t used)
{
    const unsigned char *bytes = value;
    for (size_t i = 0; i < size; i++)
        if (i % unit < used)
            hash = mix(hash, bytes[i]);
    return hash;
}

static void make_bytes(uint64_t *state, void *value, size_t size, size_t unit, size_t used)
{
    unsigned char *bytes = value;
    for (size_t i = 0; i < size; i++)
        bytes[i] = i % unit < used ? (unsigned char)next(state) : 0;
}

/* The checksum of the last call's arguments. */
static uint64_t last_hash;

uint64_t plain_last(void)
{
    return last_hash;
}
";

/// Writes the types and prototypes.
pub(crate) fn header(world: &World) -> String {
    let mut out = String::from("#include <stddef.h>\n#include <stdint.h>\n\n");
    line(&mut out, "uint64_t plain_last(void);");
    for (index, values) in world.enums.iter().enumerate() {
        let values: Vec<String> = (0..)
            .zip(values)
            .map(|(place, value): (usize, &i64)| format!("e{index}_{place} = {value}"))
            .collect();
        line(&mut out, format_args!("enum e{index} {{ {} }};", values.join(", ")));
    }
    for (index, union) in world.unions.iter().enumerate() {
        line(&mut out, format_args!("union u{index} {{ {}; }};", union.members.join("; ")));
    }
    for (index, structure) in world.structs.iter().enumerate() {
        let fields = list(&structure.fields, "f", |ty, name| format!("{}; ", declare(ty, &name)));
        let packed = if structure.packed { "__attribute__((packed)) " } else { "" };
        line(&mut out, format_args!("struct {packed}s{index} {{ {}}};", fields.concat()));
    }
    for (index, signature) in world.signatures.iter().enumerate() {
        line(&mut out, format_args!("{};", prototype(signature, &format!("plain_{index}"))));
        if signature.callback {
            let pointer = prototype(signature, &format!("(*callback_{index})"));
            line(&mut out, format_args!("typedef {pointer};"));
            line(&mut out, format_args!("{};", calling(index)));
            line(&mut out, format_args!("{};", pointing(index)));
        }
    }
    out
}

/// Writes everything that follows the header.
pub(crate) fn source(world: &World, name: &str) -> String {
    let mut out = format!("#include <string.h>\n#include \"{name}.h\"\n{PROLOGUE}\n");
    for (index, values) in world.enums.iter().enumerate() {
        let values: Vec<String> = values.iter().map(i64::to_string).collect();
        line(
            &mut out,
            format_args!("static const int64_t values_{index}[] = {{ {} }};", values.join(", ")),
        );
    }
    for (index, structure) in world.structs.iter().enumerate() {
        let folds = list(&structure.fields, "value->f", |ty, place| fold(ty, &place, 0));
        let makes = list(&structure.fields, "value->f", |ty, place| make(ty, &place, 0));
        line(
            &mut out,
            format_args!(
                "static uint64_t fold_s{index}(uint64_t hash, const struct s{index} *value)\n{{\n{}    return hash;\n}}\n\n\
                 static void make_s{index}(uint64_t *state, struct s{index} *value)\n{{\n    memset(value, 0, sizeof *value);\n{}}}\n",
                folds.concat(),
                makes.concat()
            ),
        );
    }
    for (index, signature) in world.signatures.iter().enumerate() {
        plain(&mut out, index, signature);
        if signature.callback {
            caller(&mut out, index, signature);
            line(
                &mut out,
                format_args!("{}\n{{\n    return plain_{index};\n}}\n", pointing(index)),
            );
        }
    }
    out
}

/// Writes the function that Rust calls.
fn plain(out: &mut String, index: usize, signature: &Signature) {
    let folds = list(&signature.parameters, "a", |ty, place| fold(ty, &place, 0));
    let name = prototype(signature, &format!("plain_{index}"));
    line(out, format_args!("{name}\n{{"));
    line(
        out,
        format_args!("    uint64_t hash = {index};\n{}    last_hash = hash;", folds.concat()),
    );
    if let Some(result) = &signature.result {
        let declared = declare(result, "result");
        let made = make(result, "result", 0);
        line(
            out,
            format_args!(
                "    uint64_t s = hash, *state = &s;\n    {declared};\n{made}    return result;"
            ),
        );
    }
    line(out, "}\n");
}

/// Writes the function that calls Rust.
fn caller(out: &mut String, index: usize, signature: &Signature) {
    let declarations =
        list(&signature.parameters, "a", |ty, name| format!("    {};\n", declare(ty, &name)));
    let makes = list(&signature.parameters, "a", |ty, place| make(ty, &place, 0));
    let folds = list(&signature.parameters, "a", |ty, place| fold(ty, &place, 0));
    let names = list(&signature.parameters, "a", |_, name| name).join(", ");
    line(
        out,
        format_args!(
            "{}\n{{\n    uint64_t hash = {index}, s = seed, *state = &s;\n{}{}{}",
            calling(index),
            declarations.concat(),
            makes.concat(),
            folds.concat()
        ),
    );
    match &signature.result {
        Some(result) => line(
            out,
            format_args!(
                "    {} = callback({names});\n{}",
                declare(result, "result"),
                fold(result, "result", 0)
            ),
        ),
        None => line(out, format_args!("    callback({names});")),
    }
    line(out, "    return hash;\n}\n");
}

fn calling(index: usize) -> String {
    format!("uint64_t calling_{index}(callback_{index} callback, uint64_t seed)")
}

fn pointing(index: usize) -> String {
    format!("callback_{index} pointer_{index}(void)")
}

fn prototype(signature: &Signature, name: &str) -> String {
    let parameters = list(&signature.parameters, "a", |ty, name| declare(ty, &name)).join(", ");
    match &signature.result {
        Some(result) => declare(result, &format!("{name}({parameters})")),
        None => format!("void {name}({parameters})"),
    }
}

fn declare(ty: &Type, name: &str) -> String {
    match ty {
        Type::Scalar(scalar) => format!("{} {name}", scalar.c),
        Type::Enum(index) => format!("enum e{index} {name}"),
        Type::Struct(index) => format!("struct s{index} {name}"),
        Type::Union(index) => format!("union u{index} {name}"),
        Type::Array(of, len) => declare(of, &format!("{name}[{len}]")),
    }
}

/// Returns a statement that folds the value at a place into `hash`.
fn fold(ty: &Type, place: &str, depth: usize) -> String {
    let value = match ty {
        Type::Struct(index) => return format!("    hash = fold_s{index}(hash, &{place});\n"),
        Type::Union(_) => return bytes(place, |byte| format!("hash = mix(hash, *{byte})")),
        Type::Array(of, len) => {
            return each(*len, depth, |index| fold(of, &format!("{place}[{index}]"), depth + 1));
        }
        Type::Enum(_) => format!("(uint64_t){place}"),
        Type::Scalar(scalar) => match scalar.kind {
            Kind::Integer | Kind::Bool => format!("(uint64_t){place}"),
            Kind::Float => format!("bits_of_float({place})"),
            Kind::Double => format!("bits_of_double({place})"),
            Kind::Pointer => format!("(uint64_t)(uintptr_t){place}"),
            Kind::Wide => {
                return format!(
                    "    hash = mix(mix(hash, (uint64_t){place}), (uint64_t)({place} >> 64));\n"
                );
            }
            Kind::Bytes { unit, used, .. } => {
                return format!(
                    "    hash = fold_bytes(hash, &{place}, sizeof {place}, {unit}, {used});\n"
                );
            }
        },
    };
    format!("    hash = mix(hash, {value});\n")
}

/// Returns a statement that derives a value at a place from `state`.
fn make(ty: &Type, place: &str, depth: usize) -> String {
    let value = match ty {
        Type::Struct(index) => return format!("    make_s{index}(state, &{place});\n"),
        Type::Union(_) => {
            return bytes(place, |byte| format!("*{byte} = (unsigned char)next(state)"));
        }
        Type::Array(of, len) => {
            return each(*len, depth, |index| make(of, &format!("{place}[{index}]"), depth + 1));
        }
        Type::Enum(index) => {
            let count = format!("(sizeof values_{index} / sizeof *values_{index})");
            format!("(enum e{index})values_{index}[next(state) % {count}]")
        }
        Type::Scalar(scalar) => match scalar.kind {
            Kind::Integer => format!("({})next(state)", scalar.c),
            Kind::Bool => "next(state) & 1".to_owned(),
            Kind::Float => "float_of(next(state))".to_owned(),
            Kind::Double => "double_of(next(state))".to_owned(),
            Kind::Pointer => format!("({})(uintptr_t)next(state)", scalar.c),
            Kind::Wide => format!("({})wide_of(state)", scalar.c),
            Kind::Bytes { unit, used, .. } => {
                return format!(
                    "    make_bytes(state, &{place}, sizeof {place}, {unit}, {used});\n"
                );
            }
        },
    };
    format!("    {place} = {value};\n")
}

/// Returns code that applies `act` to every byte of a place.
fn bytes(place: &str, act: impl Fn(&str) -> String) -> String {
    let act = act("byte");
    format!(
        "    {{\n    unsigned char *byte = (unsigned char *)&{place};\n    \
         for (size_t i = 0; i < sizeof {place}; i++, byte++)\n        {act};\n    }}\n"
    )
}

fn each(len: usize, depth: usize, body: impl Fn(&str) -> String) -> String {
    let index = format!("i{depth}");
    format!("    for (size_t {index} = 0; {index} < {len}; {index}++) {{\n{}    }}\n", body(&index))
}

/// Formats each type with a numbered name.
fn list(types: &[Type], prefix: &str, item: impl Fn(&Type, String) -> String) -> Vec<String> {
    let numbered = types.iter().enumerate();
    numbered.map(|(index, ty)| item(ty, format!("{prefix}{index}"))).collect()
}

/// Appends a line. Writing to a `String` cannot fail.
fn line(out: &mut String, line: impl std::fmt::Display) {
    let _ = writeln!(out, "{line}");
}
