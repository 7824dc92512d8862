//! expat reads XML and calls closures.

use std::cell::Cell;
use std::cell::RefCell;

use anyhow::{Result, ensure};
use omniglot::{Ptr, Runtime};
use real_subject::subject;

omniglot::include_library!("expat");

subject! {
    EXPAT: Expat = "expat" from "libexpat1-dev",
    does: "reads XML, with closures for elements and text",
    confirmed: "the crate roxmltree, equal",
    builder: |_input| [],
}

fn input() -> Result<String> {
    Ok(crate::goods())
}

/// The number of elements, and all text.
type Output = (usize, String);

fn run<R: Runtime>(expat: &mut Expat<R>, document: &String) -> omniglot::Result<Output> {
    let (elements, text) = (Cell::new(0), RefCell::new(Vec::new()));
    expat.scope(|expat| {
        let parser = expat.XML_ParserCreate(Ptr::null())?;
        let start = expat.callback::<XML_StartElementHandler>(|_, _| {
            elements.set(elements.get() + 1);
            Ok(())
        })?;
        let end = expat.callback::<XML_EndElementHandler>(|_, _| Ok(()))?;
        let data = expat.callback::<XML_CharacterDataHandler>(|expat, (_, bytes, len)| {
            text.borrow_mut().extend(expat.read_vec(bytes.cast::<u8>(), len as usize)?);
            Ok(())
        })?;
        expat.XML_SetElementHandler(parser, start, end)?;
        expat.XML_SetCharacterDataHandler(parser, data)?;
        let bytes = expat.copy_in(document.as_bytes())?;
        expat.XML_Parse(parser, bytes, document.len() as i32, 1)?;
        expat.XML_ParserFree(parser)
    })?;
    Ok((elements.get(), String::from_utf8_lossy(&text.into_inner()).into_owned()))
}

fn confirm(document: &String, (elements, text): &Output) -> Result<()> {
    let document = roxmltree::Document::parse(document)?;
    let expected = document.descendants().filter(|node| node.is_element()).count();
    ensure!(*elements == expected, "{elements} elements, not {expected}");
    let texts = document.descendants().filter(|node| node.is_text());
    let expected: String = texts.filter_map(|node| node.text()).collect();
    ensure!(text == &expected, "the text differs");
    Ok(())
}
