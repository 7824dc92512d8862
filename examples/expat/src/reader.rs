//! Reads a document: expat calls closures that build a tree.

use std::cell::RefCell;
use std::ffi::c_char;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use omniglot::{Answer, Ptr, Scope, Signature, Text};

use crate::expat::{
    Api, Expat, Parser, XML_CharacterDataHandler, XML_EndElementHandler, XML_ParserStruct,
    XML_StartElementHandler, XML_Status,
};
use crate::tree::{Element, Growing};
use crate::{Error, Result};

/// The most memory that expat and the document may take together, in bytes.
const MEMORY: usize = 256 << 20;

/// The longest that expat may take for one piece.
const TIME: Duration = Duration::from_secs(10);

/// Size of the pieces in which expat gets a document, in bytes.
const PIECE: usize = 64 << 10;

/// Length of the longest name, value or message from expat, in bytes.
const STRING: usize = 1 << 20;

/// The largest number of attributes of an element.
const ATTRIBUTES: usize = 1024;

/// Reads XML documents one after another, with expat in a worker.
#[derive(Debug)]
pub struct Reader {
    expat: Expat,
}

impl Reader {
    /// Starts a worker.
    ///
    /// # Errors
    /// The errors of [`omniglot::Builder::build`].
    pub fn new() -> Result<Self> {
        Ok(Self { expat: Expat::builder().memory_limit(MEMORY).timeout(TIME).build()? })
    }

    /// Reads a document, and returns its root element.
    ///
    /// # Errors
    /// [`Error::Xml`] if it is not XML. The reader can then read the next document.
    pub fn read(&mut self, document: &[u8]) -> Result<Element> {
        let shared = RefCell::new(Shared::default());
        self.expat.scope(|scope| {
            // When this is dropped, the parser is queued; the next document's first call frees it.
            let parser = open(scope)?;
            listen(scope, parser.as_ptr(), &shared)?;
            Ok(parse(scope, parser.as_ptr(), document, &shared))
        })??;
        shared.into_inner().tree.finish()
    }
}

/// The state that the closures share.
#[derive(Debug, Default)]
struct Shared {
    tree: Growing,
    /// The error for which a closure stopped expat.
    error: Option<Error>,
}

fn open(scope: &mut Scope<'_, '_, Api>) -> omniglot::Result<Parser> {
    let parser = scope.XML_ParserCreate(Ptr::null())?;
    // expat's hash tables need a secret, and its worker has no random numbers.
    let secret = RandomState::new().hash_one("expat") | 1;
    scope.XML_SetHashSalt(&parser, secret)?;
    Ok(parser)
}

/// Registers closures that borrow the same tree with expat.
fn listen<'env>(
    scope: &mut Scope<'_, 'env, Api>,
    parser: Ptr<XML_ParserStruct>,
    shared: &'env RefCell<Shared>,
) -> omniglot::Result<()> {
    let start = scope.callback::<XML_StartElementHandler>(move |api, (_, name, attributes)| {
        let (name, attributes) = (string(api, name)?, pairs(api, attributes)?);
        note::<XML_StartElementHandler>(api, parser, shared, |tree| tree.start(name, attributes))
    })?;
    let end = scope.callback::<XML_EndElementHandler>(move |api, (_, name)| {
        let name = string(api, name)?;
        note::<XML_EndElementHandler>(api, parser, shared, |tree| tree.end(&name))
    })?;
    let text = scope.callback::<XML_CharacterDataHandler>(move |api, (_, text, len)| {
        let text = text_of(api, text, len)?;
        note::<XML_CharacterDataHandler>(api, parser, shared, |tree| tree.text(&text))
    })?;
    scope.XML_SetElementHandler(parser, start, end)?;
    scope.XML_SetCharacterDataHandler(parser, text)
}

/// Passes an event to the tree. On an error, expat is stopped from inside its callback.
fn note<S: Signature<Return = ()>>(
    api: &mut Api,
    parser: Ptr<XML_ParserStruct>,
    shared: &RefCell<Shared>,
    grow: impl FnOnce(&mut Growing) -> Result<()>,
) -> Answer<S> {
    let mut shared = shared.borrow_mut();
    if shared.error.is_some() {
        return Ok(()); // expat may report more events after it was stopped
    }
    if let Err(error) = grow(&mut shared.tree) {
        shared.error = Some(error);
        drop(shared);
        const RESUMABLE: u8 = 0;
        api.XML_StopParser(parser, RESUMABLE)?;
    }
    Ok(())
}

/// Passes the document to expat in pieces.
fn parse(
    scope: &mut Scope<'_, '_, Api>,
    parser: Ptr<XML_ParserStruct>,
    document: &[u8],
    shared: &RefCell<Shared>,
) -> Result<()> {
    let room = scope.zeroed::<u8>(PIECE)?;
    let mut rest = document;
    loop {
        let (piece, after) = rest.split_at(rest.len().min(PIECE));
        rest = after;
        if let Some(place) = room.range(0, piece.len()) {
            scope.write_slice(place, piece)?;
        }
        let (len, last) = (piece.len() as i32, i32::from(rest.is_empty()));
        let status = scope.XML_Parse(parser, room.as_ptr().cast(), len, last)?;
        if let Some(error) = shared.borrow_mut().error.take() {
            return Err(error);
        }
        if status != XML_Status::XML_STATUS_OK {
            return Err(failure(scope, parser)?);
        }
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// Returns expat's description of the document's error.
fn failure(api: &mut Api, parser: Ptr<XML_ParserStruct>) -> Result<Error> {
    let code = api.XML_GetErrorCode(parser)?;
    let message = api.XML_ErrorString(code)?;
    let message = Text::from_untrusted(api.read_cstr(message, STRING)?.to_bytes()).to_string();
    let line = api.XML_GetCurrentLineNumber(parser)?;
    let column = api.XML_GetCurrentColumnNumber(parser)?.saturating_add(1);
    Ok(Error::Xml { message, line, column })
}

fn string(api: &Api, text: Ptr<c_char>) -> omniglot::Result<String> {
    Ok(api.read_str(text, STRING)?.to_owned())
}

/// Reads names and values, which alternate up to a null pointer.
fn pairs(api: &Api, list: Ptr<Ptr<c_char>>) -> omniglot::Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for index in 0..ATTRIBUTES as isize {
        let name = api.read(api.upgrade(list.offset(2 * index))?)?;
        if name.is_null() {
            return Ok(pairs);
        }
        let value = api.read(api.upgrade(list.offset(2 * index + 1))?)?;
        pairs.push((string(api, name)?, string(api, value)?));
    }
    Err(omniglot::Error::TooLarge { elements: ATTRIBUTES })
}

/// Reads text that has a length and no terminator.
fn text_of(api: &Api, text: Ptr<c_char>, len: i32) -> omniglot::Result<String> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let bytes = api.view_slice(api.upgrade_slice(text.cast::<u8>(), len)?)?;
    let valid = str::from_utf8(&bytes).map_err(|error| omniglot::Error::InvalidUtf8 {
        address: text.addr(),
        valid_up_to: error.valid_up_to(),
    })?;
    Ok(valid.to_owned())
}
