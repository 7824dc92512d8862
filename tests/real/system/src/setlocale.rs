//! The C library counts characters in the locale `C.UTF-8`.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::subject;

use crate::c::{C, LC_ALL};

subject! {
    SETLOCALE: C = "glibc-setlocale" from "libc6-dev",
    does: "counts the characters of text in the locale C.UTF-8",
    confirmed: "Rust's own count, equal",
    builder: |_input| [.directory("/usr/lib/locale/C.utf8", "/usr/lib/locale/C.utf8")],
}

fn input() -> Result<String> {
    Ok("Zwölf Boxkämpfer, 東京 and 𝄞".repeat(20))
}

fn run<R: Runtime>(c: &mut C<R>, text: &String) -> omniglot::Result<usize> {
    c.scope(|c| {
        let name = c.str("C.UTF-8")?;
        if c.setlocale(LC_ALL, name)?.is_null() {
            return Err(Error::Misuse("there is no such locale"));
        }
        let text = c.str(text)?;
        c.mbstowcs(Ptr::null(), text, 0)
    })
}

fn confirm(text: &String, count: &usize) -> Result<()> {
    ensure!(*count == text.chars().count(), "{count}");
    Ok(())
}
