//! Tests statements, rows and functions, and their errors.

#![allow(clippy::unwrap_used, clippy::panic)]

use example_sqlite::{Database, Error, Value};

fn rows(database: &mut Database, sql: &str) -> Result<Vec<Vec<Value>>, Error> {
    let statement = database.prepare(sql)?;
    database.query(&statement, &[])?.collect()
}

#[track_caller]
fn message<T>(result: Result<T, Error>) -> String {
    match result.err() {
        Some(Error::Sqlite { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_value_comes_back_as_it_went() {
    let mut database = Database::open().unwrap();
    database.execute("CREATE TABLE t (number INTEGER, value)").unwrap();
    let values = [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Real(-0.1),
        Value::Text(String::new()),
        Value::Text("größer\0als 0".to_owned()),
        Value::Blob(Vec::new()),
        Value::Blob((0..=255).cycle().take(5_000_000).collect()),
    ];
    let insert = database.prepare("INSERT INTO t VALUES (?, ?)").unwrap();
    for (number, value) in (0..).zip(&values) {
        let parameters = [Value::Integer(number), value.clone()];
        assert_eq!(database.query(&insert, &parameters).unwrap().count(), 0);
        assert_eq!(database.changes(), Ok(1));
    }
    let stored = rows(&mut database, "SELECT value FROM t ORDER BY number").unwrap();
    assert!(stored.into_iter().flatten().eq(values));
}

#[test]
fn rows_come_one_by_one() {
    let mut database = Database::open().unwrap();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let statement = database.prepare(endless).unwrap();
    for _ in 0..2 {
        let rows = database.query(&statement, &[]).unwrap();
        let three: Result<Vec<_>, _> = rows.take(3).collect();
        assert_eq!(three.unwrap(), [[1.into()], [2.into()], [3.into()]]);
    }
    statement.close(&mut database).unwrap();
    database.close().unwrap();
}

#[test]
fn a_function_in_rust_keeps_state_and_can_fail() {
    let mut database = Database::open().unwrap();
    let mut calls = 0;
    database
        .create_function("reversed", 1, move |arguments| {
            calls += 1;
            match arguments {
                [Value::Text(text)] => Ok(Value::Text(text.chars().rev().collect())),
                [Value::Null] => Ok(Value::Integer(calls)),
                other => Err(format!("reversed() is of text, not {}", other[0])),
            }
        })
        .unwrap();
    let texts = "SELECT reversed(column1) FROM (VALUES ('stressed'), ('Größe'), (NULL))";
    let expected = [["desserts".into()], ["eßörG".into()], [Value::Integer(3)]];
    assert_eq!(rows(&mut database, texts).unwrap(), expected);
    let failed = rows(&mut database, "SELECT reversed(1.5)");
    assert_eq!(message(failed), "reversed() is of text, not 1.5");
    let failed = rows(&mut database, "SELECT reversed('a', 'b')");
    assert_eq!(message(failed), "wrong number of arguments to function reversed()");
    assert_eq!(rows(&mut database, "SELECT reversed('ab')").unwrap(), [["ba".into()]]);
}

#[test]
fn a_function_that_panics_ends_the_database_only() {
    let mut database = Database::open().unwrap();
    database.create_function("boom", 0, |_| panic!("boom")).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        rows(&mut database, "SELECT boom()")
    }));
    assert!(caught.is_err());
    let error = database.execute("SELECT 1").unwrap_err();
    assert!(matches!(error, Error::Foreign(omniglot::Error::Poisoned { .. })), "{error}");
}

#[test]
fn statements_are_given_up_when_dropped_or_closed() {
    let mut database = Database::open().unwrap();
    let kept = database.prepare("SELECT 1").unwrap();
    for _ in 0..100 {
        drop(database.prepare("SELECT 2").unwrap());
    }
    let closed = database.prepare("SELECT 3").unwrap();
    closed.close(&mut database).unwrap();
    drop(kept);
    database.close().expect("no statement is left");

    let mut database = Database::open().unwrap();
    let kept = database.prepare("SELECT 1").unwrap();
    let closed = database.close();
    assert!(message(closed).starts_with("unable to close due to unfinalized statements"));
    drop(kept);
}

#[test]
fn a_statement_is_for_its_own_database() {
    let (mut one, mut other) = (Database::open().unwrap(), Database::open().unwrap());
    let statement = one.prepare("SELECT 1").unwrap();
    assert_eq!(other.query(&statement, &[]).err(), Some(Error::OtherDatabase));
    assert_eq!(statement.close(&mut other), Err(Error::OtherDatabase));
    one.close().expect("the statement is given up all the same");
}

#[test]
fn errors_in_sql_are_sqlites_words_and_the_database_goes_on() {
    let mut database = Database::open().unwrap();
    assert_eq!(message(database.prepare("SELEKT 1")), "near \"SELEKT\": syntax error");
    assert_eq!(message(database.execute("DROP TABLE t")), "no such table: t");
    database.execute("CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1), (2)").unwrap();
    assert_eq!(
        message(database.execute("INSERT INTO t VALUES (1)")),
        "UNIQUE constraint failed: t.x"
    );
    let statement = database.prepare("SELECT x FROM t WHERE x > ?").unwrap();
    let error = database.query(&statement, &[]).err();
    assert_eq!(error, Some(Error::Parameters { expected: 1, given: 0 }));
    let larger: Vec<_> = database.query(&statement, &[1.into()]).unwrap().collect();
    assert_eq!(larger, [Ok(vec![2.into()])]);
}

#[test]
fn there_are_no_files_but_time_and_chance() {
    let mut database = Database::open().unwrap();
    for sql in ["ATTACH '/etc/passwd' AS stolen", "VACUUM INTO '/tmp/stolen'"] {
        let attached = database.execute(sql);
        assert!(message(attached).starts_with("unable to open database"), "{sql}");
    }
    let year = rows(&mut database, "SELECT strftime('%Y', 'now') >= '2025'").unwrap();
    assert_eq!(year, [[Value::Integer(1)]]);
    let random = || rows(&mut Database::open().unwrap(), "SELECT random()").unwrap();
    assert_ne!(random(), random());
}

#[test]
fn a_large_sort_stays_in_memory() {
    let mut database = Database::open().unwrap();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) \
                   SELECT i * 7919 % 200003 AS x FROM n ORDER BY x DESC";
    let statement = database.prepare(&format!("SELECT max(x), count(*) FROM ({numbers})")).unwrap();
    let sorted: Vec<_> = database.query(&statement, &[]).unwrap().collect();
    assert_eq!(sorted, [Ok(vec![200_002.into(), 200_000.into()])]);
}
