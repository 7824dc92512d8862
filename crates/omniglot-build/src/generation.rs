//! One generation: what was read becomes bindings, C and an image, without the items that the C
//! compiler or the linker rejects.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use crate::bindings::Bindings;
use crate::check::left_out::LeftOut;
use crate::code::Item;
use crate::compile::{Compiler, Embedded, Outcome};
use crate::error::{Error, Result};
use crate::link::Link;
use crate::options::Options;
use crate::output::Workplace;
use crate::read::Headers;
use crate::scalar::Target;
use crate::shims::Shim;
use crate::{c, check, diagnostics, rust};

/// The number of functions from which on it is worth finding out in advance which of them the library
/// lacks: fewer are compiled again about as quickly.
const MANY: usize = 100;

/// Headers that were read, and which of their items the C compiler or the linker has rejected.
pub(crate) struct Reading {
    pub(crate) options: Options,
    pub(crate) target: Target,
    pub(crate) link: Link,
    pub(crate) headers: Headers,
    pub(crate) left_out: LeftOut,
}

impl Reading {
    /// Decides what is bound.
    pub(crate) fn check(&self) -> Result<Bindings> {
        let (options, target) = (self.options.clone(), self.target.clone());
        let mut model = self.headers.model.clone();
        let problems = check::check(&mut model, &options, &target, &self.left_out)?;
        Ok(Bindings { options, target, model, problems })
    }

    /// Leaves items out. It is an error if all of them are left out already, since generation would
    /// not end then.
    fn leave_out(&mut self, items: BTreeMap<Item, String>) -> Result<Bindings> {
        let known = self.left_out.len();
        let message = items.values().cloned().collect::<Vec<_>>().join("\n");
        for (item, reason) in items {
            self.left_out.entry(item).or_insert(reason);
        }
        if self.left_out.len() == known {
            return Err(Error::Link { output: message });
        }
        let bindings = self.check()?;
        check::check_needed(&bindings.model, &bindings.options)?;
        Ok(bindings)
    }
}

/// Compiles the image, if there is to be one; items that the C compiler or the linker rejects are
/// left out.
///
/// The C compiler takes about as long as writing the Rust, which is the result: both run at
/// the same time.
pub(crate) fn compile(
    reading: &mut Reading,
    bindings: &mut Bindings,
    workplace: &Workplace,
    image: Option<&str>,
) -> Result<(String, Embedded)> {
    let (options, link) = (reading.options.clone(), reading.link.clone());
    let compiler = Compiler::new(&options, &link, &bindings.target, workplace.directory())?;
    let sources = image.map_or(Ok(Vec::new()), |_| compiler.sources())?;
    let shims = workplace.file(&format!("{}_shims.c", options.name));
    let image = image.map(|image| workplace.file(image));
    if image.is_some() && bindings.model.functions.len() >= MANY {
        let source = workplace.file(&format!("{}_references.c", options.name));
        let undefined = compiler.undefined(&c::references(bindings), &source, &sources)?;
        if !undefined.is_empty() {
            *bindings = reading.leave_out(lacking(bindings, &undefined)?)?;
        }
    }
    loop {
        let code = c::generate(bindings);
        let (linked, rust) = thread::scope(|scope| {
            let linking =
                scope.spawn(|| compiler.generated(&code, &shims, &sources, image.as_deref()));
            let rust = rust::generate(bindings);
            (linking.join().unwrap_or_else(|panic| resume_unwind(panic)), rust)
        });
        let rejected = match linked? {
            Outcome::Linked => {
                #[cfg(feature = "sandbox")]
                if let Some(image) = image.as_deref().filter(|_| options.is_sandboxed) {
                    return Ok((rust?, compiler.append_sandboxed(&shims, image)?));
                }
                let embedded = Embedded { archives: compiler.archives()?, warning: None };
                return Ok((rust?, embedded));
            }
            Outcome::Uncallable(functions) => lacking(bindings, &functions)?,
            Outcome::Rejected(items) => {
                let reason = |(item, message): (Item, String)| {
                    let reason = diagnostics::rejected(&item, &message);
                    (item, reason)
                };
                items.into_iter().map(reason).collect()
            }
        };
        *bindings = reading.leave_out(rejected)?;
    }
}

/// The items that the library lacks, if it is a library at all.
fn lacking(
    bindings: &Bindings,
    functions: &BTreeSet<(String, String)>,
) -> Result<BTreeMap<Item, String>> {
    let items = uncallable(bindings, functions)?;
    check_names_library(bindings, &items)?;
    Ok(items)
}

/// Fails if the user named no library, and no function is left that can do without.
fn check_names_library(bindings: &Bindings, lacking: &BTreeMap<Item, String>) -> Result<()> {
    let options = &bindings.options;
    let named = [&options.packages, &options.links].map(Vec::len);
    let files = [&options.sources, &options.archives].map(Vec::len);
    let names = || bindings.model.functions.iter().map(|function| &function.c_name);
    let is_defined = |name: &&String| !lacking.contains_key(&Item::Function((*name).clone()));
    match names().next() {
        Some(function)
            if named == [0; 2] && files == [0; 2] && !names().any(|name| is_defined(&name)) =>
        {
            Err(Error::NothingLinked { function: function.clone() })
        }
        _ => Ok(()),
    }
}

/// The functions and globals whose shims cannot be linked.
fn uncallable(
    bindings: &Bindings,
    uncallable: &BTreeSet<(String, String)>,
) -> Result<BTreeMap<Item, String>> {
    let reason = |shim: &Shim<'_>, inner: &[String]| {
        let name = shim.name();
        let found = uncallable.iter().find(|(shim, _)| *shim == name || inner.contains(shim));
        found.map(|(_, reason)| reason.clone())
    };
    let functions = bindings.model.functions.iter().filter_map(|function| {
        // A large static inline function is called by its shim, not inlined into it.
        let inner = [
            "omniglot_unguarded_",
            "omniglot_buffer_of_",
            "omniglot_raise_",
            "omniglot_function_",
            "omniglot_macro_",
            "",
        ]
        .map(|prefix| format!("{prefix}{}", function.c_name));
        let reason = reason(&Shim::Call(function), &inner)?;
        Some((Item::Function(function.c_name.clone()), reason))
    });
    let globals = bindings.model.globals.iter().filter_map(|global| {
        let reason = reason(&Shim::Address(global), &[])?;
        Some((Item::Global(global.c_name.clone()), reason))
    });
    let items: BTreeMap<Item, String> = functions.chain(globals).collect();
    if items.is_empty() {
        let reasons: Vec<String> =
            uncallable.iter().map(|(function, reason)| format!("{function}: {reason}")).collect();
        return Err(Error::Link { output: reasons.join("\n") });
    }
    Ok(items)
}
