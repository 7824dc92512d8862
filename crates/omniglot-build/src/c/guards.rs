//! Guards: a `longjmp` out of a guarded function ends the call, not the domain.

use super::{C, argument_name};
use crate::model::Function;
use crate::spell;

impl C<'_> {
    /// What all guards share. The buffer's old content is put back, so that a guarded
    /// call inside a callback leaves the outer call's guard in place.
    pub(super) fn guards(&mut self) {
        if self.bindings.model.functions.iter().all(|function| function.guard.is_none()) {
            return;
        }
        self.line(
            "/* Runs a shim's call; a longjmp to the buffer makes the frame's status 1. */\n\
             static void omniglot_guarded(jmp_buf *buffer, void (*call)(void *), void *opaque)\n{\n\
             \x20   jmp_buf *volatile place = buffer;\n\
             \x20   void *volatile frame = opaque;\n\
             \x20   jmp_buf outer;\n\
             \x20   if (!buffer) {\n\
             \x20       call(opaque);\n\
             \x20       return;\n\
             \x20   }\n\
             \x20   memcpy(&outer, *buffer, sizeof outer);\n\
             \x20   if (setjmp(*buffer) == 0)\n\
             \x20       call(opaque);\n\
             \x20   else\n\
             \x20       *(uint32_t *)frame = 1;\n\
             \x20   memcpy(*place, &outer, sizeof outer);\n}\n\n\
             /* A buffer may be reached through a const parameter. */\n\
             #ifdef __clang__\n\
             #pragma GCC diagnostic ignored \"-Wincompatible-pointer-types-discards-qualifiers\"\n\
             #else\n\
             #pragma GCC diagnostic ignored \"-Wdiscarded-qualifiers\"\n\
             #endif\n",
        );
    }

    /// A guarded function's shim; `plain` is the shim without the guard.
    pub(super) fn guarded(&mut self, shim: &str, plain: &str, function: &Function, buffer: &str) {
        let name = &function.c_name;
        self.line(format_args!(
            "static jmp_buf *omniglot_buffer_of_{name}(struct omniglot_frame_{name} *omniglot_frame)\n{{"
        ));
        for parameter in &function.parameters {
            let declaration =
                spell::declare(&self.bindings.model, &parameter.ty, &parameter.c_name);
            self.line(format_args!(
                "    {declaration} = omniglot_frame->{};",
                argument_name(parameter)
            ));
        }
        let unused: Vec<String> = function
            .parameters
            .iter()
            .map(|parameter| format!("(void){};", parameter.c_name))
            .collect();
        self.line(format_args!("    {}", unused.join(" ")));
        self.line(format_args!(
            "    _Static_assert(sizeof({buffer}) == sizeof(jmp_buf), \"the guard is no jmp_buf\");\n\
             \x20   return (jmp_buf *)&({buffer});\n}}\n"
        ));
        self.line(format_args!(
            "static void {shim}(void *omniglot_opaque)\n{{\n\
             \x20   omniglot_guarded(omniglot_buffer_of_{name}(omniglot_opaque), {plain}, omniglot_opaque);\n}}\n"
        ));
    }
}
