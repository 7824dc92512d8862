//! The types and values of macros that are expressions, as clang evaluates them.
//!
//! Reading the headers gives the macros. They are evaluated where C would evaluate them: in a
//! variable's type and initialiser after the headers, two lines for each. An error in one is
//! reported on its line, and the others remain.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::CString;

use clang::diagnostic::Severity;
use clang::token::{Token, TokenKind};
use clang::{
    Entity, EntityKind, EvaluationResult, Index, TranslationUnit, Type, TypeKind, Unsaved,
};

use super::numbers;
use super::wanted::Wanted;
use crate::diagnostics;
use crate::error::{Error, Result};

/// A macro that is a constant in C.
#[derive(Clone, Debug)]
pub(crate) struct MacroConstant {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// Its type and value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Integer(Number, i128),
    Float(Number, f64),
    /// A string with its terminator, element by element.
    Text(Number, Vec<i128>),
    /// It has a value that Rust has no constant for: why.
    Inexpressible(String),
}

/// The type of a number.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    /// The last segment of the Rust path.
    pub(crate) rust: &'static str,
    /// The typedef that the expression has as its type.
    pub(crate) named: Option<String>,
    /// Whether C's type is that of the same name, and not an enum.
    pub(crate) is_exact: bool,
    /// It is `char` without a sign.
    is_plain_unsigned: bool,
}

/// What a probe's names start with.
const TYPE: &str = "omniglot_type_";
const VALUE: &str = "omniglot_value_";
const ELEMENT: &str = "omniglot_element_";

/// How often macros are read: once, unless one of them makes clang skip others.
const ROUNDS: usize = 64;

/// Words that are another value wherever they stand, or no expression at all.
const UNSTEADY: [&str; 14] = [
    "__LINE__",
    "__FILE__",
    "__FILE_NAME__",
    "__BASE_FILE__",
    "__COUNTER__",
    "__INCLUDE_LEVEL__",
    "__DATE__",
    "__TIME__",
    "__TIMESTAMP__",
    "__func__",
    "__FUNCTION__",
    "__PRETTY_FUNCTION__",
    "_Pragma",
    "__pragma",
];

/// Evaluates the macros of headers that were read with a detailed preprocessing record. `lines`
/// includes the headers.
pub(crate) fn evaluate(
    index: &Index<'_>,
    read: &TranslationUnit<'_>,
    lines: &str,
    arguments: &[String],
    wanted: &Wanted,
) -> Result<Vec<MacroConstant>> {
    let names = candidates(read, wanted);
    let mut arguments = arguments.to_vec();
    // All errors are wanted, and no suggestions.
    arguments.extend(["-w", "-ferror-limit=0", "-fno-spell-checking"].map(str::to_owned));
    let probes = Probes { index, lines, arguments: &arguments };
    probes.values(&names)
}

/// The macros that could be expressions, in the order of their definitions.
fn candidates(read: &TranslationUnit<'_>, wanted: &Wanted) -> Vec<String> {
    let mut macros = Macros::default();
    let mut order = Vec::new();
    for entity in read.get_entity().get_children() {
        if entity.get_kind() != EntityKind::MacroDefinition || entity.is_builtin_macro() {
            continue;
        }
        let Some(name) = entity.get_name() else { continue };
        if !entity.is_function_like_macro() && wanted.includes_macro(&name, &entity) {
            order.push(name.clone());
        }
        macros.definitions.insert(name, entity);
    }
    let mut seen = BTreeSet::new();
    // The last definition is the one that counts.
    order.reverse();
    order.retain(|name| {
        seen.insert(name.clone()) && macros.is_object(name) && macros.is_clean(name)
    });
    order.reverse();
    order
}

/// Definitions, and what is known of them.
#[derive(Default)]
struct Macros<'tu> {
    definitions: HashMap<String, Entity<'tu>>,
    /// Whether a macro's tokens, and those of all macros in it, can be in an expression.
    clean: HashMap<String, bool>,
}

impl Macros<'_> {
    fn is_object(&self, name: &str) -> bool {
        self.definitions.get(name).is_some_and(|entity| !entity.is_function_like_macro())
    }

    fn is_clean(&mut self, name: &str) -> bool {
        if let Some(known) = self.clean.get(name) {
            return *known;
        }
        let Some(range) = self.definitions.get(name).and_then(Entity::get_range) else {
            return true;
        };
        // A macro in itself is not expanded again.
        self.clean.insert(name.to_owned(), true);
        let tokens = range.tokenize();
        let body = tokens.get(1..).unwrap_or_default();
        let is_clean = !body.is_empty()
            && is_balanced(body)
            && !asks_the_preprocessor(body)
            && body.iter().filter(|token| is_word(token)).all(|token| {
                let word = token.get_spelling();
                !UNSTEADY.contains(&word.as_str()) && (word == name || self.is_clean_word(&word))
            });
        self.clean.insert(name.to_owned(), is_clean);
        is_clean
    }

    /// A macro that expands to nothing is clean inside another one.
    fn is_clean_word(&mut self, word: &str) -> bool {
        let range = self.definitions.get(word).and_then(Entity::get_range);
        let is_empty = range.is_some_and(|range| range.tokenize().len() < 2);
        is_empty || self.is_clean(word)
    }
}

fn is_word(token: &Token<'_>) -> bool {
    matches!(token.get_kind(), TokenKind::Identifier | TokenKind::Keyword)
}

/// Returns true if tokens have a question to the preprocessor, such as `__has_feature`, without
/// its parentheses. Clang looks for these in all that follows.
fn asks_the_preprocessor(tokens: &[Token<'_>]) -> bool {
    let mut spellings = tokens.iter().map(Token::get_spelling).peekable();
    while let Some(word) = spellings.next() {
        // Those of clang 14 to 19.
        let asks = ["__has_", "__is_", "__building_"].iter().any(|start| word.starts_with(start));
        if asks && spellings.peek().is_none_or(|next| next != "(") {
            return true;
        }
    }
    false
}

/// Whether tokens leave what follows them alone: brackets are closed, quotes too, and no
/// statement ends.
fn is_balanced(tokens: &[Token<'_>]) -> bool {
    let mut open = Vec::new();
    for token in tokens {
        let text = token.get_spelling();
        match text.as_str() {
            "(" => open.push(")"),
            "[" | "<:" => open.push("]"),
            "{" | "<%" => open.push("}"),
            ")" if open.pop() == Some(")") => {}
            "]" | ":>" if open.pop() == Some("]") => {}
            "}" | "%>" if open.pop() == Some("}") => {}
            ";" | ")" | "]" | ":>" | "}" | "%>" => return false,
            "," if open.is_empty() => return false,
            _ if !is_closed(&text) => return false,
            _ => {}
        }
    }
    open.is_empty()
}

/// Returns true if a literal that starts with a quote, or a prefix and a quote, ends with it.
/// Between the digits of a number a quote is a separator.
fn is_closed(token: &str) -> bool {
    if token.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return true;
    }
    ['"', '\''].iter().all(|quote| match token.find(*quote) {
        None => true,
        Some(_) if token.starts_with("//") || token.starts_with("/*") => true,
        // A quote of the other kind within a literal.
        Some(first) if token.find(['"', '\'']) != Some(first) => true,
        Some(first) => first + 1 < token.len() && token.ends_with(*quote),
    })
}

/// Variables behind the headers.
struct Probes<'a> {
    index: &'a Index<'a>,
    lines: &'a str,
    arguments: &'a [String],
}

/// What was read of variables, by their numbers.
struct Read {
    results: BTreeMap<usize, Probe>,
    /// The variables that have errors.
    wrong: BTreeSet<usize>,
}

/// The result of one variable.
#[derive(Debug)]
struct Probe {
    result: Option<EvaluationResult>,
    ty: Measured,
}

/// A type, in terms that outlive libclang's.
#[derive(Clone, Debug)]
enum Measured {
    Number(Number),
    /// An array of so many numbers.
    Array(Number, usize),
    Other(Option<String>),
}

impl Probes<'_> {
    fn values(&self, names: &[String]) -> Result<Vec<MacroConstant>> {
        let mut found = self.probe(names)?;
        let mut constants = BTreeMap::new();
        let mut elements = Vec::new();
        for (index, name) in (0_usize..).zip(names) {
            let Some(probe) = found.remove(&index) else { continue };
            match value(probe) {
                Found::Value(value) => {
                    constants.insert(index, MacroConstant { name: name.clone(), value });
                }
                Found::Elements(number, count) => elements.push((index, name, number, count)),
                Found::Nothing => {}
            }
        }
        for (index, name, number, count) in elements {
            let value = self.elements(name, &number, count)?;
            constants.insert(index, MacroConstant { name: name.clone(), value });
        }
        Ok(constants.into_values().collect())
    }

    /// Evaluates macros, and returns the results of those that are expressions by their indices.
    ///
    /// An error can make clang skip all that follows it, and report another error at the end. So
    /// what was skipped is read again with what follows it. If nothing else was read, it is read
    /// one half at a time.
    fn probe(&self, names: &[String]) -> Result<BTreeMap<usize, Probe>> {
        let mut found = BTreeMap::new();
        let mut rounds = vec![(0..names.len()).collect::<Vec<_>>()];
        for _ in 0..ROUNDS {
            let Some(round) = rounds.pop() else { break };
            let mut read = self.read(&in_pairs(names, &round), VALUE, 2)?;
            let is_skipped =
                |line: &usize| !read.results.contains_key(line) && !read.wrong.contains(line);
            let first = (0..round.len()).find(is_skipped).unwrap_or(round.len());
            let mut again = Vec::new();
            for (line, index) in (0_usize..).zip(&round) {
                match read.results.remove(&line) {
                    Some(probe) => {
                        found.insert(*index, probe);
                    }
                    None if line >= first => again.push(*index),
                    None => {}
                }
            }
            if again.len() < round.len() {
                rounds.push(again);
            } else if again.len() > 1 {
                let second = again.split_off(again.len() / 2);
                rounds.extend([second, again]);
            }
            rounds.retain(|round| !round.is_empty());
        }
        let unread = |index| {
            let reason = diagnostics::no_constant_value();
            (index, Probe { result: None, ty: Measured::Other(Some(reason)) })
        };
        found.extend(rounds.into_iter().flatten().map(unread));
        Ok(found)
    }

    /// What libclang cannot evaluate as one value: a string's elements, or the halves of a number
    /// of 128 bits.
    fn elements(&self, name: &str, number: &Number, count: Option<usize>) -> Result<Value> {
        let part = |index: usize| match count {
            Some(_) => format!("(unsigned long long)((({name})[{index}]) & 0xffffffffULL)"),
            None => format!("(unsigned long long)((unsigned __int128)({name}) >> {})", 64 * index),
        };
        let probes = (0..count.unwrap_or(2)).map(|index| {
            format!("static const unsigned long long {ELEMENT}{index} = {};\n", part(index))
        });
        let found = self.read(&probes.collect::<String>(), ELEMENT, 1)?.results;
        let parts = (0..count.unwrap_or(2)).map(|index| match found.get(&index)?.result {
            Some(EvaluationResult::UnsignedInteger(part)) => Some(part),
            Some(EvaluationResult::SignedInteger(part)) => Some(part.cast_unsigned()),
            _ => None,
        });
        let Some(parts) = parts.collect::<Option<Vec<u64>>>() else {
            return Ok(Value::Inexpressible(diagnostics::no_constant_value()));
        };
        Ok(match (count, parts.as_slice()) {
            (None, [low, high]) => {
                let bits = u128::from(*high) << 64 | u128::from(*low);
                Value::Integer(number.clone(), bits.cast_signed())
            }
            _ => {
                let parts = parts.iter().map(|part| narrow(*part, number)).collect();
                Value::Text(number.clone(), parts)
            }
        })
    }

    /// Reads the variables with one prefix. Each has `each` lines.
    fn read(&self, probes: &str, prefix: &str, each: usize) -> Result<Read> {
        // Declarations of a header that happen to have such names are ignored.
        let start = format!("{}#undef extern\n#undef static\n#undef const\n", self.lines);
        let text = format!("{start}{probes}");
        let parsed = self
            .index
            .parser("omniglot_macros.h")
            .arguments(self.arguments)
            .unsaved(&[Unsaved::new("omniglot_macros.h", text.as_str())])
            .skip_function_bodies(true)
            .parse()
            .map_err(|error| Error::Parser { message: format!("{error}") })?;
        let first = start.lines().count() + 1;
        let wrong = wrong_lines(&parsed, first).into_iter().map(|line| line / each).collect();
        let mut read = Read { results: BTreeMap::new(), wrong };
        for entity in parsed.get_entity().get_children() {
            let name = entity.get_name().unwrap_or_default();
            let index = name.strip_prefix(prefix).and_then(|index| index.parse::<usize>().ok());
            let Some(index) = index.filter(|_| entity.get_kind() == EntityKind::VarDecl) else {
                continue;
            };
            if !read.wrong.contains(&index) {
                let probe = Probe { result: entity.evaluate(), ty: measured(&entity) };
                read.results.insert(index, probe);
            }
        }
        Ok(read)
    }
}

/// The probes of some macros, by their indices: a line for the type, and one for the value.
fn in_pairs(names: &[String], chosen: &[usize]) -> String {
    let names = chosen.iter().filter_map(|index| names.get(*index));
    let pairs = (0_usize..).zip(names).map(|(line, name)| {
        format!(
            "extern __typeof__(({name})) {TYPE}{line};\n\
             static const __typeof__(({name})) {VALUE}{line} = ({name});\n"
        )
    });
    pairs.collect()
}

/// The lines of probes that have errors, counted from the first one.
fn wrong_lines(parsed: &TranslationUnit<'_>, first: usize) -> BTreeSet<usize> {
    let diagnostics = parsed.get_diagnostics();
    let errors = diagnostics.iter().filter(|found| found.get_severity() >= Severity::Error);
    let lines = errors.filter_map(|error| {
        let place = error.get_location().get_expansion_location();
        let is_here = place.file?.get_path().ends_with("omniglot_macros.h");
        (is_here.then_some(place.line)? as usize).checked_sub(first)
    });
    lines.collect()
}

/// A value, or that its elements are still to be found.
enum Found {
    Value(Value),
    /// Of an array of so many elements, or of one number.
    Elements(Number, Option<usize>),
    Nothing,
}

fn value(probe: Probe) -> Found {
    match (probe.ty, probe.result) {
        (Measured::Number(number), _) if matches!(number.rust, "i128" | "u128") => {
            Found::Elements(number, None)
        }
        (Measured::Number(number), Some(EvaluationResult::SignedInteger(value))) => {
            let value = if number.rust == "bool" { i128::from(value != 0) } else { value.into() };
            Found::Value(Value::Integer(number, value))
        }
        (Measured::Number(number), Some(EvaluationResult::UnsignedInteger(value))) => {
            Found::Value(Value::Integer(number, value.into()))
        }
        (Measured::Number(number), Some(EvaluationResult::Float(value))) => {
            Found::Value(Value::Float(number, value))
        }
        (Measured::Array(number, len), result) => match result {
            Some(EvaluationResult::String(text)) if is_whole(&number, &text, len) => {
                let bytes = text.as_bytes_with_nul().iter();
                let elements = bytes.map(|byte| narrow((*byte).into(), &number)).collect();
                Found::Value(Value::Text(number, elements))
            }
            _ => Found::Elements(number, Some(len)),
        },
        (Measured::Other(Some(what)), _) => Found::Value(Value::Inexpressible(what)),
        _ => Found::Nothing,
    }
}

/// Whether libclang's string is all of an array: it ends at the first zero, and it is made of
/// bytes.
fn is_whole(number: &Number, text: &CString, len: usize) -> bool {
    number.rust == "c_char" && text.as_bytes_with_nul().len() == len
}

/// An element from its low bits.
fn narrow(bits: u64, number: &Number) -> i128 {
    let low = bits.to_le_bytes();
    let [a, b, c, d, ..] = low;
    match number.rust {
        "c_char" if number.is_plain_unsigned => a.into(),
        "c_char" | "c_schar" => i8::from_le_bytes([a]).into(),
        "c_uchar" | "u8" => a.into(),
        "c_short" => i16::from_le_bytes([a, b]).into(),
        "c_ushort" => u16::from_le_bytes([a, b]).into(),
        "c_int" => i32::from_le_bytes([a, b, c, d]).into(),
        "c_uint" => u32::from_le_bytes([a, b, c, d]).into(),
        _ => bits.into(),
    }
}

fn measured(variable: &Entity<'_>) -> Measured {
    let Some(ty) = variable.get_type().map(|ty| ty.get_canonical_type()) else {
        return Measured::Other(None);
    };
    if let Some(mut number) = number(ty) {
        let initial = variable.get_children().into_iter().last().and_then(|value| value.get_type());
        number.named = initial.and_then(typedef);
        return Measured::Number(number);
    }
    match ty.get_kind() {
        TypeKind::ConstantArray => {
            let element = ty.get_element_type().and_then(|ty| number(ty.get_canonical_type()));
            match (element, ty.get_size()) {
                (Some(element), Some(len)) => Measured::Array(element, len),
                _ => Measured::Other(None),
            }
        }
        TypeKind::Pointer => Measured::Other(Some(diagnostics::constant_address())),
        TypeKind::LongDouble | TypeKind::Complex | TypeKind::Float128 | TypeKind::Float16 => {
            let name = ty.get_display_name();
            Measured::Other(Some(diagnostics::constant_opaque(name.trim_start_matches("const "))))
        }
        _ => Measured::Other(None),
    }
}

/// The value of a variable that is a number or a text. One of an enum keeps its type, and one that
/// is `volatile` is read where it is.
pub(super) fn of_variable(variable: &Entity<'_>) -> Option<Value> {
    let ty = variable.get_type()?.get_canonical_type();
    if ty.get_kind() == TypeKind::Enum || ty.is_volatile_qualified() {
        return None;
    }
    let mut probe = Probe { result: variable.evaluate(), ty: measured(variable) };
    match (&mut probe.ty, &probe.result) {
        (Measured::Number(number), _) => number.named = variable.get_type().and_then(typedef),
        (Measured::Other(_), Some(EvaluationResult::String(text))) => {
            // A pointer to a text.
            let to = ty.get_pointee_type()?;
            probe.ty = Measured::Array(number(to)?, text.as_bytes_with_nul().len());
        }
        _ => {}
    }
    match value(probe) {
        Found::Value(Value::Inexpressible(_)) | Found::Elements(..) | Found::Nothing => None,
        Found::Value(value) => Some(value),
    }
}

/// A number's type, from its canonical one.
fn number(ty: Type<'_>) -> Option<Number> {
    if ty.get_kind() == TypeKind::Enum {
        let integer = ty.get_declaration()?.get_enum_underlying_type()?.get_canonical_type();
        return Some(Number { is_exact: false, ..number(integer)? });
    }
    let rust = numbers::scalar(ty.get_kind())?;
    let is_plain_unsigned = ty.get_kind() == TypeKind::CharU;
    Some(Number { rust, named: None, is_exact: true, is_plain_unsigned })
}

/// The name of a typedef, if a type is one.
fn typedef(ty: Type<'_>) -> Option<String> {
    let declaration = ty.get_declaration()?;
    (declaration.get_kind() == EntityKind::TypedefDecl).then(|| declaration.get_name())?
}
