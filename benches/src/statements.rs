//! The work that SQLite does: the same statements for every variant, in every process.

use std::ffi::CString;
use std::fmt::Write as _;

use anyhow::Result;

/// Fills a table with `rows` rows, and asks for a sum over it, which is known.
pub(crate) struct Statements {
    pub(crate) fill: CString,
    pub(crate) query: CString,
    pub(crate) sum: i64,
}

impl Statements {
    pub(crate) fn new(rows: usize) -> Result<Self> {
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
