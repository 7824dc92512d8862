//! Assertions that the C compiler evaluates every macro as clang does.

use super::C;
use crate::code::{AHEAD, Item};
use crate::model::{Confirmed, Constant};

/// Warnings about what a header's macros do, which only its author can change.
const IGNORED: [&str; 2] = ["-Wmultichar", "-Wunused-value"];

impl C<'_> {
    /// To be written where the header's macros still are what they were. A comparison that holds
    /// leaves nothing behind; one that does not is an error, since it leaves a call.
    pub(super) fn constants(&mut self) {
        let constants = &self.bindings.model.constants;
        if constants.iter().all(|constant| constant.confirmed.is_none()) {
            return;
        }
        self.line(format_args!("#ifndef {AHEAD}\n#pragma GCC diagnostic push"));
        for warning in IGNORED {
            self.line(format_args!("#pragma GCC diagnostic ignored \"{warning}\""));
        }
        self.line(
            "__attribute__((error(\"it has another value\"))) void omniglot_differs(void);\n\
             __attribute__((used)) static void omniglot_constants(void)\n{",
        );
        for constant in constants {
            let Some(confirmed) = &constant.confirmed else { continue };
            let item = Item::Constant(constant.c_name.clone());
            self.unit(Some(item), |c| c.constant(constant, confirmed));
        }
        self.line("}\n#pragma GCC diagnostic pop\n#endif\n");
    }

    fn constant(&mut self, constant: &Constant, confirmed: &Confirmed) {
        let name = &constant.c_name;
        if let Some(ty) = &confirmed.ty {
            self.line(format_args!(
                "    _Static_assert(__builtin_types_compatible_p(__typeof__(({name})), {ty}), \
                 \"type of {name}\");"
            ));
        }
        if let Some(value) = &confirmed.value {
            self.line(format_args!("    if (({name}) != {value}) omniglot_differs();"));
        }
    }
}
