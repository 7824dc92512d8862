//! Reports the lines for builders.

use std::fmt::{Result, Write};

use super::asked::Asked;
use crate::remedies;

/// The report as text, with lines to copy.
pub(super) fn report(asked: &Asked, succeeded: bool) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_all(&mut text, asked, succeeded);
    text
}

fn write_all(text: &mut String, asked: &Asked, succeeded: bool) -> Result {
    if asked.0.is_empty() {
        return writeln!(text, "No library made a request that was not granted.");
    }
    for (library, requests) in &asked.0 {
        writeln!(text, "{library} asked for this and did not get it. Try these lines in turn:")?;
        for line in remedies::lines(requests) {
            writeln!(text, "    {line}")?;
        }
    }
    if succeeded {
        writeln!(text, "The program succeeded anyway, so perhaps none of these is needed.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Asked, report};

    #[test]
    fn what_can_be_given_comes_first_and_the_least_of_it() {
        let own = std::env::current_exe().unwrap().display().to_string();
        let parent = Path::new(&own).parent().unwrap().display().to_string();
        let asked = format!(
            "asked\tz\tclone3\t11\t2\t\n\
             asked\tz\topenat\t2\t1\t{own}\n\
             asked\tz\tstat\t2\t3\t{own}\n\
             asked\tz\topenat\t13\t1\t/tmp/x\n\
             asked\tz\tmmap\t13\t1\t\n\
             asked\tz\topenat\t2\t1\t{parent}\n\
             asked\tz\topenat\t2\t1\t/not/there\n\
             loading\tz\topenat\t13\t2\t{own}\n\
             denied\tz\tsocket\t41\t1\tlibz.so.1: f+0x1\n\
             denied\ty\tgetrandom\t318\t1\t\n\
             nonsense\n"
        );
        let report = report(&Asked::read(&asked), false);
        let lines: Vec<_> = report.lines().collect();
        let intro = "asked for this and did not get it. Try these lines in turn:";
        let expected = [
            format!("y {intro}"),
            "    .allow(Permission::Random) // once".to_owned(),
            format!("z {intro}"),
            format!("    .file({own:?}, PathBuf::from({own:?})) // 4 times"),
            format!("    .directory({parent:?}, {parent:?}) // once"),
            "    .tmp(64 << 20) // once".to_owned(),
            "    .allow(Permission::Threads(4)) // 2 times".to_owned(),
            "    .allow(Permission::ExecutableMemory) // once; only for a compiler of machine code: \
             most libraries work without it"
                .to_owned(),
            format!("    // {own}: a constructor can open libraries only, 2 times"),
            "    // /not/there: not on this machine either, once".to_owned(),
            "    // socket in libz.so.1: f+0x1, which ended the call: cannot be granted, once"
                .to_owned(),
        ];
        assert_eq!(lines, expected);
    }
}
