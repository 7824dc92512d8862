//! `example-sqlite FILE.csv CITY`: prints the cities nearest to one.
//!
//! Each line of the file has a name, a latitude and a longitude. SQL finds and sorts the cities; a
//! Rust function computes the distance of two places.

#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;

use example_sqlite::{Database, Value};

/// Selects the five nearest cities, without the city itself.
const NEAREST: &str = "
    SELECT other.name, distance(city.latitude, city.longitude, other.latitude, other.longitude)
    FROM city JOIN city AS other ON other.name != city.name
    WHERE city.name = ? ORDER BY 2 LIMIT 5";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, city] = &arguments[..] else {
        eprintln!("usage: example-sqlite FILE.csv CITY");
        return ExitCode::from(2);
    };
    match run(file, city) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &str, city: &str) -> Result<(), Box<dyn Error>> {
    let table = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mut database = Database::open()?;
    load(&mut database, &table)?;
    database.create_function("distance", 4, distance)?;
    let nearest = database.prepare(NEAREST)?;
    let mut found = false;
    for row in database.query(&nearest, &[city.into()])? {
        if let [name, Value::Real(kilometres)] = &row?[..] {
            println!("{kilometres:6.0} km to {name}");
            found = true;
        }
    }
    nearest.close(&mut database)?;
    database.close()?;
    if found { Ok(()) } else { Err(format!("{file} has no {city}").into()) }
}

fn load(database: &mut Database, table: &str) -> Result<(), Box<dyn Error>> {
    database.execute("CREATE TABLE city (name TEXT PRIMARY KEY, latitude REAL, longitude REAL)")?;
    let insert = database.prepare("INSERT INTO city VALUES (?, ?, ?)")?;
    for (number, line) in (1..).zip(table.lines()) {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, latitude, longitude] = fields[..] else {
            return Err(format!("line {number} has not three fields").into());
        };
        let number = |text: &str| {
            text.parse::<f64>().map_err(|error| format!("line {number}: {text}: {error}"))
        };
        let values = [name.into(), number(latitude)?.into(), number(longitude)?.into()];
        database.query(&insert, &values)?.try_for_each(|row| row.map(drop))?;
    }
    Ok(())
}

/// Returns the great-circle distance of two places, in kilometres.
fn distance(arguments: &[Value]) -> Result<Value, String> {
    const EARTH_RADIUS: f64 = 6371.0;
    let degrees: Option<Vec<f64>> = arguments.iter().map(Value::as_number).collect();
    let Some([latitude, longitude, other_latitude, other_longitude]) = degrees.as_deref() else {
        return Err("distance() is between four numbers of degrees".to_owned());
    };
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let across = latitude.to_radians().cos() * other_latitude.to_radians().cos();
    let chord = half(*latitude, *other_latitude) + across * half(*longitude, *other_longitude);
    Ok(Value::Real(2.0 * EARTH_RADIUS * chord.sqrt().asin()))
}
