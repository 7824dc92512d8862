//! The table of layouts: what Rust asserts, and the C compiler too.
//!
//! It is text, a line for each type and each frame, behind everything that a user reads.

use std::fmt::Write as _;

use proc_macro2::TokenStream;

use super::Rust;
use crate::layout::{Frame, MemberUse};
use crate::model::{Definition, Parameter, Record, Shape};
use crate::shims::Shim;

impl Rust<'_> {
    /// The whole table, or nothing where there is nothing to assert.
    pub(super) fn layouts(self) -> String {
        let types = self.type_layouts();
        let frames = self.frame_layouts();
        if types.is_empty() && frames.is_empty() {
            return String::new();
        }
        format!(
            "\n// Everything is laid out as in C: sizes, alignments and offsets in bytes.\n\
             #[rustfmt::skip]\n\
             const _: () = {{\n    #[allow(clippy::wildcard_imports, unused_imports)]\n    use generated::*;\n\
             {types}{frames}}};\n"
        )
    }

    fn type_layouts(self) -> String {
        let mut table = String::new();
        for (name, definition) in self.bindings.model.types.iter() {
            let Definition::Record(record) = definition else { continue };
            if record.size == 0 || matches!(record.shape, Shape::Newtype { .. }) {
                continue;
            }
            let Record { size, align, .. } = record;
            let is_struct = matches!(record.shape, Shape::Struct { .. });
            let fields = record.fields.iter().filter(|_| is_struct);
            let fields: Vec<String> = fields
                .filter_map(|field| Some(format!("{}: {}", field.name, field.offset?)))
                .collect();
            let fields = braced(&fields);
            // Writing to a `String` cannot fail.
            let _ = writeln!(table, "        {name}: {size}, {align}, {fields};");
        }
        invoked("assert_layouts", &table)
    }

    fn frame_layouts(self) -> String {
        let mut table = String::new();
        for shim in self.shims {
            let (name, parameters, frame) = match shim {
                Shim::Call(function) => {
                    let (parameters, result) = (&function.parameters, &function.result);
                    let frame = Frame::of_function(self.bindings.layouts(), parameters, result);
                    (&function.name, parameters, frame)
                }
                Shim::Pointer(signature) => {
                    let (parameters, result) = (&signature.parameters, &signature.result);
                    let frame = Frame::of_signature(self.bindings.layouts(), parameters, result);
                    (&signature.name, parameters, frame)
                }
                _ => continue,
            };
            let Ok(frame) = frame else { continue };
            let _ = writeln!(table, "        {name}: {};", self.frame_layout(parameters, &frame));
        }
        invoked("assert_frames", &table)
    }

    /// `24, { 1: u32 = 8, 2: u64 = 16 }`
    fn frame_layout(self, parameters: &[Parameter], frame: &Frame) -> String {
        let members = (1..).zip(&frame.members).filter_map(|(index, member)| {
            let ty = match member.role {
                MemberUse::Argument(index) => self.ty(&parameters.get(index)?.ty),
                MemberUse::Result | MemberUse::Function => self.ty(&member.ty),
            };
            Some(format!("{index}: {} = {}", compact(&ty), member.offset))
        });
        format!("{}, {}", frame.size, braced(&members.collect::<Vec<_>>()))
    }
}

/// `{ a: 1, b: 2 }`
fn braced(members: &[String]) -> String {
    if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
}

fn invoked(name: &str, table: &str) -> String {
    if table.is_empty() {
        return String::new();
    }
    format!("    ::omniglot::{name}! {{\n{table}    }}\n")
}

/// A type as one writes it, without the spaces of tokens.
fn compact(ty: &TokenStream) -> String {
    let text = ty.to_string();
    [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        (" <", "<"),
        (" >", ">"),
        (" ;", ";"),
        (" ,", ","),
    ]
    .iter()
    .fold(text, |text, (from, to)| text.replace(from, to))
}
