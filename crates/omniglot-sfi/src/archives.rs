//! Archives of objects. Only the members that define a requested symbol are loaded.

use std::collections::{BTreeMap, BTreeSet};

use object::read::archive::ArchiveFile;

use crate::error::{Error, Problem};
use crate::objects::{At, Binding, Object, read};

/// An archive and its index.
pub(crate) struct Archive {
    name: String,
    members: Vec<(String, Vec<u8>)>,
    /// The number of the member that defines a symbol.
    index: BTreeMap<String, usize>,
    taken: BTreeSet<usize>,
}

const AR: &str = "give an archive that ar made with a symbol index (ranlib makes one)";

impl Archive {
    pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Self, Problem> {
        let broken = |error: object::Error| {
            Problem::of_object(name, format!("is not a readable archive ({error})"), AR)
        };
        let file = ArchiveFile::parse(bytes).map_err(broken)?;
        if file.is_thin() {
            return Err(Problem::of_object(name, "is a thin archive", AR));
        }
        let mut archive = Self {
            name: name.to_owned(),
            members: Vec::new(),
            index: BTreeMap::new(),
            taken: BTreeSet::new(),
        };
        let mut by_offset = BTreeMap::new();
        for member in file.members() {
            let member = member.map_err(broken)?;
            let data = member.data(bytes).map_err(broken)?.to_vec();
            by_offset.insert(member.file_range().0, archive.members.len());
            archive.members.push((String::from_utf8_lossy(member.name()).into_owned(), data));
        }
        let symbols = file.symbols().map_err(broken)?;
        for symbol in symbols.into_iter().flatten() {
            let symbol = symbol.map_err(broken)?;
            let member = file.member(symbol.offset()).map_err(broken)?;
            if let Some(member) = by_offset.get(&member.file_range().0) {
                let name = String::from_utf8_lossy(symbol.name()).into_owned();
                archive.index.entry(name).or_insert(*member);
            }
        }
        if archive.index.is_empty() && !archive.members.is_empty() {
            return Err(Problem::of_object(name, "has no symbol index", AR));
        }
        Ok(archive)
    }

    /// Returns the member that defines a symbol, the first time that it is requested.
    fn take(&mut self, symbol: &str) -> Option<Result<Object, Problem>> {
        let member = *self.index.get(symbol)?;
        if !self.taken.insert(member) {
            return None;
        }
        let (name, bytes) = self.members.get(member)?;
        Some(read(&format!("{}({name})", self.name), bytes))
    }

    /// The names that the archive defines.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }
}

/// The names that some objects define and request.
#[derive(Default)]
struct Names {
    defined: BTreeSet<String>,
    wanted: BTreeSet<String>,
}

impl Names {
    fn note(&mut self, object: &Object) {
        for symbol in object.symbols.iter().filter(|symbol| symbol.binding != Binding::Local) {
            match symbol.at {
                At::Undefined if symbol.binding == Binding::Global => {
                    self.wanted.insert(symbol.name.clone());
                }
                At::Undefined => {}
                _ => {
                    self.defined.insert(symbol.name.clone());
                }
            }
        }
    }
}

/// Adds the members that define what the objects request, and in turn what those request. This is
/// as in a linker, except that archives may depend on each other in any order. If two archives
/// define a name, the first one counts.
///
/// # Errors
/// Members that cannot be read.
pub(crate) fn load(
    objects: &mut Vec<Object>,
    archives: &mut [Archive],
    also: &[String],
    given: &[&str],
) -> Result<(), Error> {
    let mut problems = Vec::new();
    let mut names = Names::default();
    names.wanted.extend(also.iter().cloned());
    names.defined.extend(given.iter().map(|&name| name.to_owned()));
    objects.iter().for_each(|object| names.note(object));
    loop {
        let missing: Vec<String> = names.wanted.difference(&names.defined).cloned().collect();
        let mut is_more = false;
        for name in missing {
            // A member that was loaded meanwhile may define it.
            if names.defined.contains(&name) {
                continue;
            }
            let found = archives.iter_mut().find_map(|archive| archive.take(&name));
            match found {
                Some(Ok(object)) => {
                    names.note(&object);
                    objects.push(object);
                    is_more = true;
                }
                Some(Err(problem)) => problems.push(problem),
                None => {}
            }
        }
        if !is_more {
            return if problems.is_empty() { Ok(()) } else { Err(Error { problems }) };
        }
    }
}
