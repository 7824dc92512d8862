//! Trampolines, which C calls and which call the host, and calls by address.

use super::{C, argument_name};
use crate::code::Item;
use crate::layout::{Frame, MemberUse};
use crate::model::{Parameter, Signature, Type};
use crate::shims::{Shim, bound_signatures};
use crate::spell;

impl C<'_> {
    /// Everything that callbacks into the host need.
    pub(super) fn callbacks(&mut self) {
        self.line("/* The runtime sets this; it calls the host. */");
        self.line("static void (*omniglot_callback)(uint32_t, void *);\n");
        let bindings = self.bindings;
        let slots = bindings.addresses();
        let mut first = 0;
        for signature in bound_signatures(&bindings.model) {
            self.unit(Some(Item::Signature(signature.name.clone())), |c| {
                c.trampolines(signature, first);
            });
            first += slots;
        }
        self.line("static void (*const omniglot_trampolines[])(void) = {");
        for signature in bound_signatures(&bindings.model) {
            for slot in 0..slots {
                self.line(format_args!(
                    "    (void (*)(void))omniglot_trampoline_{}_{slot},",
                    signature.name
                ));
            }
        }
        // C has no empty arrays.
        self.line("    0\n};\n");
    }

    fn trampolines(&mut self, signature: &Signature, first: u32) {
        let name = &signature.name;
        let result = self.result_type(signature);
        let parameters = self.typed(&signature.parameters, argument_name);
        self.line(format_args!("#define OMNIGLOT_TRAMPOLINE_{name}(slot) \\"));
        self.line(format_args!(
            "    static {result} omniglot_trampoline_{name}_##slot({parameters}) \\"
        ));
        self.line("    { \\");
        self.line(format_args!("        struct omniglot_pointer_frame_{name} omniglot_frame; \\"));
        self.line("        memset(&omniglot_frame, 0, sizeof omniglot_frame); \\");
        for parameter in &signature.parameters {
            let argument = argument_name(parameter);
            let ty = self.bindings.model.types.resolve(&parameter.ty);
            let assign = spell::assign(
                &self.bindings.model,
                &format!("omniglot_frame.{argument}"),
                ty,
                &argument,
            );
            self.line(format_args!("        {assign} \\"));
        }
        self.line(format_args!("        omniglot_callback({first} + slot, &omniglot_frame); \\"));
        if result != "void" {
            self.line("        return omniglot_frame.result; \\");
        }
        self.line("    }");
        for slot in 0..self.bindings.addresses() {
            self.line(format_args!("OMNIGLOT_TRAMPOLINE_{name}({slot})"));
        }
        self.line("");
    }

    /// The shim that calls a function by its address.
    pub(super) fn pointer(&mut self, signature: &Signature) {
        let parameters = &signature.parameters;
        let frame = Frame::of_signature(self.bindings.layouts(), parameters, &signature.result);
        let Ok(frame) = frame else { return };
        let name = &signature.name;
        self.frame(&format!("omniglot_pointer_frame_{name}"), parameters, &frame);
        let types = self.typed(parameters, |_| String::new());
        let arguments: Vec<String> = frame
            .members
            .iter()
            .filter_map(|member| match member.role {
                MemberUse::Argument(index) => parameters.get(index),
                MemberUse::Result | MemberUse::Function => None,
            })
            .map(|parameter| format!("omniglot_frame->{}", argument_name(parameter)))
            .collect();
        let result = self.result_type(signature);
        let call =
            format!("(({result} (*)({types}))omniglot_frame->function)({})", arguments.join(", "));
        let ty = self.bindings.model.types.resolve(&signature.result);
        let call = spell::assign(&self.bindings.model, "omniglot_frame->result", ty, &call);
        let shim = Shim::Pointer(signature).name();
        self.line(format_args!(
            "static void {shim}(void *omniglot_opaque)\n{{\n\
             \x20   struct omniglot_pointer_frame_{name} *omniglot_frame = omniglot_opaque;\n\
             \x20   {call}\n\
             \x20   omniglot_frame->error_number = errno;\n}}\n"
        ));
    }

    fn result_type(&self, signature: &Signature) -> String {
        match self.bindings.model.types.resolve(&signature.result) {
            Type::Void => "void".to_owned(),
            result => spell::frame_type(&self.bindings.model, result),
        }
    }

    fn typed(&self, parameters: &[Parameter], name: impl Fn(&Parameter) -> String) -> String {
        let typed: Vec<String> = parameters
            .iter()
            .map(|parameter| {
                let ty = spell::frame_type(&self.bindings.model, &parameter.ty);
                format!("{ty} {}", name(parameter)).trim_end().to_owned()
            })
            .collect();
        if typed.is_empty() { "void".to_owned() } else { typed.join(", ") }
    }
}
