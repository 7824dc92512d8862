//! Generates bindings to a small library that crashes or never returns.

use omniglot_build::{Library, Result};

fn main() -> Result<()> {
    Library::new("trouble").header("trouble.h").include("c").source("c/trouble.c").generate()
}
