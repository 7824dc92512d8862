//! A database in its own instance of SQLite.

use std::sync::Arc;
use std::time::Duration;

use omniglot::{FnPtr, Permission, Permissions, Ptr, Registered, Text};

use crate::deferred::{Deferred, Later};
use crate::function::{self, ARGUMENTS, Scalar};
use crate::sqlite::{self, Api, Sqlite, sqlite3};
use crate::statement::{Statement, bind};
use crate::system::System;
use crate::{Error, Result, Rows, Value};

/// The most memory that SQLite and the database may take together, in bytes.
const MEMORY: usize = 1 << 30;

/// The longest that SQLite may take for one row.
const TIME: Duration = Duration::from_secs(10);

/// Length of the longest message from SQLite, in bytes.
const MESSAGE: usize = 1 << 10;

const OK: i32 = sqlite::SQLITE_OK;

/// A database in memory, in SQLite's worker.
#[derive(Debug)]
pub struct Database {
    sqlite: Sqlite,
    handle: Ptr<sqlite3>,
    deferred: Arc<Deferred>,
    /// The closures that SQLite may call while the database exists.
    functions: Vec<Registered<Scalar>>,
    _system: System,
}

impl Database {
    /// Starts a worker with an empty database.
    ///
    /// # Errors
    /// The errors of [`omniglot::Builder::build`] and of SQLite.
    pub fn open() -> Result<Self> {
        // SQL may ask for the time.
        let allow = Permissions::default().with(Permission::Clock);
        let builder = Sqlite::builder().memory_limit(MEMORY).timeout(TIME).allow(allow);
        let mut sqlite = builder.build()?;
        let system = System::install(&mut sqlite)?;
        let (status, handle) = open(&mut sqlite)?;
        let deferred = Arc::default();
        let functions = Vec::new();
        let mut database = Self { sqlite, handle, deferred, functions, _system: system };
        database.check(status)?;
        // Large sorts would use temporary files, which the worker does not have.
        database.execute("PRAGMA temp_store = MEMORY")?;
        Ok(database)
    }

    /// Runs SQL that returns no rows. Semicolons separate several statements.
    ///
    /// # Errors
    /// [`Error::Sqlite`] if the SQL fails.
    pub fn execute(&mut self, sql: &str) -> Result<()> {
        let handle = self.handle;
        let status = self.api()?.scope(|sqlite| {
            let sql = sqlite.str(sql)?;
            sqlite.sqlite3_exec(handle, sql, FnPtr::null(), Ptr::null(), Ptr::null())
        })?;
        self.check(status)
    }

    /// Compiles the first statement in `sql`.
    ///
    /// # Errors
    /// [`Error::Sqlite`] if the SQL is invalid.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement> {
        let handle = self.handle;
        let len = i32::try_from(sql.len()).map_err(|_| Error::TooLong)?;
        let (status, statement) = self.api()?.scope(|sqlite| {
            let sql = sqlite.copy_in(sql.as_bytes())?.as_ptr().cast();
            let statement = sqlite.value(Ptr::null())?;
            let status = sqlite.sqlite3_prepare_v2(handle, sql, len, statement, Ptr::null())?;
            Ok((status, sqlite.read(statement)?))
        })?;
        let statement = Statement::new(statement, &self.deferred);
        self.check(status)?;
        Ok(statement)
    }

    /// Runs a statement with these parameters, and returns its rows.
    ///
    /// # Errors
    /// [`Error::Parameters`] if the number of parameters is wrong; [`Error::OtherDatabase`] if
    /// another database prepared the statement.
    pub fn query<'d>(
        &'d mut self,
        statement: &'d Statement,
        parameters: &[Value],
    ) -> Result<Rows<'d>> {
        let status = bind(self.api_for(statement)?, statement.pointer(), parameters)?;
        self.check(status)?;
        Ok(Rows::new(self, statement))
    }

    /// Returns how many rows the last statement inserted, changed or deleted.
    ///
    /// # Errors
    /// Fails if the call fails.
    pub fn changes(&mut self) -> Result<i64> {
        let handle = self.handle;
        Ok(self.api()?.sqlite3_changes64(handle)?)
    }

    /// Registers a closure as an SQL function. It must return the same value for the same
    /// arguments. Its `Err` becomes the message of the query's error.
    ///
    /// # Errors
    /// [`Error::Sqlite`] if the name or the number of arguments is invalid;
    /// [`omniglot::Error::NoCallbackSlot`] if there are too many functions.
    pub fn create_function(
        &mut self,
        name: &str,
        arguments: usize,
        closure: impl FnMut(&[Value]) -> Result<Value, String> + Send + 'static,
    ) -> Result<()> {
        let handle = self.handle;
        self.api()?;
        let function = function::register(&mut self.sqlite, closure)?;
        let count = i32::try_from(arguments).unwrap_or(ARGUMENTS + 1);
        let flags = sqlite::SQLITE_UTF8 | sqlite::SQLITE_DETERMINISTIC;
        let status = self.sqlite.scope(|sqlite| {
            let name = sqlite.str(name)?;
            sqlite.sqlite3_create_function_v2(
                handle,
                name,
                count,
                flags,
                Ptr::null(),
                function.function(),
                FnPtr::null(),
                FnPtr::null(),
                FnPtr::null(),
            )
        })?;
        self.check(status)?;
        self.functions.push(function);
        Ok(())
    }

    /// Closes the database and reports SQLite's error, if any. Dropping the database closes it too,
    /// together with its worker.
    ///
    /// # Errors
    /// [`Error::Sqlite`] if some statements were neither closed nor dropped.
    pub fn close(mut self) -> Result<()> {
        let handle = self.handle;
        let status = self.api()?.sqlite3_close(handle)?;
        self.check(status)
    }

    /// Returns SQLite, after doing all deferred work.
    fn api(&mut self) -> Result<&mut Api> {
        self.deferred.run(&mut self.sqlite)?;
        Ok(&mut self.sqlite)
    }

    /// As [`api`](Self::api), for a statement, which must belong to this database.
    pub(crate) fn api_for(&mut self, statement: &Statement) -> Result<&mut Api> {
        if statement.belongs_to(&self.deferred) { self.api() } else { Err(Error::OtherDatabase) }
    }

    pub(crate) fn later(&self, later: Later) {
        self.deferred.push(later);
    }

    fn check(&mut self, status: i32) -> Result<()> {
        if status == OK { Ok(()) } else { Err(self.failure(status)?) }
    }

    /// Returns SQLite's description of its last error.
    pub(crate) fn failure(&mut self, code: i32) -> Result<Error> {
        let message = self.sqlite.sqlite3_errmsg(self.handle)?;
        let message = self.sqlite.read_cstr(message, MESSAGE)?;
        let message = Text::from_untrusted(message.to_bytes()).to_string();
        Ok(Error::Sqlite { code, message })
    }
}

/// Opens a database in memory. Returns SQLite's status and the handle.
fn open(sqlite: &mut Sqlite) -> omniglot::Result<(i32, Ptr<sqlite3>)> {
    let flags = sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_CREATE;
    sqlite.scope(|sqlite| {
        let name = sqlite.c_str(c":memory:")?;
        let handle = sqlite.value(Ptr::null())?;
        let status = sqlite.sqlite3_open_v2(name, handle, flags, Ptr::null())?;
        Ok((status, sqlite.read(handle)?))
    })
}
