//! The C library converts text to UTF-16 and back.

use anyhow::{Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::{prose, subject, tool};

use crate::c::C;

subject! {
    ICONV: C = "glibc-iconv" from "libc6-dev",
    does: "converts text to UTF-16 and back, with a converter that it loads",
    confirmed: "the command `iconv` and Rust's own UTF-16, equal",
    builder: |_input| [.plugin_directory("/usr/lib/x86_64-linux-gnu/gconv")],
}

fn input() -> Result<String> {
    Ok(prose(20_000) + &"Zwölf Boxkämpfer, 東京 and 𝄞\n".repeat(50))
}

/// The text in UTF-16, and what it becomes when it is converted back.
type Output = (Vec<u8>, Vec<u8>);

fn run<R: Runtime>(c: &mut C<R>, text: &String) -> omniglot::Result<Output> {
    let wide = convert(c, "UTF-16LE", "UTF-8", text.as_bytes())?;
    let back = convert(c, "UTF-8", "UTF-16LE", &wide)?;
    Ok((wide, back))
}

/// Converts text from one encoding to another, in at most twice the room.
fn convert<R: Runtime>(
    c: &mut C<R>,
    to: &str,
    from: &str,
    text: &[u8],
) -> omniglot::Result<Vec<u8>> {
    c.scope(|c| {
        let (to, from) = (c.str(to)?, c.str(from)?);
        let converter = c.iconv_open(to, from)?;
        if converter.addr() == usize::MAX {
            return Err(Error::Misuse("there is no such converter"));
        }
        let room = 2 * text.len();
        let (source, target) = (c.copy_in(text)?, c.reserve::<u8>(room)?);
        let (place, left) = (c.value(source.as_ptr().cast())?, c.value(text.len())?);
        let (end, space) = (c.value(target.as_ptr().cast())?, c.value(room)?);
        let failed = c.iconv(converter, place, left, end, space)? == usize::MAX;
        let written = room.checked_sub(c.read(space)?).and_then(|len| target.range(0, len));
        c.iconv_close(converter)?;
        match written {
            Some(written) if !failed => Ok(c.view_slice(written)?.to_vec()),
            _ => Err(Error::Misuse("the text cannot be converted")),
        }
    })
}

fn confirm(text: &String, (wide, back): &Output) -> Result<()> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    ensure!(wide == &units, "{} bytes, not {}", wide.len(), units.len());
    let expected = tool("iconv", &["-f", "UTF-8", "-t", "UTF-16LE"], text.as_bytes())?;
    ensure!(wide == &expected && back == text.as_bytes(), "the text differs");
    Ok(())
}
