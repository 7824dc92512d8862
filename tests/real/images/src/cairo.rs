//! cairo writes text to a document, with a font that it finds itself.

use std::cell::RefCell;

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{subject, tool};

omniglot::include_library!("cairo");

subject! {
    CAIRO: Cairo = "cairo" from "libcairo2-dev",
    does: "writes text to a document in PDF, with a font that fontconfig looks for",
    confirmed: "the command `pdftotext` reads the same text, `pdffonts` the font",
    builder: |_input| [
        .directory("/etc/fonts", "/etc/fonts"),
        .directory("/usr/share/fonts", "/usr/share/fonts")
    ],
    not_sandboxed: "its archive needs that of fontconfig, which calls random_r; musl has no such function",
}

const LINES: [&str; 3] = ["Memory safety", "is merely", "table stakes, № 7 €"];

fn input() -> Result<()> {
    Ok(())
}

fn run<R: Runtime>(cairo: &mut Cairo<R>, (): &()) -> omniglot::Result<Vec<u8>> {
    let file = RefCell::new(Vec::new());
    cairo.scope(|cairo| {
        let write = cairo.callback::<cairo_write_func_t>(|cairo, (_, data, len)| {
            file.borrow_mut().extend(cairo.read_vec(data, len as usize)?);
            Ok(cairo_status_t::CAIRO_STATUS_SUCCESS)
        })?;
        let surface =
            cairo.cairo_pdf_surface_create_for_stream(write, Ptr::null(), 300.0, 200.0)?;
        let page = cairo.cairo_create(surface)?;
        let font = cairo.str("DejaVu Sans")?;
        let slant = cairo_font_slant_t::CAIRO_FONT_SLANT_NORMAL;
        let weight = cairo_font_weight_t::CAIRO_FONT_WEIGHT_BOLD;
        cairo.cairo_select_font_face(page, font, slant, weight)?;
        cairo.cairo_set_font_size(page, 20.0)?;
        for (number, line) in (1_u8..).zip(LINES) {
            let line = cairo.str(line)?;
            cairo.cairo_move_to(page, 20.0, 40.0 * f64::from(number))?;
            cairo.cairo_show_text(page, line)?;
        }
        cairo.cairo_destroy(page)?;
        cairo.cairo_surface_finish(surface)?;
        if cairo.cairo_surface_status(surface)? != cairo_status_t::CAIRO_STATUS_SUCCESS {
            return Err(Error::Misuse("cairo says no"));
        }
        cairo.cairo_surface_destroy(surface)
    })?;
    Ok(file.into_inner())
}

fn confirm((): &(), file: &Vec<u8>) -> Result<()> {
    let text = String::from_utf8(tool("pdftotext", &["-", "-"], file)?)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    ensure!(lines.iter().map(|line| line.trim()).eq(LINES), "{text}");
    let fonts = String::from_utf8(tool("pdffonts", &["-"], file)?)?;
    ensure!(fonts.contains("DejaVuSans-Bold"), "{fonts}");
    Ok(())
}
