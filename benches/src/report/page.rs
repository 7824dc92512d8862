//! A page with all plots and tables, which needs no other file.

use std::fmt::Write;

use anyhow::Result;

use super::plots;
use super::tables::{Section, machine, sections};
use crate::results::Results;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;\
padding:0 1rem;color:#222}table{border-collapse:collapse;font-size:13px}td,th{border:1px solid \
#ccc;padding:.2rem .5rem;text-align:right}td:first-child,th:first-child{text-align:left}\
.wide{overflow-x:auto}svg{max-width:100%;height:auto;border:1px solid #ddd;margin:.5rem 0}";

const HOW_TO_READ: &str = "Variants of a workload took turns, batch by batch, so compare figures \
within one row; those of other rows, other runs and other machines differ for many reasons. A \
figure is the median over all batches, of one operation; in brackets it is compared with plain \
FFI. <b>native</b> is plain FFI, unsafe and with nothing between. <b>unprotected</b> is the call \
gate alone, in the host's process and without protection. <b>keys</b> is the same behind a memory \
protection key, where the machine has those. <b>process</b> is a worker process, which is what \
users get. What ends in <b>-unchecked</b> is the same program compiled without the checks of \
addresses and values: isolation only. <b>ipc</b> is a worker that gets serialised requests over a \
socket; <b>fork</b> a process for each call; <b>rust</b> another implementation in safe Rust. \
<b>wasm</b> is the library compiled to WebAssembly and run by wasmtime, <b>wasm2c</b> the same \
turned into C; both are compared with <b>wasm-native</b>, plain FFI to the same sources, which are \
not the distribution's. \
<b>pingpong</b> two processes that pass a cache line to and fro, which no call to another process \
can beat. Where a way cannot do the work, the table says “cannot”.";

const COMMANDS: &str = "<code>cargo xtask bench --report DIR</code> measures all of this again; \
<code>--only NAME</code> one workload; <code>--images DIR</code> and <code>--text FILE</code> take \
other pictures and another text than those that the program makes itself.";

/// Returns the page as HTML.
pub(super) fn page(results: &Results) -> Result<String> {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>What calls cost</title><style>{STYLE}</style>\
         <h1>What calls cost</h1><p>{}</p><p>{HOW_TO_READ}</p><p>{COMMANDS}</p>",
        escaped(&machine(&results.machine)),
    );
    let mut sections = sections(results).into_iter();
    sections.by_ref().take(2).for_each(|section| html.push_str(&table(&section)));
    html.push_str("<h2>Plots</h2>");
    for plot in all_plots(results)? {
        html.push_str(&plot);
    }
    sections.for_each(|section| html.push_str(&table(&section)));
    html.push_str("</html>\n");
    Ok(html)
}

fn all_plots(results: &Results) -> Result<Vec<String>> {
    let mut all = vec![
        plots::bars(results, "empty_call", "A call that does nothing")?,
        plots::bars(results, "start", "Start of a small library")?,
        plots::bars(results, "start_libpng", "Start of libpng")?,
        plots::bars(results, "process_start", "A program, from spawn to exit")?,
        plots::bars(results, "reset", "Reset")?,
        plots::bars(results, "memory", "Memory of a further idle instance")?,
        plots::by_number(results, "upgrade", "living allocations")?,
        plots::by_number(results, "callback", "registered closures")?,
    ];
    for workload in ["libpng", "libsodium", "brotli", "brotli_q5", "brotli_q1", "brotli_decompress"]
    {
        all.push(plots::over_plain(results, workload)?);
    }
    for workload in ["validate_str", "validate_bool", "validate_enum", "validate_struct"] {
        all.push(plots::by_number(results, workload, "size")?);
    }
    Ok(all)
}

fn table(section: &Section) -> String {
    let (title, about) = (escaped(&section.title), escaped(&section.about));
    let mut html = format!("<h2>{title}</h2><p>{about}</p><div class=\"wide\"><table>");
    html.push_str(&row("th", &section.head));
    section.rows.iter().for_each(|cells| html.push_str(&row("td", cells)));
    html.push_str("</table></div>");
    html
}

fn row(tag: &str, cells: &[String]) -> String {
    let mut html = String::from("<tr>");
    for cell in cells {
        // Writing to a String cannot fail.
        let _ = write!(html, "<{tag}>{}</{tag}>", escaped(cell));
    }
    html.push_str("</tr>");
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::page;
    use crate::results::Results;

    #[test]
    fn the_page_needs_no_other_file() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let page = page(&Results::read(&docs.join("evaluation.json")).unwrap()).unwrap();
        for other in ["src=", "href=", "@import", "url("] {
            assert!(!page.contains(other), "{other}");
        }
        assert!(page.contains("<svg") && page.contains("libpng"));
    }
}
