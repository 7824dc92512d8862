//! From bindgen's Rust to the model.

mod constants;
mod facts;
mod records;
mod types;

use std::collections::BTreeMap;

use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, ForeignItem, Item, Lit, Meta, UseTree};

use crate::identifiers::Identifiers;
use crate::model::{
    Alias, Callee, Constant, ConstantType, Definition, Function, Global, Model, Parameter,
    Signature, Type,
};
use crate::parse::Parsed;
use crate::{described, names};
use facts::Facts;

/// Translates what bindgen wrote.
pub(crate) fn lower(parsed: &Parsed) -> Model {
    let facts = Facts::collect(&parsed.file);
    let mut lowering = Lowering {
        model: Model::default(),
        facts,
        identifiers: parsed.declared.identifiers.clone(),
        renamed: parsed.renamed.clone(),
        anonymous: BTreeMap::new(),
    };
    parsed.file.items.iter().for_each(|item| lowering.item(item));
    parsed.declared.constants.iter().for_each(|found| lowering.macro_constant(found));
    let Lowering { mut model, renamed, .. } = lowering;
    model.renamed = renamed;
    model.macros = parsed.macros.clone();
    model.places = parsed.places.clone();
    model.declared = parsed.declared.clone();
    model
}

struct Lowering {
    model: Model,
    facts: Facts,
    identifiers: Identifiers,
    renamed: BTreeMap<String, String>,
    /// Signatures without a name in C: their Rust text and the name that they got.
    anonymous: BTreeMap<String, String>,
}

impl Lowering {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Struct(item) => self.record(item),
            Item::Union(item) => self.union(item),
            Item::Enum(item) => self.enumeration(item),
            Item::Const(item) => self.constant(item),
            Item::Type(item) => self.alias(&item.ident.to_string(), &item.ty, docs(&item.attrs)),
            Item::Use(item) => self.renamed(&item.tree),
            Item::ForeignMod(item) => {
                let convention = convention(item.abi.name.as_ref());
                item.items.iter().for_each(|item| self.foreign(item, convention.as_deref()));
            }
            _ => {}
        }
    }

    fn foreign(&mut self, item: &ForeignItem, convention: Option<&str>) {
        match item {
            ForeignItem::Fn(item) => self.function(item, convention),
            ForeignItem::Static(item) => {
                let name = item.ident.to_string();
                let ty = self.ty(&item.ty, &name);
                let c_name = self.c_name(&name, &item.attrs);
                let constant = !matches!(item.mutability, syn::StaticMutability::Mut(_));
                let docs = docs(&item.attrs);
                self.model.globals.push(Global { name, c_name, ty, constant, docs });
            }
            _ => {}
        }
    }

    fn function(&mut self, item: &syn::ForeignItemFn, convention: Option<&str>) {
        let declared = item.sig.ident.to_string();
        let described = described::name(&declared);
        let name = described.unwrap_or(&declared).to_owned();
        let inputs = item.sig.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(input) => Some((input.pat.to_token_stream().to_string(), &*input.ty)),
            syn::FnArg::Receiver(_) => None,
        });
        let parameters = self.parameters(&name, inputs);
        let result = self.result(&name, &item.sig.output);
        let is_described = described.is_some();
        let function = Function {
            c_name: if is_described { name.clone() } else { self.c_name(&name, &item.attrs) },
            parameters,
            result,
            variadic: item.sig.variadic.is_some(),
            convention: convention.map(str::to_owned),
            callee: Callee::Itself,
            guard: None,
            raises: false,
            is_batched: false,
            must_use: false,
            wrapping: None,
            docs: docs(&item.attrs),
            name,
        };
        let list = if is_described { &mut self.model.described } else { &mut self.model.functions };
        list.push(function);
    }

    /// The C name of a function or variable: bindgen says so where it escaped it. Other link
    /// names are assembler labels, which the C compiler knows itself.
    fn c_name(&self, rust: &str, attributes: &[Attribute]) -> String {
        let linked = attributes.iter().find_map(|attribute| text_of(attribute, "link_name"));
        let linked = linked.as_deref().map(|name| name.trim_start_matches('\u{1}'));
        match linked {
            Some(linked) if names::escape(linked) == rust => linked.to_owned(),
            // bindgen numbers functions that it escapes alike.
            Some(linked) if !self.identifiers.knows(rust) && self.identifiers.knows(linked) => {
                linked.to_owned()
            }
            _ => self.identifiers.in_c(rust).to_owned(),
        }
    }

    fn parameters<'a>(
        &mut self,
        function: &str,
        inputs: impl Iterator<Item = (String, &'a syn::Type)>,
    ) -> Vec<Parameter> {
        let lowered = inputs.map(|(name, ty)| {
            let c_name = self.identifiers.in_c(&name).to_owned();
            let ty = self.ty(ty, &format!("{function}_{}", names::word(&c_name)));
            let name = if names::is_local(&name) { format!("{name}_") } else { name };
            Parameter { name, c_name, ty }
        });
        lowered.collect()
    }

    fn result(&mut self, function: &str, output: &syn::ReturnType) -> Type {
        match output {
            syn::ReturnType::Default => Type::Void,
            syn::ReturnType::Type(_, ty) => self.ty(ty, &format!("{function}_result")),
        }
    }

    /// A typedef. One of a function pointer names a signature.
    fn alias(&mut self, name: &str, ty: &syn::Type, docs: String) {
        if names::is_va_list(name) || self.identifiers.is_ambiguous(name) {
            return;
        }
        let target = match types::function_pointer(ty) {
            Some(function) => {
                self.signature(name, function, docs.clone(), true);
                Type::Function(name.to_owned())
            }
            None => self.ty(ty, name),
        };
        let definition = Definition::Alias(Alias { target, docs });
        self.model.types.insert(name.to_owned(), definition);
    }

    fn signature(&mut self, name: &str, function: &syn::TypeFnPtr, docs: String, named: bool) {
        let inputs = function.inputs.iter().enumerate().map(|(index, input)| {
            let name = input.name.as_ref().map(|(name, _)| name.to_string());
            (name.unwrap_or_else(|| format!("arg{}", index + 1)), &input.ty)
        });
        let parameters = self.parameters(name, inputs);
        let result = self.result(name, &function.output);
        self.model.signatures.push(Signature {
            name: name.to_owned(),
            parameters,
            result,
            variadic: function.variadic.is_some(),
            convention: function.abi.as_ref().and_then(|abi| convention(abi.name.as_ref())),
            docs,
            named,
            bound: true,
        });
    }

    /// `pub use self::color as color_t`: how bindgen writes a typedef of an enum.
    fn renamed(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.renamed(&path.tree),
            UseTree::Rename(rename) => {
                let target = Type::Named(rename.ident.to_string());
                let alias = Definition::Alias(Alias { target, docs: String::new() });
                self.model.types.insert(rename.rename.to_string(), alias);
            }
            _ => {}
        }
    }

    fn constant(&mut self, item: &syn::ItemConst) {
        let name = item.ident.to_string();
        if name == "_" {
            return;
        }
        let ty = match &*item.ty {
            syn::Type::Reference(text) => ConstantType::Text(text.to_token_stream()),
            number => ConstantType::Value(self.ty(number, &name)),
        };
        let value = item.expr.to_token_stream();
        let c_name = self.identifiers.in_c(&name).to_owned();
        let (confirmed, docs) = (None, docs(&item.attrs));
        self.model.constants.push(Constant { name, c_name, ty, value, confirmed, docs });
    }
}

/// A calling convention that is not the one of C.
fn convention(name: Option<&syn::LitStr>) -> Option<String> {
    name.map(syn::LitStr::value).filter(|name| !matches!(name.as_str(), "C" | "C-unwind"))
}

/// The C comment that bindgen kept.
fn docs(attributes: &[Attribute]) -> String {
    let lines: Vec<String> =
        attributes.iter().filter_map(|attribute| text_of(attribute, "doc")).collect();
    lines.join("\n")
}

/// The text of `#[name = "text"]`.
fn text_of(attribute: &Attribute, name: &str) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident(name) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
