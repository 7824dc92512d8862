//! Rewrites compiled C code so that it stays in 4 GiB of memory, whatever it does there. The input
//! is relocatable objects and static archives. The output is an *image*, a program that
//! [`omniglot_verify`] has verified.
//!
//! The rewriter is not trusted. If it has a bug, the verifier refuses the image, or the library in
//! it does not work. The library cannot escape.
//!
//! ```no_run
//! use omniglot_sfi::Rewriter;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rewriter = Rewriter::new();
//! rewriter.object("shims.o", &std::fs::read("shims.o")?)?;
//! rewriter.archive("libz.a", &std::fs::read("/usr/lib/x86_64-linux-gnu/libz.a")?)?;
//! let image = rewriter.rewrite()?;
//! std::fs::write("image", &image.bytes)?;
//! # Ok(()) }
//! ```
//!
//! `docs/sfi.md` describes how each kind of instruction is rewritten.
#![forbid(unsafe_code)]

mod archives;
mod code;
mod effects;
mod elf_file;
mod error;
mod flow;
mod image;
mod item;
mod labels;
pub mod layer;
mod layout;
mod linked;
mod lower;
mod objects;
mod place;
mod processor;

use std::collections::{BTreeMap, BTreeSet};

use archives::Archive;
use elf_file::Export;
use image::{Layout, Rewritten};
use linked::{Id, Linked, Target};
use lower::Unknown;
use objects::{Binding, Kind, Object};

pub use error::{Error, Problem};
pub use omniglot_verify::Uses;

/// Collects objects and archives, and rewrites them into an image.
#[derive(Default)]
pub struct Rewriter {
    objects: Vec<Object>,
    archives: Vec<Archive>,
    exports: Vec<String>,
    traps: bool,
    stubs: bool,
}

/// The result of [`Rewriter::rewrite`].
#[derive(Clone, Debug)]
pub struct Image {
    /// An ELF program linked to fixed addresses in a region: segments of whole pages, no
    /// relocations, and a symbol table.
    pub bytes: Vec<u8>,
    /// What the code uses, as reported by the verifier.
    pub uses: Uses,
    /// The size of the code in bytes, in the original objects and in the image.
    pub code: (u64, u64),
    /// The instructions that were replaced by one that stops the library
    /// ([`Rewriter::trap_unsupported`]).
    pub trapped: Vec<Problem>,
    /// The names that nobody defines ([`Rewriter::stub_missing`]).
    pub missing: Vec<String>,
}

/// The optional start function of an image, which takes no arguments.
const START: &str = "omniglot_sfi_start";

impl Rewriter {
    /// Creates a rewriter without any objects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object, and exports all of its global symbols.
    ///
    /// # Errors
    /// The file is not a relocatable x86-64 ELF object.
    pub fn object(&mut self, name: &str, bytes: &[u8]) -> Result<&mut Self, Error> {
        self.objects.push(objects::read(name, bytes)?);
        Ok(self)
    }

    /// Adds objects whose global names are their own, and get a prefix, apart from those that begin
    /// with `public`.
    fn unit(
        &mut self,
        files: &[(String, Vec<u8>)],
        public: &str,
        prefix: &str,
    ) -> Result<(), Error> {
        let mut unit = Vec::new();
        for (name, bytes) in files {
            unit.push(objects::read(name, bytes)?);
        }
        let own: BTreeSet<String> = (0..unit.len())
            .flat_map(|object| linked::global_names(&unit, object))
            .filter(|name| !name.starts_with(public))
            .map(str::to_owned)
            .collect();
        for symbol in unit.iter_mut().flat_map(|object| &mut object.symbols) {
            if symbol.binding != Binding::Local && own.contains(&symbol.name) {
                symbol.name.insert_str(0, prefix);
            }
        }
        self.objects.extend(unit);
        Ok(())
    }

    /// Adds an archive, of which only the members that define a requested symbol are loaded.
    ///
    /// # Errors
    /// The file is not an archive, or has no index.
    pub fn archive(&mut self, name: &str, bytes: &[u8]) -> Result<&mut Self, Error> {
        self.archives.push(Archive::read(name, bytes)?);
        Ok(self)
    }

    /// Exports a symbol that a member of an archive defines.
    pub fn export(&mut self, name: &str) -> &mut Self {
        self.exports.push(name.to_owned());
        self
    }

    /// Exports all symbols that the archives added so far define.
    pub fn export_archives(&mut self) -> &mut Self {
        let names = self.archives.iter().flat_map(Archive::symbols);
        self.exports.extend(names.map(str::to_owned));
        self
    }

    /// Replaces instructions that cannot be rewritten by one that stops the library, instead of
    /// reporting an error. They are listed in [`Image::trapped`].
    ///
    /// This is for libraries that check the processor's features before using an extension: `cpuid`
    /// reports none.
    pub fn trap_unsupported(&mut self) -> &mut Self {
        self.traps = true;
        self
    }

    /// Defines the names that nobody defines, by an instruction that stops the library, instead of
    /// reporting an error. They are listed in [`Image::missing`]. Names of C++ remain errors.
    ///
    /// This is for examining an archive without those that it needs.
    pub fn stub_missing(&mut self) -> &mut Self {
        self.stubs = true;
        self
    }

    /// Creates the image.
    ///
    /// # Errors
    /// Symbols that nobody defines or that are defined twice; instructions that cannot be
    /// rewritten, each with its place; and what the verifier refuses.
    pub fn rewrite(mut self) -> Result<Image, Error> {
        let given = layout::NAMES.map(|(name, _)| name);
        let own = self.objects.len();
        let mut wanted = self.exports.clone();
        wanted.push(START.to_owned());
        archives::load(&mut self.objects, &mut self.archives, &wanted, &given)?;
        let mut linked = Linked::new(std::mem::take(&mut self.objects), &layout::NAMES)?;
        if self.stubs {
            linked.stub_missing();
        }
        let (mut exports, entry) = self.exported(&linked, own)?;
        exports.push(processor::exported(&linked));
        let mut roots: Vec<Target> = exports.iter().map(|(_, target)| *target).collect();
        roots.extend(entry);
        let reached = linked.reach(&roots)?;
        self.make(&linked, &reached, &exports, entry)
    }

    /// The exported symbols, with their addresses.
    #[expect(clippy::type_complexity, reason = "it is used once")]
    fn exported(
        &self,
        linked: &Linked,
        own: usize,
    ) -> Result<(Vec<(Export, Target)>, Option<Target>), Error> {
        let own = (0..own).flat_map(|object| linked.global_names(object));
        let names: BTreeSet<&str> = own.chain(self.exports.iter().map(String::as_str)).collect();
        let mut exports = Vec::new();
        let mut problems = Vec::new();
        for name in names {
            let Some((target, symbol)) = linked.find(name) else {
                let what = format!("{name} must be exported, but nobody defines it");
                problems.push(Problem::of_object("the image", what, "add what defines it"));
                continue;
            };
            let (size, is_function) = (symbol.size, symbol.is_function);
            exports.push((Export { name: name.to_owned(), at: 0, size, is_function }, target));
        }
        if !problems.is_empty() {
            return Err(Error { problems });
        }
        Ok((exports, linked.find(START).map(|(target, _)| target)))
    }

    fn make(
        &self,
        linked: &Linked,
        reached: &BTreeSet<Id>,
        exports: &[(Export, Target)],
        entry: Option<Target>,
    ) -> Result<Image, Error> {
        let mut problems = Vec::new();
        let is_code = |id: &&Id| linked.section(**id).kind == Kind::Code;
        let ids = reached.iter().filter(is_code);
        let codes: Vec<code::Code> = ids.map(|id| code::read(linked, *id, &mut problems)).collect();
        let labels = labels::collect(linked, reached, &codes, &mut problems);
        labels::check(linked, &codes, &labels, &mut problems);
        if !problems.is_empty() {
            return Err(Error { problems });
        }
        let before = codes.iter().map(|code| linked.section(code.id).size).sum();
        let unknown = if self.traps { Unknown::Trap } else { Unknown::Refuse };
        let mut by_object: BTreeMap<usize, Vec<code::Code>> = BTreeMap::new();
        for code in codes {
            by_object.entry(code.id.object).or_default().push(code);
        }
        let mut texts = Vec::new();
        let mut processor = processor::Processor::default();
        for codes in by_object.into_values() {
            let liveness = flow::analyse(linked, &codes, &labels);
            for code in codes {
                let lowered =
                    lower::lower(linked, &code, &liveness, unknown, &mut processor, &mut problems);
                let placed = place::place(&code, &lowered, labels.taken.get(&code.id));
                texts.push(Rewritten { code, placed });
            }
        }
        if !problems.is_empty() && !self.traps {
            return Err(Error { problems });
        }
        let after = texts.iter().map(|text| text.placed.bytes.len() as u64).sum();
        let layout = Layout::new(linked, reached, &texts)?;
        let (bytes, uses) = layout.write(&labels, &processor, exports, entry)?;
        let missing = linked.stubs_of(reached);
        Ok(Image { bytes, uses, code: (before, after), trapped: problems, missing })
    }
}

#[cfg(test)]
mod tests;
