//! Parses the requests of libraries that the runtime recorded.

use std::collections::BTreeMap;

use crate::remedies::Request;

/// The requests of each library, with the number of times that each was made.
#[derive(Debug, Default)]
pub(crate) struct Asked(pub(crate) BTreeMap<String, BTreeMap<Request, u64>>);

impl Asked {
    /// Parses the lines that the runtime recorded, and ignores invalid ones.
    pub(crate) fn read(text: &str) -> Self {
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
    let (is_denied, is_early) = match fields.next()? {
        "asked" => (false, false),
        "loading" => (false, true),
        "denied" => (true, false),
        _ => return None,
    };
    let library = fields.next()?.to_owned();
    let system_call = fields.next()?.to_owned();
    let error = fields.next()?.parse().ok()?;
    let count = fields.next()?.parse().ok()?;
    let text = fields.next()?.to_owned();
    Some((library, Request { is_denied, is_early, system_call, error, text }, count))
}
