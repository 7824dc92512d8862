//! libmagic identifies a file's type.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Picture, subject, tool};

omniglot::include_library!("magic");

subject! {
    MAGIC: Magic = "libmagic" from "libmagic-dev",
    does: "tells what files are, with its database",
    confirmed: "the command `file`, equal",
    builder: |_input| [
        .file("/usr/share/misc/magic.mgc", PathBuf::from("/usr/share/misc/magic.mgc"))
    ],
    not_sandboxed: "regmatch_t has another size in musl",
}

fn input() -> Result<Vec<Vec<u8>>> {
    let files = [tool("gzip", &["-nc"], b"stakes")?, Picture::new(40, 30).ppm()];
    let texts = ["#!/bin/sh\necho hello\n", "<?xml version=\"1.0\"?><goods/>", "%PDF-1.7\n"];
    Ok(files.into_iter().chain(texts.map(|text| text.as_bytes().to_vec())).collect())
}

fn run<R: Runtime>(magic: &mut Magic<R>, files: &Vec<Vec<u8>>) -> omniglot::Result<Vec<String>> {
    magic.scope(|magic| {
        let cookie = magic.magic_open(MAGIC_NONE)?;
        if magic.magic_load(cookie, Ptr::null())? != 0 {
            return Err(Error::Misuse("there is no database"));
        }
        let mut answers = Vec::new();
        for file in files {
            let bytes = magic.copy_in(file)?;
            let answer = magic.magic_buffer(cookie, bytes, file.len())?;
            answers.push(magic.read_string(answer, 1000)?);
        }
        magic.magic_close(cookie)?;
        Ok(answers)
    })
}

fn confirm(files: &Vec<Vec<u8>>, answers: &Vec<String>) -> Result<()> {
    ensure!(files.len() == answers.len(), "{answers:?}");
    for (file, answer) in files.iter().zip(answers) {
        let expected = String::from_utf8(tool("file", &["-b", "-"], file)?)?;
        ensure!(answer == expected.trim_end(), "{answer}, not {expected}");
    }
    Ok(())
}
