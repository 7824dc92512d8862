//! PROJ converts coordinates, with the coordinate systems in its database.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{subject, tool};

omniglot::include_library!("proj");

subject! {
    PROJ: Proj = "proj" from "libproj-dev",
    does: "converts places on the earth to those on a map, with its database",
    confirmed: "the command `cs2cs`, to a tenth of a millimetre",
    builder: |_input| [
        .file("/usr/share/proj/proj.db", PathBuf::from("/usr/share/proj/proj.db"))
    ],
    not_sandboxed: "Debian has no static archive of it",
}

/// Latitude and longitude.
const PLACES: [[f64; 2]; 3] = [[47.37, 8.54], [52.52, 13.4], [40.0, 9.0]];

fn input() -> Result<()> {
    Ok(())
}

fn run<R: Runtime>(proj: &mut Proj<R>, (): &()) -> omniglot::Result<Vec<[f64; 2]>> {
    proj.scope(|proj| {
        let (from, into) = (proj.str("EPSG:4326")?, proj.str("EPSG:32632")?);
        let way = proj.proj_create_crs_to_crs(Ptr::null(), from, into, Ptr::null())?;
        if way.is_null() {
            return Err(Error::Misuse("PROJ knows no way"));
        }
        let (forward, none) = (PJ_DIRECTION::PJ_FWD, Ptr::<f64>::null());
        let mut places = Vec::new();
        for place in PLACES {
            let [x, y] = [proj.value(place[0])?, proj.value(place[1])?];
            proj.proj_trans_generic(way, forward, x, 8, 1, y, 8, 1, none, 0, 0, none, 0, 0)?;
            places.push([proj.read(x)?, proj.read(y)?]);
        }
        proj.proj_destroy(way)?;
        Ok(places)
    })
}

fn confirm((): &(), places: &Vec<[f64; 2]>) -> Result<()> {
    let lines: String = PLACES.map(|place| format!("{} {}\n", place[0], place[1])).concat();
    let options = ["-f", "%.6f", "EPSG:4326", "EPSG:32632"];
    let output = String::from_utf8(tool("cs2cs", &options, lines.as_bytes())?)?;
    ensure!(places.len() == 3 && output.lines().count() == 3, "{output}");
    for (line, place) in output.lines().zip(places) {
        let mut numbers = line.split_whitespace().map(str::parse::<f64>);
        for found in place {
            let expected = numbers.next().context("too few numbers")??;
            ensure!((found - expected).abs() < 1e-4, "{place:?}, not {line}");
        }
    }
    Ok(())
}
