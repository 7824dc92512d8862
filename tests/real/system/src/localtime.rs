//! The C library converts a time to a time zone.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use real_subject::{subject, tool};

use crate::c::{C, tm};

subject! {
    LOCALTIME: C = "glibc-localtime" from "libc6-dev",
    does: "tells the local time of a zone, in summer and winter",
    confirmed: "the command `date`, equal",
    builder: |_input| [
        .env("TZ", "Europe/Zurich"),
        .file(
            "/usr/share/zoneinfo/Europe/Zurich",
            PathBuf::from("/usr/share/zoneinfo/Europe/Zurich")
        )
    ],
}

fn input() -> Result<Vec<i64>> {
    Ok(vec![0, 1_000_000_000, 1_700_000_000, 1_720_000_000, 1_743_296_399, 1_743_296_400])
}

fn run<R: Runtime>(c: &mut C<R>, times: &Vec<i64>) -> omniglot::Result<Vec<String>> {
    c.scope(|c| {
        let mut texts = Vec::new();
        for time in times {
            let (time, parts) = (c.value(*time)?, c.out::<tm>()?);
            c.localtime_r(time, parts)?;
            let parts = c.read(parts)?;
            let zone = c.read_string(parts.tm_zone, 16)?;
            let (year, month) = (parts.tm_year + 1900, parts.tm_mon + 1);
            let (hour, minute, second) = (parts.tm_hour, parts.tm_min, parts.tm_sec);
            let day = parts.tm_mday;
            texts.push(format!(
                "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {zone}"
            ));
        }
        Ok(texts)
    })
}

fn confirm(times: &Vec<i64>, texts: &Vec<String>) -> Result<()> {
    ensure!(
        texts.len() == times.len() && texts.iter().any(|text| text.ends_with("CEST")),
        "no summer: {texts:?}"
    );
    for (time, text) in times.iter().zip(texts) {
        let (time, format) = (format!("@{time}"), "+%Y-%m-%d %H:%M:%S %Z");
        let words = ["TZ=Europe/Zurich", "date", "-d", &time, format];
        let expected = String::from_utf8(tool("env", &words, &[])?)?;
        ensure!(text == expected.trim(), "{text}, not {expected}");
    }
    Ok(())
}
