//! The document tree, and how it is built.

use crate::{Error, Result};

/// The largest nesting depth of elements: dropping a tree recurses as deeply.
const DEPTH: usize = 256;

/// An element with its contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The name, including its prefix.
    pub name: String,
    /// Names and values, in document order.
    pub attributes: Vec<(String, String)>,
    /// The nodes between its tags.
    pub children: Vec<Node>,
}

/// A node between tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, with entities replaced. No two text nodes are adjacent.
    Text(String),
}

impl Element {
    /// Returns the value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the elements directly in this one.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// Returns the first element with this name directly in this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name == name)
    }

    /// Returns all text in this element and in its descendants.
    #[must_use]
    pub fn text(&self) -> String {
        self.children.iter().map(Node::text).collect()
    }
}

impl Node {
    fn text(&self) -> String {
        match self {
            Self::Element(element) => element.text(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A tree under construction, which the closures share.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    /// The elements whose end was not read yet. Each is inside the previous one.
    open: Vec<Element>,
    root: Option<Element>,
}

impl Growing {
    pub(crate) fn start(&mut self, name: String, attributes: Vec<(String, String)>) -> Result<()> {
        if self.open.len() == DEPTH {
            return Err(Error::TooDeep(DEPTH));
        }
        self.open.push(Element { name, attributes, children: Vec::new() });
        Ok(())
    }

    pub(crate) fn end(&mut self, name: &str) -> Result<()> {
        let Some(element) = self.open.pop().filter(|element| element.name == name) else {
            return Err(Error::Nonsense("an element ends that did not start"));
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
        Ok(())
    }

    pub(crate) fn text(&mut self, more: &str) -> Result<()> {
        let Some(element) = self.open.last_mut() else {
            return Err(Error::Nonsense("there is text outside of all elements"));
        };
        // expat passes text in pieces, at least one for each line.
        match element.children.last_mut() {
            Some(Node::Text(text)) => text.push_str(more),
            _ => element.children.push(Node::Text(more.to_owned())),
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Element> {
        self.root.filter(|_| self.open.is_empty()).ok_or(Error::Nonsense("no root has ended"))
    }
}

#[cfg(test)]
mod tests {
    use super::Growing;
    use crate::Error;

    #[test]
    fn events_that_cannot_be_are_refused() {
        let mut tree = Growing::default();
        assert!(matches!(tree.end("a"), Err(Error::Nonsense(_))));
        assert!(matches!(tree.text("text"), Err(Error::Nonsense(_))));
        tree.start("a".to_owned(), Vec::new()).unwrap();
        assert!(matches!(tree.end("b"), Err(Error::Nonsense(_))));
        assert!(matches!(tree.finish(), Err(Error::Nonsense(_))));
    }
}
