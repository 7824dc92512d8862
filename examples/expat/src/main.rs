//! `example-expat FILE.xml`: prints an XML document's outline.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use example_expat::{Element, Node, Reader};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [path] = &arguments[..] else {
        eprintln!("usage: example-expat FILE.xml");
        return ExitCode::from(2);
    };
    match run(path.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn run(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let document = std::fs::read(path)?;
    let root = Reader::new()?.read(&document)?;
    print(&mut io::stdout().lock(), &root, 0)?;
    Ok(())
}

/// Prints an element and its contents, indented by depth.
fn print(out: &mut impl Write, element: &Element, depth: usize) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    write!(out, "{indent}{}", element.name)?;
    for (name, value) in &element.attributes {
        write!(out, " {name}={value:?}")?;
    }
    writeln!(out)?;
    for child in &element.children {
        match child {
            Node::Element(element) => print(out, element, depth + 1)?,
            Node::Text(text) if text.trim().is_empty() => {}
            Node::Text(text) => writeln!(out, "{indent}  {:?}", text.trim())?,
        }
    }
    Ok(())
}
