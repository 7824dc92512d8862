//! The library that the guide's chapters use, and the chapters as tests: every block of Rust code
//! in them is compiled and run. The package `omniglot-readme` builds the chapters that are whole
//! crates.
#![forbid(unsafe_code)]

/// Bindings to `c/parts.h`.
#[allow(missing_docs)]
pub mod parts {
    omniglot::include_library!("parts");
}

macro_rules! chapter {
    ($name:ident, $file:literal) => {
        #[cfg(doctest)]
        #[doc = include_str!(concat!("../../../docs/guide/src/", $file))]
        mod $name {}
    };
}

chapter!(what_it_is, "what-it-is.md");
chapter!(mistakes, "mistakes.md");
chapter!(memory, "memory.md");
chapter!(strings_and_structs, "strings-and-structs.md");
chapter!(callbacks, "callbacks.md");
chapter!(objects, "objects.md");
chapter!(errors, "errors.md");
chapter!(threads, "threads.md");
chapter!(outside_world, "outside-world.md");
chapter!(isolation, "isolation.md");
chapter!(debugging, "debugging.md");
chapter!(shipping, "shipping.md");
chapter!(from_bindgen, "from-bindgen.md");
chapter!(how_it_works, "how-it-works.md");
chapter!(writing_a_runtime, "writing-a-runtime.md");
chapter!(comparison, "comparison.md");
