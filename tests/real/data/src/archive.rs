//! libarchive lists and extracts an archive.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Scratch, prose, subject, tool};

omniglot::include_library!("archive");

subject! {
    ARCHIVE: Archive = "libarchive" from "libarchive-dev",
    does: "unpacks an archive of three files",
    confirmed: "the files that the command `tar` packed, equal",
    builder: |_input| [],
    not_sandboxed: "its archive needs that of libxml2, and so of ICU, which is C++",
}

const NAMES: [&str; 3] = ["one.txt", "two.txt", "three.txt"];

fn text(name: &str) -> Vec<u8> {
    prose(name.len() * 5000).into_bytes()
}

fn input() -> Result<Vec<u8>> {
    let scratch = Scratch::new()?;
    for name in NAMES {
        scratch.write(name, &text(name))?;
    }
    tool("tar", &[&["-czf", "-", "-C", &scratch.text("")?], &NAMES[..]].concat(), &[])
}

fn run<R: Runtime>(
    archive: &mut Archive<R>,
    file: &Vec<u8>,
) -> omniglot::Result<Vec<(String, Vec<u8>)>> {
    archive.scope(|archive| {
        let reader = archive.archive_read_new()?;
        archive.archive_read_support_filter_all(reader)?;
        archive.archive_read_support_format_all(reader)?;
        let bytes = archive.copy_in(file)?;
        if archive.archive_read_open_memory(reader, bytes, file.len())? != 0 {
            return Err(Error::Misuse("libarchive says no"));
        }
        let (entry, mut files) = (archive.value(Ptr::null())?, Vec::new());
        while archive.archive_read_next_header(reader, entry)? == 0 {
            let entry = archive.read(entry)?;
            let name = archive.archive_entry_pathname(entry)?;
            let name = archive.read_string(name, 1000)?;
            let len = archive.archive_entry_size(entry)?;
            let room = archive.reserve::<u8>(len as usize)?;
            let read = archive.archive_read_data(reader, room, len as usize)?;
            let read = room.range(0, read as usize).ok_or(Error::Misuse("more than there is"))?;
            files.push((name, archive.view_slice(read)?.to_vec()));
        }
        archive.archive_read_free(reader)?;
        Ok(files)
    })
}

fn confirm(_: &Vec<u8>, files: &Vec<(String, Vec<u8>)>) -> Result<()> {
    let expected = NAMES.map(|name| (name.to_owned(), text(name)));
    ensure!(files == &expected, "the files differ");
    Ok(())
}
