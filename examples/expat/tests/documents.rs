//! Reads valid and invalid documents.

#![allow(clippy::unwrap_used)]

use example_expat::{Element, Error, Node, Reader};

const FEED: &[u8] = include_bytes!("../data/feed.xml");

#[test]
fn a_feed_is_read() {
    let feed = Reader::new().unwrap().read(FEED).unwrap();
    assert_eq!((feed.name.as_str(), feed.attribute("xml:lang")), ("feed", Some("en")));
    assert_eq!(feed.child("title").unwrap().text(), "News of Omniglot & friends");
    let link = feed.child("link").unwrap().attribute("href");
    assert_eq!(link, Some("https://example.org/feed?format=atom&page=1"));
    assert_eq!(feed.child("author").unwrap().text(), "José Müller");
    let entries: Vec<&Element> =
        feed.elements().filter(|element| element.name == "entry").collect();
    let summaries: Vec<String> =
        entries.iter().map(|entry| entry.child("summary").unwrap().text()).collect();
    assert_eq!(summaries, ["<b>It</b> computes & nothing else.", "Three values,\nfour checks."]);
    assert_eq!(entries[1].child("title").unwrap().text(), "Τύποι και 類型");
    assert_eq!(entries[1].child("title").unwrap().children.len(), 1, "text is in one piece");
}

#[test]
fn what_is_not_xml_is_an_error_with_its_place_and_the_reader_goes_on() {
    let mut reader = Reader::new().unwrap();
    for (document, expected) in [
        ("<a>\n  <b></c></a>", "line 2, column 8: mismatched tag"),
        ("", "line 1, column 1: no element found"),
        ("<a", "line 1, column 1: unclosed token"),
        ("<a/><a/>", "line 1, column 5: junk after document element"),
        ("<a>&nothing;</a>", "line 1, column 4: undefined entity"),
    ] {
        let error = reader.read(document.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{document:?}");
    }
    for len in 0..FEED.len() - 1 {
        let error = reader.read(&FEED[..len]).unwrap_err();
        assert!(matches!(error, Error::Xml { .. }), "after {len} bytes: {error}");
    }
    assert!(reader.read(FEED).is_ok());
}

#[test]
fn a_large_document_comes_in_pieces() {
    let item = |number: usize| format!("<item id=\"{number}\">größer als {number}</item>\n");
    let items: String = (0..2_000).map(item).collect();
    let document = format!("<list>{items}</list>");
    assert!(document.len() > 64 << 10);
    let list = Reader::new().unwrap().read(document.as_bytes()).unwrap();
    let mut count = 0;
    for (number, item) in list.elements().enumerate() {
        assert_eq!(item.attribute("id"), Some(number.to_string().as_str()));
        assert_eq!(item.children, [Node::Text(format!("größer als {number}"))]);
        count += 1;
    }
    assert_eq!(count, 2_000);
}

#[test]
fn a_closure_can_stop_expat() {
    let mut reader = Reader::new().unwrap();
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(reader.read(nested(256).as_bytes()).is_ok());
    assert_eq!(reader.read(nested(257).as_bytes()), Err(Error::TooDeep(256)));
    assert_eq!(reader.read(nested(100_000).as_bytes()), Err(Error::TooDeep(256)));
    assert!(reader.read(FEED).is_ok());
}

#[test]
fn entities_that_multiply_are_stopped() {
    let laugh = "ha".repeat(2_000);
    let mut document = format!("<!DOCTYPE a [<!ENTITY e0 \"{laugh}\">");
    for level in 1..=12 {
        let inner = format!("&e{};", level - 1).repeat(10);
        document += &format!("<!ENTITY e{level} \"{inner}\">");
    }
    document += "]><a>&e12;</a>";
    let mut reader = Reader::new().unwrap();
    let error = reader.read(document.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("amplification"), "{error}");
    assert!(reader.read(FEED).is_ok());
}
