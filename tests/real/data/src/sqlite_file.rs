//! SQLite reads a database from a file through its own file layer.

use anyhow::{Result, ensure};
use omniglot::Runtime;
use real_subject::{Scratch, subject, tool};

use crate::sqlite::{ASK, MAKE, SQLITE_OPEN_READONLY, Sqlite, query};

subject! {
    SQLITE_FILE: Sqlite = "sqlite-file" from "libsqlite3-dev",
    does: "asks a database in a file, by its own way to files",
    confirmed: "the command `sqlite3`, which made it, equal",
    builder: |input| [.file("/data/squares.db", input.as_slice())],
}

fn input() -> Result<Vec<u8>> {
    let scratch = Scratch::new()?;
    tool("sqlite3", &[&scratch.text("squares.db")?], MAKE.as_bytes())?;
    scratch.read("squares.db")
}

fn run<R: Runtime>(sqlite: &mut Sqlite<R>, _: &Vec<u8>) -> omniglot::Result<Vec<String>> {
    query(sqlite, "/data/squares.db", SQLITE_OPEN_READONLY, &[ASK])
}

fn confirm(file: &Vec<u8>, rows: &Vec<String>) -> Result<()> {
    let scratch = Scratch::new()?;
    let path = scratch.write("squares.db", file)?;
    let expected = String::from_utf8(tool("sqlite3", &[&path], ASK.as_bytes())?)?;
    ensure!(expected.lines().eq(rows) && rows.len() == 7, "{rows:?}, not {expected}");
    Ok(())
}
