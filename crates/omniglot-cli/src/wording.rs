//! Translates the generator's messages: where they name methods of the builder, the command names
//! options, or tables and keys of the `--describe` file.

/// The builder's methods that are options of the command.
const METHODS: [&str; 23] = [
    "allowlist_function",
    "allowlist_type",
    "allowlist_var",
    "archive",
    "bitfield_enum",
    "batch",
    "blocklist_function",
    "blocklist_type",
    "bool_type",
    "callback_slots",
    "constified_enum",
    "define",
    "include",
    "instance_name",
    "link",
    "link_search",
    "newtype_enum",
    "pkg_config",
    "plain_enum",
    "raise",
    "setjmp_guard",
    "source",
    "target",
];

/// The builder's methods that are tables of the file.
const TABLES: [&str; 4] = ["function_macro", "handle", "variadic", "wrap"];

/// Methods of the values of those tables, which are keys.
const KEYS: [&str; 5] = ["constructor", "destructor", "named", "status_at_least", "status_ok"];

/// Rewrites `.pkg_config("NAME")` as `--pkg-config "NAME"`, `.wrap` as `[[wrap]]`, and so on.
pub(crate) fn as_options(message: &str) -> String {
    let mut text = String::new();
    let mut rest = message;
    while let Some(dot) = rest.find('.') {
        let (before, after) = rest.split_at(dot);
        text.push_str(before);
        rest = match method(after) {
            Some((method, after)) => {
                text.push_str(&written(method));
                call(&mut text, after)
            }
            None => {
                text.push('.');
                after.get(1..).unwrap_or_default()
            }
        };
    }
    text + rest
}

/// Splits off the method call at the start of a text, without its dot.
fn method(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('.')?;
    let is_word = |character: char| character.is_ascii_lowercase() || character == '_';
    let end = text.find(|character| !is_word(character)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let all = METHODS.iter().chain(&TABLES).chain(&KEYS);
    all.into_iter().any(|known| *known == name).then_some((name, rest))
}

/// The spelling of a method for the command's user.
fn written(method: &str) -> String {
    if TABLES.contains(&method) {
        format!("[[{method}]]")
    } else if KEYS.contains(&method) {
        format!("`{method}`")
    } else {
        format!("--{}", method.replace('_', "-"))
    }
}

/// Appends the arguments of a call, if there are any, and returns the rest of the message.
fn call<'a>(text: &mut String, rest: &'a str) -> &'a str {
    let Some(inner) = rest.strip_prefix('(') else { return rest };
    let Some(end) = closing(inner) else { return rest };
    text.push(' ');
    text.push_str(&inner[..end].replace("\", \"", "="));
    &inner[end + 1..]
}

/// The position of the closing parenthesis outside of string literals.
fn closing(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().find_map(|(place, character)| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ')' if !quoted => return Some(place),
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::as_options;

    #[test]
    fn methods_become_options() {
        let cases = [
            (
                "name it with .pkg_config(\"NAME\"); else .include(\"DIR\").",
                "name it with --pkg-config \"NAME\"; else --include \"DIR\".",
            ),
            (".setjmp_guard(\"f(a|b)\", \"x\"): no", "--setjmp-guard \"f(a|b)=x\": no"),
            (".link(\"NAME\") instead of .pkg_config.", "--link \"NAME\" instead of --pkg-config."),
            (".wrap and .handle: no", "[[wrap]] and [[handle]]: no"),
            (".variadic(\"f\", ...): no", "[[variadic]] \"f\", ...: no"),
            ("choose another: .named", "choose another: `named`"),
            ("zlib.h: file .not_a_method(1).", "zlib.h: file .not_a_method(1)."),
        ];
        for (message, expected) in cases {
            assert_eq!(as_options(message), expected);
        }
    }
}
