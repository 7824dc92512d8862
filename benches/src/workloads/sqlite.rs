//! SQLite, with the distribution's library.

use std::ffi::CString;
use std::fmt::Write as _;
use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::inputs::Inputs;
use crate::native::sqlite::Database;
use crate::runtimes::on_each_runtime;
use crate::user::sqlite::{Sqlite, execute, number, open};

/// Fills a table with `rows` rows, and asks for a sum over it, which is known.
struct Job {
    fill: CString,
    query: CString,
    sum: i64,
}

impl Job {
    fn new(rows: usize) -> Result<Self> {
        let mut fill = "drop table if exists t; begin; create table t(a integer, b text);\
                        create index i on t(b);"
            .to_owned();
        let value = |row: usize| row * 7919 % 1009;
        for row in 0..rows {
            write!(fill, "insert into t values({}, 'text {}');", value(row), row % 100)?;
        }
        fill.push_str("commit;");
        let sum: usize = (0..rows).filter(|row| row % 100 == 7).map(value).sum();
        let query = CString::new("select coalesce(sum(a), 0) from t where b like 'text 7'")?;
        Ok(Self { fill: CString::new(fill)?, query, sum: i64::try_from(sum)? })
    }
}

/// One operation fills a table in memory with `rows` rows, and queries it.
pub(crate) fn sqlite(_: &Inputs, rows: usize) -> Result<Workload> {
    let job = Rc::new(Job::new(rows)?);
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

fn variant<R: Runtime>(name: &str, mut sqlite: Sqlite<R>, job: Rc<Job>) -> Result<Variant> {
    let database = open(&mut sqlite)?;
    Ok(Variant::new(name, move |count| {
        for _ in 0..count {
            execute(&mut sqlite, database, &job.fill)?;
            ensure!(number(&mut sqlite, database, &job.query)? == job.sum, "another sum");
        }
        Ok(())
    }))
}
