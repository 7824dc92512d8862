//! SQLite.

use std::ffi::CStr;

use anyhow::{Result, ensure};
use omniglot_turns::Variant;

use super::{NATIVE, on_each_guest, repeated};
use crate::guest::{Guest, Room};
use crate::module::Modules;
use crate::native::sqlite::Database;
use crate::statements::Statements;

/// `SQLITE_OK`.
const OK: i32 = 0;
/// `SQLITE_ROW`.
const ROW: i32 = 100;

/// One operation fills a table in memory with `rows` rows, and queries it.
pub(super) fn variants(modules: &Modules, rows: usize) -> Result<Vec<Variant>> {
    let (database, job) = (Database::open()?, Statements::new(rows)?);
    let mut variants = vec![repeated(NATIVE, move || {
        database.execute(&job.fill)?;
        ensure!(database.number(&job.query)? == job.sum, "another sum");
        Ok(())
    })];
    variants.extend(on_each_guest!(modules, "sqlite3", |name, guest| {
        variant(name, guest, Statements::new(rows)?)?
    }));
    Ok(variants)
}

fn variant<G: Guest>(name: &str, guest: G, job: Statements) -> Result<Variant> {
    let mut sqlite = Sqlite::new(guest, job.fill.as_bytes_with_nul().len())?;
    Ok(repeated(name, move || {
        sqlite.execute(&job.fill)?;
        ensure!(sqlite.number(&job.query)? == job.sum, "another sum");
        Ok(())
    }))
}

struct Sqlite<G: Guest> {
    guest: G,
    exec: G::Function<(u32, u32, u32, u32, u32), i32>,
    prepare: G::Function<(u32, u32, i32, u32, u32), i32>,
    step: G::Function<(u32,), i32>,
    column: G::Function<(u32, i32), i64>,
    finalize: G::Function<(u32,), i32>,
    database: u32,
    text: Room,
    statement: Room,
}

impl<G: Guest> Sqlite<G> {
    /// Opens a database in memory, for statements of at most so many bytes.
    fn new(mut guest: G, most: usize) -> Result<Self> {
        let text = Room::new(&mut guest, most.max(256))?;
        let statement = Room::new(&mut guest, 4)?;
        text.write(&mut guest, c":memory:".to_bytes_with_nul())?;
        let open = guest.find::<(u32, u32), i32>("sqlite3_open")?;
        let status = guest.call(&open, (text.address(), statement.address()))?;
        ensure!(status == OK, "SQLite opens no database");
        let database = statement.get(&mut guest)?;
        Ok(Self {
            exec: guest.find("sqlite3_exec")?,
            prepare: guest.find("sqlite3_prepare_v2")?,
            step: guest.find("sqlite3_step")?,
            column: guest.find("sqlite3_column_int64")?,
            finalize: guest.find("sqlite3_finalize")?,
            guest,
            database,
            text,
            statement,
        })
    }

    /// Executes statements.
    fn execute(&mut self, statements: &CStr) -> Result<()> {
        self.text.write(&mut self.guest, statements.to_bytes_with_nul())?;
        let arguments = (self.database, self.text.address(), 0, 0, 0);
        ensure!(self.guest.call(&self.exec, arguments)? == OK, "SQLite refused statements");
        Ok(())
    }

    /// Returns the number that a query finds.
    fn number(&mut self, query: &CStr) -> Result<i64> {
        let guest = &mut self.guest;
        self.text.write(guest, query.to_bytes_with_nul())?;
        let arguments = (self.database, self.text.address(), -1, self.statement.address(), 0);
        ensure!(guest.call(&self.prepare, arguments)? == OK, "SQLite refused a query");
        let statement = self.statement.get(guest)?;
        let found = guest.call(&self.step, (statement,))?;
        let number = guest.call(&self.column, (statement, 0))?;
        guest.call(&self.finalize, (statement,))?;
        ensure!(found == ROW, "SQLite found nothing");
        Ok(number)
    }
}
