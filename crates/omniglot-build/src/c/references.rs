//! C that only refers to what a library must define.
//!
//! It takes a small part of the shims' time to compile. So what the library lacks is known before
//! they are compiled, and they are compiled once.

use std::fmt::Write as _;

use crate::bindings::Bindings;
use crate::model::{Callee, Function};
use crate::read;
use crate::shims::{self, Shim};

/// Compilers that cannot say what is built in get no reference to a function.
const BUILT_IN: &str = "\
#ifndef __has_builtin
#define __has_builtin(name) 1
#endif";

/// Returns C with one function for each shim that needs a symbol of the library. It has the shim's
/// name, so the linker's messages about it are those about the shim.
pub(crate) fn references(bindings: &Bindings) -> String {
    let mut text = read::include_lines(&bindings.options);
    let _ = writeln!(text, "\n{BUILT_IN}");
    for shim in shims::shims(&bindings.model) {
        // Writing to a `String` cannot fail.
        let _ = match shim {
            Shim::Call(function) if is_symbol(function) => {
                // The compiler may need no symbol for the call of such a function: `fabs`.
                let (name, callee) = (shim.name(), function.callee());
                writeln!(
                    text,
                    "#if !__has_builtin(__builtin_{callee})\n\
                     void *{name}(void) {{ return (void *)({callee}); }}\n\
                     #endif"
                )
            }
            Shim::Address(global) => {
                let (name, global) = (shim.name(), &global.c_name);
                writeln!(text, "void *{name}(void) {{ return (void *)&{global}; }}")
            }
            _ => Ok(()),
        };
    }
    text
}

/// Whether calls of a function surely need its symbol. One that is inlined may have none.
fn is_symbol(function: &Function) -> bool {
    function.callee != Callee::Macro && !function.is_inline
}
