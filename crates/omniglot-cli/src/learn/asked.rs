//! Parses the requests of libraries that the runtime recorded.

use std::collections::BTreeMap;

/// A request of a library that was not granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Request {
    /// True if the request ended the call. Otherwise it failed with an error number.
    pub(super) is_denied: bool,
    pub(super) system_call: String,
    pub(super) error: i64,
    /// A path or, for a request that ended the call, the place that made it. May be empty.
    pub(super) text: String,
}

/// The requests of each library, with the number of times that each was made.
#[derive(Debug, Default)]
pub(super) struct Asked(pub(super) BTreeMap<String, BTreeMap<Request, u64>>);

impl Asked {
    /// Parses the lines that the runtime recorded, and ignores invalid ones.
    pub(super) fn read(text: &str) -> Self {
        let mut asked = Self::default();
        for line in text.lines() {
            if let Some((library, request, count)) = request(line) {
                let requests = asked.0.entry(library).or_default();
                *requests.entry(request).or_default() += count;
            }
        }
        asked
    }
}

fn request(line: &str) -> Option<(String, Request, u64)> {
    let mut fields = line.splitn(6, '\t');
    let is_denied = match fields.next()? {
        "asked" => false,
        "denied" => true,
        _ => return None,
    };
    let library = fields.next()?.to_owned();
    let system_call = fields.next()?.to_owned();
    let error = fields.next()?.parse().ok()?;
    let count = fields.next()?.parse().ok()?;
    let text = fields.next()?.to_owned();
    Some((library, Request { is_denied, system_call, error, text }, count))
}
