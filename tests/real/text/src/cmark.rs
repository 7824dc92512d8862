//! cmark converts Markdown to HTML.

use anyhow::{Result, ensure};
use omniglot::Runtime;
use real_subject::{subject, tool};

omniglot::include_library!("cmark");

subject! {
    CMARK: Cmark = "cmark" from "libcmark-dev",
    does: "makes HTML of the project's own README",
    confirmed: "the command `cmark`, equal",
    builder: |_input| [],
}

fn input() -> Result<String> {
    Ok(include_str!("../../../../README.md").to_owned())
}

fn run<R: Runtime>(cmark: &mut Cmark<R>, text: &String) -> omniglot::Result<String> {
    cmark.scope(|cmark| {
        let bytes = cmark.copy_in(text.as_bytes())?;
        let html = cmark.cmark_markdown_to_html(bytes, text.len(), CMARK_OPT_DEFAULT)?;
        let copy = cmark.read_string(html, 1 << 22)?;
        cmark.free(html.cast())?;
        Ok(copy)
    })
}

fn confirm(text: &String, html: &String) -> Result<()> {
    let expected = tool("cmark", &[], text.as_bytes())?;
    ensure!(html.as_bytes() == expected && html.contains("<h1>"), "the HTML differs");
    Ok(())
}
