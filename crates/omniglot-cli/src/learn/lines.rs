//! Converts requests of libraries into lines for their builders.

use std::collections::BTreeMap;
use std::fmt::{Result, Write};
use std::path::Path;

use super::asked::{Asked, Request};

/// Error numbers: `EPERM`, `ENOENT`, `EAGAIN`, `EACCES`.
const NOT_PERMITTED: i64 = 1;
const NOT_THERE: i64 = 2;
const NOT_NOW: i64 = 11;
const NO_ACCESS: i64 = 13;

/// What would satisfy a request, in ascending order of the rights that it grants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Remedy {
    File(String),
    Directory(String),
    Plugins(String),
    Tmp,
    Permission(&'static str),
    Threads,
    /// The host does not have it either.
    Absent(String),
    Nothing(String),
}

impl Remedy {
    fn of(request: &Request) -> Self {
        let path = request.text.as_str();
        match (request.system_call.as_str(), request.error) {
            _ if request.is_denied => Self::of_denied(request),
            ("clone" | "clone3", NOT_NOW) => Self::Threads,
            // Mostly memory for code of a compiler.
            ("mmap" | "mprotect", NO_ACCESS) => Self::Permission("ExecutableMemory"),
            (_, NO_ACCESS | NOT_PERMITTED | NOT_THERE) if Path::new(path).starts_with("/tmp") => {
                Self::Tmp
            }
            (_, NOT_THERE) if path.starts_with('/') => Self::of_path(path),
            _ => Self::Nothing(describe(request)),
        }
    }

    /// Only the name of the system call counts, since the text of such a request says who made it.
    fn of_denied(request: &Request) -> Self {
        match request.system_call.as_str() {
            "clock_gettime" | "clock_getres" | "gettimeofday" | "time" | "nanosleep"
            | "clock_nanosleep" => Self::Permission("Clock"),
            "getrandom" => Self::Permission("Random"),
            _ => Self::Nothing(describe(request)),
        }
    }

    fn of_path(path: &str) -> Self {
        let place = Path::new(path);
        let is_library = path.ends_with(".so") || path.contains(".so.");
        match place.parent().and_then(Path::to_str) {
            Some(parent) if is_library && place.is_file() => Self::Plugins(parent.to_owned()),
            _ if place.is_dir() => Self::Directory(path.to_owned()),
            _ if place.is_file() => Self::File(path.to_owned()),
            _ => Self::Absent(path.to_owned()),
        }
    }

    /// The line for the builder, or `None` if there is none.
    fn line(&self) -> Option<String> {
        Some(match self {
            Self::File(path) => format!(".file({path:?}, PathBuf::from({path:?}))"),
            Self::Directory(path) => format!(".directory({path:?}, {path:?})"),
            Self::Plugins(path) => format!(".plugin_directory({path:?})"),
            Self::Tmp => ".tmp(64 << 20)".to_owned(),
            Self::Permission(name) => format!(".allow(Permission::{name})"),
            Self::Threads => ".allow(Permission::Threads(4))".to_owned(),
            Self::Absent(_) | Self::Nothing(_) => return None,
        })
    }

    /// A description of what cannot be granted.
    fn missing(&self) -> Option<String> {
        match self {
            Self::Absent(path) => Some(format!("{path}: not on this machine either")),
            Self::Nothing(what) => Some(format!("{what}: cannot be granted")),
            _ => None,
        }
    }
}

fn describe(request: &Request) -> String {
    let how = if request.is_denied { "ended the call" } else { "failed" };
    let call = &request.system_call;
    match request.text.as_str() {
        "" => format!("{call}, which {how}"),
        text => format!("{call} in {text}, which {how}"),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

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
        let mut remedies = BTreeMap::<Remedy, u64>::new();
        for (request, count) in requests {
            *remedies.entry(Remedy::of(request)).or_default() += count;
        }
        writeln!(text, "{library} asked for this and did not get it. Try these lines in turn:")?;
        for (remedy, count) in &remedies {
            if let Some(line) = remedy.line() {
                writeln!(text, "    {line} // {}", times(*count))?;
            }
        }
        for (remedy, count) in &remedies {
            if let Some(what) = remedy.missing() {
                writeln!(text, "    // {}, {}", what, times(*count))?;
            }
        }
    }
    if succeeded {
        writeln!(text, "The program succeeded anyway, so perhaps none of these is needed.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "    .allow(Permission::ExecutableMemory) // once".to_owned(),
            "    .allow(Permission::Threads(4)) // 2 times".to_owned(),
            "    // /not/there: not on this machine either, once".to_owned(),
            "    // socket in libz.so.1: f+0x1, which ended the call: cannot be granted, once"
                .to_owned(),
        ];
        assert_eq!(lines, expected);
    }
}
