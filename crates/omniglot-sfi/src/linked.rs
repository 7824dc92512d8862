//! Resolves symbols among all objects, and determines which sections are needed.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Problem};
use crate::layout::{CANARY, THREAD_SIZE};
use crate::objects::{At, Binding, Kind, Object, Relocation, Section, Symbol};

/// Identifies a section of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) object: usize,
    pub(crate) section: usize,
}

/// An address, known only once the layout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    /// An offset from a section's start, as in the object.
    Section(Id, i64),
    /// A fixed number.
    Absolute(i64),
    /// Offsets from the start and from the end of the table of constructors.
    Constructors(i64),
    ConstructorsEnd(i64),
}

impl Target {
    pub(crate) const fn plus(self, more: i64) -> Self {
        match self {
            Self::Section(id, offset) => Self::Section(id, offset.wrapping_add(more)),
            Self::Absolute(number) => Self::Absolute(number.wrapping_add(more)),
            Self::Constructors(offset) => Self::Constructors(offset.wrapping_add(more)),
            Self::ConstructorsEnd(offset) => Self::ConstructorsEnd(offset.wrapping_add(more)),
        }
    }
}

/// All objects, with their symbols resolved.
pub(crate) struct Linked {
    pub(crate) objects: Vec<Object>,
    /// Global symbols, each with the object and symbol that define it.
    names: BTreeMap<String, (usize, usize)>,
    /// Symbols that this crate defines.
    given: BTreeMap<String, Target>,
    /// Sections of groups of which another object's copy was kept.
    dropped: BTreeSet<Id>,
    /// The section that this crate adds for the thread control block.
    pub(crate) thread: Id,
}

const THREAD: usize = 1;
const COMMONS: usize = 2;
const STUBS: usize = 3;

impl Linked {
    pub(crate) fn new(mut objects: Vec<Object>, given: &[(&str, u64)]) -> Result<Self, Error> {
        let made = objects.len();
        objects.push(made_object());
        let dropped = drop_groups(&objects);
        let given = given.iter().map(|(name, at)| (*name, Target::Absolute(at.cast_signed())));
        let constructors = [
            ("__init_array_start", Target::Constructors(0)),
            ("__init_array_end", Target::ConstructorsEnd(0)),
        ];
        let mut linked = Self {
            objects,
            names: BTreeMap::new(),
            given: given.chain(constructors).map(|(name, at)| (name.to_owned(), at)).collect(),
            dropped,
            thread: Id { object: made, section: THREAD },
        };
        linked.resolve_names()?;
        linked.allocate_commons(made);
        Ok(linked)
    }

    /// Determines the definition of each global symbol: a strong one before a common one before a
    /// weak one, and the first of two equal ones.
    fn resolve_names(&mut self) -> Result<(), Error> {
        let rank = |symbol: &Symbol| match (symbol.at, symbol.binding) {
            (At::Common { .. }, _) => 1,
            (_, Binding::Weak) => 0,
            _ => 2,
        };
        let mut problems = Vec::new();
        for (o, object) in self.objects.iter().enumerate() {
            for (s, symbol) in object.symbols.iter().enumerate() {
                let is_dropped = matches!(symbol.at, At::Section(section, _)
                    if self.dropped.contains(&Id { object: o, section }));
                if symbol.binding == Binding::Local || symbol.at == At::Undefined || is_dropped {
                    continue;
                }
                let other = self.names.get(&symbol.name);
                let other = other.map(|(o, s)| (&self.objects[*o], &self.objects[*o].symbols[*s]));
                match other {
                    Some((first, other)) if rank(other) == 2 && rank(symbol) == 2 => {
                        let what = format!("{} is defined in {}, too", symbol.name, first.name);
                        problems.push(Problem::of_object(&object.name, what, "leave one out"));
                    }
                    Some((_, other)) if rank(other) >= rank(symbol) => {}
                    _ => {
                        self.names.insert(symbol.name.clone(), (o, s));
                    }
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error { problems }) }
    }

    fn allocate_commons(&mut self, made: usize) {
        let mut end = 0_u64;
        let mut places = Vec::new();
        for (o, s) in self.names.values() {
            if let At::Common { size, align } = self.objects[*o].symbols[*s].at {
                end = end.next_multiple_of(align.clamp(1, 4096));
                places.push((*o, *s, end));
                end = end.saturating_add(size);
            }
        }
        for (o, s, offset) in places {
            // Within its own object the symbol is undefined, so only its name leads to the
            // definition.
            let name = self.objects[o].symbols[s].name.clone();
            let size = self.objects[o].symbols[s].size;
            let symbols = &mut self.objects[made].symbols;
            symbols.push(Symbol {
                name: name.clone(),
                at: At::Section(COMMONS, offset),
                size,
                binding: Binding::Global,
                is_function: false,
                is_section: false,
            });
            let place = (made, symbols.len() - 1);
            self.names.insert(name, place);
        }
        self.objects[made].sections[COMMONS].size = end;
    }

    pub(crate) fn section(&self, id: Id) -> &Section {
        &self.objects[id.object].sections[id.section]
    }

    /// All sections, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> {
        self.objects.iter().enumerate().flat_map(|(object, contents)| {
            (0..contents.sections.len()).map(move |section| Id { object, section })
        })
    }

    /// The definition of a global symbol.
    pub(crate) fn find(&self, name: &str) -> Option<(Target, &Symbol)> {
        let (object, symbol) = *self.names.get(name)?;
        let symbol = &self.objects[object].symbols[symbol];
        let target = match symbol.at {
            At::Section(section, offset) => {
                Target::Section(Id { object, section }, offset.cast_signed())
            }
            At::Absolute(number) => Target::Absolute(number.cast_signed()),
            At::Undefined | At::Common { .. } => return None,
        };
        Some((target, symbol))
    }

    /// The global symbols that an object defines.
    pub(crate) fn global_names(&self, object: usize) -> impl Iterator<Item = &str> {
        global_names(&self.objects, object)
    }

    /// The target of a symbol that an object refers to, or `None` if nobody defines it.
    pub(crate) fn resolve(&self, object: usize, symbol: usize) -> Option<Target> {
        let symbol = self.objects[object].symbols.get(symbol)?;
        if symbol.binding == Binding::Local {
            return match symbol.at {
                At::Section(section, offset) => {
                    Some(Target::Section(Id { object, section }, offset.cast_signed()))
                }
                At::Absolute(number) => Some(Target::Absolute(number.cast_signed())),
                At::Undefined | At::Common { .. } => None,
            };
        }
        if let Some((target, _)) = self.find(&symbol.name) {
            return Some(target);
        }
        if let Some(target) = self.given.get(&symbol.name) {
            return Some(*target);
        }
        (symbol.binding == Binding::Weak).then_some(Target::Absolute(0))
    }

    /// The name of the nearest function or variable at or before an offset.
    pub(crate) fn symbol_at(&self, id: Id, offset: u64) -> Option<&str> {
        let symbols = self.objects[id.object].symbols.iter();
        let before = symbols.filter_map(|symbol| match symbol.at {
            At::Section(section, at)
                if section == id.section && at <= offset && !symbol.is_section =>
            {
                Some((at, symbol.is_function, symbol.name.as_str()))
            }
            _ => None,
        });
        before.filter(|(_, _, name)| !name.is_empty()).max().map(|(_, _, name)| name)
    }

    /// A problem at a place in a section.
    pub(crate) fn problem(
        &self,
        id: Id,
        offset: u64,
        what: impl Into<String>,
        remedy: &'static str,
    ) -> Problem {
        Problem {
            object: self.objects[id.object].name.clone(),
            section: Some(self.section(id).name.clone()),
            symbol: self.symbol_at(id, offset).map(str::to_owned),
            offset,
            instruction: None,
            what: what.into(),
            remedy,
        }
    }

    /// Defines what objects refer to and nobody defines, all at an instruction that stops the
    /// library; not what only the runtime library of C++ could define.
    pub(crate) fn stub_missing(&mut self) {
        let made = self.thread.object;
        let symbols = self.objects.iter().flat_map(|object| &object.symbols);
        let missing = symbols.filter(|symbol| {
            symbol.binding == Binding::Global
                && symbol.at == At::Undefined
                && !IMPLICIT.contains(&symbol.name.as_str())
                && !is_cpp(&symbol.name)
                && !self.names.contains_key(&symbol.name)
                && !self.given.contains_key(&symbol.name)
        });
        let missing: BTreeSet<String> = missing.map(|symbol| symbol.name.clone()).collect();
        for name in missing {
            let symbols = &mut self.objects[made].symbols;
            self.names.insert(name.clone(), (made, symbols.len()));
            symbols.push(Symbol {
                name,
                at: At::Section(STUBS, 0),
                size: 0,
                binding: Binding::Global,
                is_function: true,
                is_section: false,
            });
        }
    }

    /// The names that some sections refer to and [`stub_missing`](Self::stub_missing) defined.
    pub(crate) fn stubs_of(&self, sections: &BTreeSet<Id>) -> Vec<String> {
        let stub = Id { object: self.thread.object, section: STUBS };
        let mut names = BTreeSet::new();
        for id in sections {
            for relocation in &self.section(*id).relocations {
                let target = self.resolve(id.object, relocation.symbol);
                if matches!(target, Some(Target::Section(id, _)) if id == stub) {
                    names.insert(self.name_of(id.object, relocation).to_owned());
                }
            }
        }
        names.into_iter().collect()
    }

    /// The sections that are reachable from some targets and from constructors.
    ///
    /// # Errors
    /// Symbols that reachable sections use and nobody defines.
    pub(crate) fn reach(&self, roots: &[Target]) -> Result<BTreeSet<Id>, Error> {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<Id> = vec![self.thread];
        waiting.extend(self.ids().filter(|id| self.section(*id).kind == Kind::Constructors));
        waiting.extend(roots.iter().filter_map(|root| match root {
            Target::Section(id, _) => Some(*id),
            _ => None,
        }));
        let mut missing: BTreeMap<&str, Problem> = BTreeMap::new();
        while let Some(id) = waiting.pop() {
            if self.dropped.contains(&id) || !reached.insert(id) {
                continue;
            }
            for relocation in &self.section(id).relocations {
                match self.resolve(id.object, relocation.symbol) {
                    Some(Target::Section(next, _)) => waiting.push(next),
                    Some(_) => {}
                    None => {
                        let name = self.name_of(id.object, relocation);
                        missing.entry(name).or_insert_with(|| {
                            let what = format!("uses {name}, which no object defines");
                            self.problem(id, relocation.offset, what, remedy_for(name))
                        });
                    }
                }
            }
        }
        for name in IMPLICIT {
            missing.remove(name);
        }
        let problems: Vec<Problem> = missing.into_values().collect();
        if problems.is_empty() { Ok(reached) } else { Err(Error { problems }) }
    }

    pub(crate) fn name_of(&self, object: usize, relocation: &Relocation) -> &str {
        let symbol = self.objects[object].symbols.get(relocation.symbol);
        symbol.map_or("", |symbol| symbol.name.as_str())
    }
}

/// The global symbols that one of some objects defines.
pub(crate) fn global_names(objects: &[Object], object: usize) -> impl Iterator<Item = &str> {
    let symbols = objects[object].symbols.iter();
    let global =
        symbols.filter(|symbol| symbol.binding != Binding::Local && symbol.at != At::Undefined);
    global.map(|symbol| symbol.name.as_str())
}

/// Names that some relocations imply. It is an error only where they are used.
const IMPLICIT: [&str; 2] = ["__tls_get_addr", "_GLOBAL_OFFSET_TABLE_"];

/// The remedy where nobody defines a name.
fn remedy_for(name: &str) -> &'static str {
    if is_cpp(name) {
        "it belongs to C++, whose runtime library cannot be rewritten; C++ code without exceptions, \
         `new` and the standard library can"
    } else {
        "add an object or an archive that defines it"
    }
}

/// Whether a name is of the C++ ABI: a mangled one, or one of its runtime library.
fn is_cpp(name: &str) -> bool {
    ["_Z", "__cxa_", "__gxx_", "_Unwind_"].iter().any(|start| name.starts_with(start))
}

/// The sections of groups that an earlier object already contains.
fn drop_groups(objects: &[Object]) -> BTreeSet<Id> {
    let mut seen = BTreeSet::new();
    let mut dropped = BTreeSet::new();
    for (object, contents) in objects.iter().enumerate() {
        for (signature, members) in &contents.groups {
            if !seen.insert(signature) {
                dropped.extend(members.iter().map(|section| Id { object, section: *section }));
            }
        }
    }
    dropped
}

/// The object that this crate adds: the thread control block at `%fs:0`, which the C library and
/// the compiler expect, memory for common symbols, and where calls of what is missing lead.
fn made_object() -> Object {
    let mut bytes = vec![0; THREAD_SIZE];
    bytes[CANARY..CANARY + 8].copy_from_slice(&0x5a1e_c0de_0ff5_e700_u64.to_le_bytes());
    let thread = Section {
        name: "thread".to_owned(),
        kind: Kind::Data,
        size: THREAD_SIZE as u64,
        bytes,
        align: 64,
        // %fs:0 holds its own address.
        relocations: vec![Relocation {
            offset: 0,
            kind: object::elf::R_X86_64_64,
            symbol: 1,
            addend: 0,
        }],
    };
    let commons =
        Section { name: "commons".to_owned(), kind: Kind::Zero, align: 4096, ..Section::NONE };
    // ud2
    let stubs = Section {
        name: "stubs".to_owned(),
        kind: Kind::Code,
        bytes: vec![0x0f, 0x0b],
        size: 2,
        align: 16,
        relocations: Vec::new(),
    };
    let symbol = |name: &str, at| Symbol {
        name: name.to_owned(),
        at,
        size: 0,
        binding: Binding::Local,
        is_function: false,
        is_section: false,
    };
    Object {
        name: "(made)".to_owned(),
        sections: vec![Section::NONE, thread, commons, stubs],
        symbols: vec![symbol("", At::Absolute(0)), symbol("thread", At::Section(THREAD, 0))],
        groups: Vec::new(),
    }
}
