//! Libraries that parse, match and run text.
#![forbid(unsafe_code)]
// The other functions take a reference to exactly what `input` returns.
#![allow(clippy::ptr_arg)]

mod cmark;
mod duktape;
mod expat;
mod hunspell;
mod jansson;
mod lua;
mod magic;
mod oniguruma;
mod pcre2;
mod xml;
mod xslt;
mod yaml;

use real_subject::Subject;

/// All of these libraries.
pub static SUBJECTS: &[&Subject] = &[
    &xml::XML,
    &xslt::XSLT,
    &expat::EXPAT,
    &yaml::YAML,
    &jansson::JANSSON,
    &pcre2::PCRE2,
    &pcre2::PCRE2_JIT,
    &oniguruma::ONIGURUMA,
    &lua::LUA,
    &duktape::DUKTAPE,
    &cmark::CMARK,
    &hunspell::HUNSPELL,
    &magic::MAGIC,
];

/// Returns a list of goods in XML.
fn goods() -> String {
    let goods = (1..=200).map(|number| {
        format!(
            "<item n=\"{number}\" price=\"{}\">part {number} &amp; co.</item>\n",
            number * 7 % 31
        )
    });
    format!("<?xml version=\"1.0\"?>\n<goods>\n{}</goods>\n", goods.collect::<String>())
}
