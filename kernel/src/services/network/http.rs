//! A small HTTP server (RFC 9112): it serves a page about the kernel, and any amount of numbers.

use core::fmt::Write;

use omniglot::Ptr;

use crate::domain::{Failure, Runtime};
use crate::foreign::lwip::{Api, pbuf};
use crate::text::Text;

/// Size of the longest request, in bytes.
const REQUEST: usize = 1024;
/// The largest number of header fields in a request.
const FIELDS: usize = 32;

/// The response that is being sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Response {
    what: Body,
    /// Number of bytes sent so far, of head and body.
    sent: usize,
    /// Length of head and body, in bytes.
    total: usize,
    /// Length of the head, in bytes.
    head: usize,
}

/// The body of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// The page, with its length when it was requested.
    Page(usize),
    /// This many bytes, which are computed from their positions.
    Numbers(usize),
    /// Not found.
    Missing,
    /// The request was invalid.
    Bad,
}

/// Returns the response to a request, or `None` while the request is incomplete.
pub(super) fn respond(
    api: &mut Api<Runtime>,
    request: Ptr<pbuf>,
    page: &str,
) -> Result<Option<Response>, Failure> {
    let bytes = api.scope(|scope| {
        let copy = scope.reserve::<u8>(REQUEST)?;
        let len = scope.pbuf_copy_partial(request, copy.as_ptr().cast(), REQUEST as u16, 0)?;
        let mut bytes = [0; REQUEST];
        scope.read_into(copy, &mut bytes)?;
        Ok((bytes, usize::from(len)))
    })?;
    let (bytes, len) = bytes;
    let Some(request) = bytes.get(..len) else { return Ok(Some(Response::new(Body::Bad))) };
    Ok(wanted(request, page).map(Response::new))
}

/// Returns what a request asks for, or `None` while the request is incomplete.
fn wanted(request: &[u8], page: &str) -> Option<Body> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(request) {
        Ok(httparse::Status::Partial) if request.len() < REQUEST => None,
        Ok(httparse::Status::Complete(_)) => Some(body(parsed.method, parsed.path, page)),
        _ => Some(Body::Bad),
    }
}

fn body(method: Option<&str>, path: Option<&str>, page: &str) -> Body {
    match (method, path) {
        (Some("GET"), Some("/")) => Body::Page(page.len()),
        (Some("GET"), Some(path)) => {
            let count = path.strip_prefix("/numbers/").and_then(|count| count.parse().ok());
            count.map_or(Body::Missing, Body::Numbers)
        }
        _ => Body::Bad,
    }
}

impl Response {
    fn new(what: Body) -> Self {
        let head = head(what).as_str().len();
        Self { what, sent: 0, total: head.saturating_add(what.len()), head }
    }

    /// Returns true if all of it has been sent.
    pub(super) const fn is_sent(&self) -> bool {
        self.sent >= self.total
    }

    /// Records that `len` more bytes were sent.
    pub(super) const fn advance(&mut self, len: usize) {
        self.sent = self.sent.saturating_add(len);
    }

    /// Copies the next part into the buffer, and returns its length.
    pub(super) fn part(&self, into: &mut [u8], page: &str) -> usize {
        let head = head(self.what);
        let left = self.total.saturating_sub(self.sent).min(into.len());
        for (byte, position) in into.iter_mut().take(left).zip(self.sent..) {
            *byte = match position.checked_sub(self.head) {
                Some(position) => self.what.byte(position, page),
                None => head.as_str().as_bytes().get(position).copied().unwrap_or(b' '),
            };
        }
        left
    }
}

/// Returns the head of a response.
fn head(what: Body) -> Text<160> {
    let (status, kind) = match what {
        Body::Page(_) => ("200 OK", "text/plain; charset=utf-8"),
        Body::Numbers(_) => ("200 OK", "application/octet-stream"),
        Body::Missing => ("404 Not Found", "text/plain"),
        Body::Bad => ("400 Bad Request", "text/plain"),
    };
    let mut head = Text::new();
    // It always fits, even with the longest status and type and any number.
    let _ = write!(
        head,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        what.len()
    );
    head
}

impl Body {
    const fn len(self) -> usize {
        match self {
            Self::Page(len) | Self::Numbers(len) => len,
            Self::Missing | Self::Bad => self.words().len(),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Missing => "there is / and /numbers/COUNT\n",
            _ => "only GET is understood\n",
        }
    }

    fn byte(self, position: usize, page: &str) -> u8 {
        match self {
            // The page may have become shorter meanwhile.
            Self::Page(_) => page.as_bytes().get(position).copied().unwrap_or(b' '),
            Self::Numbers(_) => (position ^ position >> 8 ^ position >> 16) as u8,
            Self::Missing | Self::Bad => {
                self.words().as_bytes().get(position).copied().unwrap_or(b' ')
            }
        }
    }
}
