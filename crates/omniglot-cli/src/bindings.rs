//! `omniglot bindings`: prints or writes what a build script would generate.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use omniglot_build::{Library, Preview};

use crate::arguments::{Behaviour, Bindings, Library as LibraryOptions, Selection};
use crate::descriptions::Descriptions;
use crate::failure::Failure;

/// Generates bindings, lists what is not bound, and prints or writes the result.
pub(crate) fn run(arguments: &Bindings) -> Result<(), Failure> {
    let name = arguments.name.clone().unwrap_or_else(|| default_name(&arguments.headers));
    let preview = generate(arguments, &name)?;
    for problem in &preview.problems {
        eprintln!("{problem}");
    }
    match &arguments.out_dir {
        Some(directory) => write(directory, &name, &preview),
        None => io::stdout().write_all(preview.rust.as_bytes()).map_err(Failure::Output),
    }
}

/// The first header's name without its extension, as an identifier.
fn default_name(headers: &[String]) -> String {
    let first = headers.first().map(Path::new).and_then(Path::file_stem);
    let stem = first.unwrap_or_default().to_string_lossy();
    stem.replace(|character: char| !character.is_alphanumeric(), "_")
}

fn generate(arguments: &Bindings, name: &str) -> Result<Preview, Failure> {
    let library = library(arguments, name)?;
    let Some(path) = &arguments.behaviour.describe else {
        return Ok(preview(&library, &arguments.library)??);
    };
    let descriptions = Descriptions::read(path)?;
    preview(&descriptions.describe(library), &arguments.library)?.map_err(|error| {
        let message = descriptions.locate(&error, error.to_string());
        Failure::Described(error, message)
    })
}

fn preview(
    library: &Library,
    place: &LibraryOptions,
) -> Result<omniglot_build::Result<Preview>, Failure> {
    let files = place.source.len() + place.archive.len();
    if place.pkg_config.is_empty() && place.link.is_empty() && files == 0 {
        // No library is given, so nothing can be missing from it.
        return Ok(library.preview());
    }
    let scratch = tempfile::tempdir().map_err(|error| Failure::File(env::temp_dir(), error))?;
    Ok(library.preview_linked(scratch.path()))
}

/// Configures the builder as a build script would.
fn library(arguments: &Bindings, name: &str) -> Result<Library, Failure> {
    let mut library = arguments.headers.iter().fold(Library::new(name), Library::header);
    if let Some(name) = &arguments.instance_name {
        library = library.instance_name(name);
    }
    library = find(library, &arguments.headers, &arguments.library)?;
    library = select(library, &arguments.selection);
    library = behave(library, &arguments.behaviour);
    Ok(arguments.clang_args.iter().fold(library, Library::clang_arg))
}

fn find(
    mut library: Library,
    headers: &[String],
    place: &LibraryOptions,
) -> Result<Library, Failure> {
    // The builder's paths are relative to a package, but the command may run outside of one.
    let here = env::current_dir().map_err(|error| Failure::File(PathBuf::from("."), error))?;
    let from_here = |path: &PathBuf| here.join(path);
    if headers.iter().any(|header| here.join(header).is_file()) {
        library = library.include(&here);
    }
    library = place.include.iter().map(from_here).fold(library, Library::include);
    library = place.source.iter().map(from_here).fold(library, Library::source);
    // A bare name may be one that is searched for.
    let archive = |path: &PathBuf| if path.is_file() { here.join(path) } else { path.clone() };
    library = place.archive.iter().map(archive).fold(library, Library::archive);
    library = place.link_search.iter().map(from_here).fold(library, Library::link_search);
    library = place.pkg_config.iter().fold(library, Library::pkg_config);
    library = place.link.iter().fold(library, Library::link);
    for (name, value) in &place.define {
        library = library.define(name, value);
    }
    // The output must be reproducible, so no variable of a surrounding build changes it.
    Ok(library.target(place.target.as_deref().unwrap_or("x86_64-unknown-linux-gnu")))
}

fn select(mut library: Library, selection: &Selection) -> Library {
    library = selection.allowlist_function.iter().fold(library, Library::allowlist_function);
    library = selection.allowlist_type.iter().fold(library, Library::allowlist_type);
    library = selection.allowlist_var.iter().fold(library, Library::allowlist_var);
    library = selection.blocklist_function.iter().fold(library, Library::blocklist_function);
    library = selection.blocklist_type.iter().fold(library, Library::blocklist_type);
    library = selection.newtype_enum.iter().fold(library, Library::newtype_enum);
    library = selection.bitfield_enum.iter().fold(library, Library::bitfield_enum);
    library = selection.plain_enum.iter().fold(library, Library::plain_enum);
    library = selection.bool_type.iter().fold(library, Library::bool_type);
    selection.constified_enum.iter().fold(library, Library::constified_enum)
}

fn behave(mut library: Library, behaviour: &Behaviour) -> Library {
    for (pattern, buffer) in &behaviour.setjmp_guard {
        library = library.setjmp_guard(pattern, buffer);
    }
    library = behaviour.batch.iter().fold(library, Library::batch);
    if let Some(slots) = behaviour.callback_slots {
        library = library.callback_slots(slots);
    }
    behaviour.raise.iter().fold(library, Library::raise)
}

/// Writes the files that a crate ships, with the names that `omniglot_build::Prebuilt` expects.
fn write(directory: &Path, name: &str, preview: &Preview) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(|error| Failure::File(directory.to_owned(), error))?;
    let files = [(format!("{name}.rs"), &preview.rust), (format!("{name}_shims.c"), &preview.c)];
    for (file, text) in files {
        let path = directory.join(file);
        fs::write(&path, text).map_err(|error| Failure::File(path.clone(), error))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::default_name;

    #[test]
    fn a_library_is_named_after_its_first_header() {
        for (header, name) in [("zlib.h", "zlib"), ("c/lib-a.h", "lib_a"), ("/x/y.z.h", "y_z")] {
            assert_eq!(default_name(&[header.to_owned(), "other.h".to_owned()]), name);
        }
    }
}
