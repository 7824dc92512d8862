//! SQLite, with the distribution's library.

use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::native::sqlite::Database;
use crate::runtimes::on_each_runtime;
use crate::statements::Statements;
use crate::user::sqlite::{Sqlite, execute, number, open};

/// One operation fills a table in memory with `rows` rows, and queries it.
pub(crate) fn sqlite(_: &Inputs, rows: usize) -> Result<Workload> {
    let job = Rc::new(Statements::new(rows)?);
    let (database, own) = (Database::open()?, Rc::clone(&job));
    let mut variants = vec![Variant::new("native", move |count| {
        for _ in 0..count {
            database.execute(&own.fill)?;
            ensure!(database.number(&own.query)? == own.sum, "another sum");
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Sqlite, |name, library| {
        variant(name, library, Rc::clone(&job))?
    }));
    Ok(Workload { size: rows, variants })
}

fn variant<R: Runtime>(name: &str, mut sqlite: Sqlite<R>, job: Rc<Statements>) -> Result<Variant> {
    let database = open(&mut sqlite)?;
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            execute(&mut sqlite, database, &job.fill)?;
            ensure!(number(&mut sqlite, database, &job.query)? == job.sum, "another sum");
        }
        Ok(())
    }))
}
