//! The rows of a query.

use crate::deferred::Later;
use crate::place::Place;
use crate::sqlite;
use crate::{Database, Error, Result, Statement, Value};

/// The rows of a query. Each row is computed when it is requested.
///
/// This borrows the database, so the data cannot change while the rows are read.
#[derive(Debug)]
pub struct Rows<'d> {
    database: &'d mut Database,
    statement: &'d Statement,
    done: bool,
}

impl<'d> Rows<'d> {
    pub(crate) fn new(database: &'d mut Database, statement: &'d Statement) -> Self {
        Self { database, statement, done: false }
    }

    /// Returns the next row, or `None` after the last.
    fn step(&mut self) -> Result<Option<Vec<Value>>> {
        const ROW: i32 = sqlite::SQLITE_ROW;
        const DONE: i32 = sqlite::SQLITE_DONE;
        let api = self.database.api_for(self.statement)?;
        match api.sqlite3_step(self.statement.pointer())? {
            ROW => self.row().map(Some),
            DONE => Ok(None),
            status => Err(self.database.failure(status)?),
        }
    }

    fn row(&mut self) -> Result<Vec<Value>> {
        /// The largest number of columns that SQLite supports in any build.
        const COLUMNS: i32 = 32767;
        let statement = self.statement.pointer();
        let api = self.database.api_for(self.statement)?;
        let count = api.sqlite3_column_count(statement)?;
        if !(0..=COLUMNS).contains(&count) {
            return Err(Error::Nonsense("a row has no such number of columns"));
        }
        (0..count).map(|column| Place::Column(statement, column).read(api)).collect()
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Vec<Value>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let row = self.step().transpose();
        self.done = !matches!(row, Some(Ok(_)));
        row
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        self.database.later(Later::Reset(self.statement.pointer()));
    }
}
