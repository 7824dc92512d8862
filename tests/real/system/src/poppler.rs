//! Poppler extracts the text of a document.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{subject, tool};

omniglot::include_library!("poppler");

subject! {
    POPPLER: Poppler = "poppler" from "libpoppler-glib-dev",
    does: "reads the text of a document in PDF",
    confirmed: "the command `pdftotext`, equal but for spaces",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of it",
}

/// Returns a page of text, which another library made from a drawing.
fn input() -> Result<Vec<u8>> {
    let lines = (1..=12).map(|line| {
        let place = 30 * line;
        format!(
            "<text x=\"20\" y=\"{place}\" font-size=\"18\">Line {line}: stakes &amp; tables</text>"
        )
    });
    let lines: String = lines.collect();
    let drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"400\" height=\"400\" \
         font-family=\"DejaVu Sans\">{lines}</svg>"
    );
    tool("rsvg-convert", &["-f", "pdf"], drawing.as_bytes())
}

fn run<R: Runtime>(poppler: &mut Poppler<R>, file: &Vec<u8>) -> omniglot::Result<String> {
    poppler.scope(|poppler| {
        let (bytes, error) = (poppler.copy_in(file)?, poppler.value(Ptr::null())?);
        let bytes = poppler.g_bytes_new(bytes, file.len() as u64)?;
        let document = poppler.poppler_document_new_from_bytes(bytes, Ptr::null(), error)?;
        if document.is_null() || poppler.poppler_document_get_n_pages(document)? != 1 {
            return Err(Error::Misuse("that is no document of one page"));
        }
        let page = poppler.poppler_document_get_page(document, 0)?;
        let text = poppler.poppler_page_get_text(page)?;
        let copy = poppler.read_string(text, 1 << 16)?;
        poppler.g_free(text.cast())?;
        poppler.g_object_unref(page.cast())?;
        poppler.g_object_unref(document.cast())?;
        Ok(copy)
    })
}

fn confirm(file: &Vec<u8>, text: &String) -> Result<()> {
    let expected = String::from_utf8(tool("pdftotext", &["-", "-"], file)?)?;
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    ensure!(words(text) == words(&expected) && words(text).len() == 60, "{text}, not {expected}");
    Ok(())
}
