//! SQLite keeps a database in memory.

use std::cell::RefCell;

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{subject, tool};

omniglot::include_library!("sqlite");

subject! {
    SQLITE: Sqlite = "sqlite" from "libsqlite3-dev",
    does: "makes a database in memory and asks it, rows to a closure",
    confirmed: "the command `sqlite3`, equal",
    builder: |_input| [],
}

/// The statements that make the database.
pub(crate) const MAKE: &str = "create table squares (n integer primary key, square integer);
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
    insert into squares select i, i * i from n;
    create index by_square on squares (square);";

/// The query.
pub(crate) const ASK: &str =
    "select n % 7, count(*), sum(square), group_concat(n, ' ') from squares
    where square between 10000 and 90000 group by n % 7 order by 3 desc;";

fn input() -> Result<&'static str> {
    Ok(MAKE)
}

fn run<R: Runtime>(sqlite: &mut Sqlite<R>, make: &&'static str) -> omniglot::Result<Vec<String>> {
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    query(sqlite, ":memory:", flags, &[make, ASK])
}

/// Opens a database and runs SQL. Returns the rows as the command sqlite3 prints them.
pub(crate) fn query<R: Runtime>(
    sqlite: &mut Sqlite<R>,
    name: &str,
    flags: i32,
    statements: &[&str],
) -> omniglot::Result<Vec<String>> {
    let rows = RefCell::new(Vec::new());
    sqlite.scope(|sqlite| {
        let (name, handle) = (sqlite.str(name)?, sqlite.value(Ptr::null())?);
        let status = sqlite.sqlite3_open_v2(name, handle, flags, Ptr::null())?;
        let handle = sqlite.read(handle)?;
        let row =
            sqlite.callback::<sqlite3_exec_callback_fn>(|sqlite, (_, count, values, _)| {
                let values = sqlite.read_vec(values, count as usize)?;
                let values = values.into_iter().map(|value| sqlite.read_string(value, 1 << 16));
                rows.borrow_mut().push(values.collect::<omniglot::Result<Vec<_>>>()?.join("|"));
                Ok(0)
            })?;
        for sql in statements {
            let sql = sqlite.str(sql)?;
            let done = sqlite.sqlite3_exec(handle, sql, row, Ptr::null(), Ptr::null())?;
            if status != 0 || done != 0 {
                return Err(Error::Misuse("SQLite says no"));
            }
        }
        sqlite.sqlite3_close(handle)
    })?;
    Ok(rows.into_inner())
}

fn confirm(make: &&'static str, rows: &Vec<String>) -> Result<()> {
    let expected = tool("sqlite3", &[":memory:"], format!("{make}{ASK}").as_bytes())?;
    let expected = String::from_utf8(expected)?;
    ensure!(expected.lines().eq(rows) && rows.len() == 7, "{rows:?}, not {expected}");
    Ok(())
}
