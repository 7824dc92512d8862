//! What would give libraries what they asked for: lines for their builders.

use std::collections::BTreeMap;
use std::path::Path;

/// A request of a library that was not granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Request {
    /// True if the request ended the call. Otherwise it failed with an error number.
    pub(crate) is_denied: bool,
    /// True if a constructor made it, for a file that is no library.
    pub(crate) is_early: bool,
    pub(crate) system_call: String,
    pub(crate) error: i64,
    /// A path or, for a request that ended the call, the place that made it. May be empty.
    pub(crate) text: String,
}

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
    Code,
    /// Constructors cannot have it.
    Early(String),
    /// The host does not have it either.
    Absent(String),
    Nothing(String),
}

impl Remedy {
    fn of(request: &Request) -> Self {
        let path = request.text.as_str();
        match (request.system_call.as_str(), request.error) {
            _ if request.is_denied => Self::of_denied(request),
            _ if request.is_early => Self::Early(path.to_owned()),
            ("clone" | "clone3", NOT_NOW) => Self::Threads,
            ("mmap" | "mprotect", NO_ACCESS) => Self::Code,
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
            Self::Code => ".allow(Permission::ExecutableMemory)".to_owned(),
            Self::Early(_) | Self::Absent(_) | Self::Nothing(_) => return None,
        })
    }

    /// When the line is worth its risk, if it seldom is.
    fn caution(&self) -> &'static str {
        match self {
            Self::Code => "; only for a compiler of machine code: most libraries work without it",
            _ => "",
        }
    }

    /// A description of what cannot be granted.
    fn missing(&self) -> Option<String> {
        match self {
            Self::Early(path) => Some(format!("{path}: a constructor can open libraries only")),
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

/// Lines for a library's builder that would grant its requests, the smallest grant first, each with
/// how often it was requested. What cannot be granted follows, as comments.
pub(crate) fn lines(requests: &BTreeMap<Request, u64>) -> Vec<String> {
    let mut remedies = BTreeMap::<Remedy, u64>::new();
    for (request, count) in requests {
        *remedies.entry(Remedy::of(request)).or_default() += count;
    }
    let granting = remedies.iter().filter_map(|(remedy, count)| {
        Some(format!("{} // {}{}", remedy.line()?, times(*count), remedy.caution()))
    });
    let missing = remedies
        .iter()
        .filter_map(|(remedy, count)| Some(format!("// {}, {}", remedy.missing()?, times(*count))));
    granting.chain(missing).collect()
}
