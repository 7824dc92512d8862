//! Oniguruma matches a pattern.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{prose, subject};

omniglot::include_library!("onig");

subject! {
    ONIGURUMA: Onig = "oniguruma" from "libonig-dev",
    does: "finds a pattern",
    confirmed: "the crate regex, equal",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of it",
}

const PATTERN: &str = r"(?:memory|foreign) \d{4}\b";

fn input() -> Result<String> {
    Ok(prose(20_000))
}

fn run<R: Runtime>(onig: &mut Onig<R>, text: &String) -> omniglot::Result<Vec<(usize, usize)>> {
    onig.scope(|onig| {
        let encoding = onig.address_of_OnigEncodingUTF8()?;
        let syntax = onig.address_of_OnigSyntaxRuby()?;
        let encodings = onig.value(encoding)?;
        onig.onig_initialize(encodings, 1)?;
        let pattern = onig.copy_in(PATTERN.as_bytes())?.as_ptr();
        let (code, error) = (onig.value(Ptr::null())?, onig.out::<OnigErrorInfo>()?);
        let end = pattern.offset(PATTERN.len() as isize);
        if onig.onig_new(code, pattern, end, 0, encoding, syntax, error)? != 0 {
            return Err(Error::Misuse("Oniguruma does not understand the pattern"));
        }
        let code = onig.read(code)?;
        let start = onig.copy_in(text.as_bytes())?.as_ptr();
        let end = start.offset(text.len() as isize);
        let region = onig.onig_region_new()?;
        let (mut places, mut from) = (Vec::new(), start);
        while onig.onig_search(code, start, end, from, end, region, 0)? >= 0 {
            let found = onig.read_at(region)?;
            let place = (onig.read_at(found.beg)? as usize, onig.read_at(found.end)? as usize);
            from = start.offset(place.1 as isize);
            places.push(place);
        }
        onig.onig_region_free(region, 1)?;
        onig.onig_free(code)?;
        Ok(places)
    })
}

fn confirm(text: &String, places: &Vec<(usize, usize)>) -> Result<()> {
    let pattern = regex::Regex::new(PATTERN)?;
    let expected: Vec<_> =
        pattern.find_iter(text).map(|found| (found.start(), found.end())).collect();
    ensure!(places == &expected && expected.len() > 5, "{places:?}, not {expected:?}");
    Ok(())
}
