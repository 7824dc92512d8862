//! What bindgen says about types apart from their definitions: sizes and offsets in its layout
//! tests, further names of enum values, newtypes' values.

use std::collections::{BTreeMap, VecDeque};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{BinOp, Expr, ExprLit, GenericArgument, ImplItem, Item, Lit, Stmt};

/// All facts, by type name.
#[derive(Debug, Default)]
pub(super) struct Facts {
    layouts: BTreeMap<String, LayoutFacts>,
    synonyms: BTreeMap<String, Vec<(String, String)>>,
    impls: BTreeMap<String, Vec<TokenStream>>,
    bit_fields: BTreeMap<String, Vec<BitFieldFacts>>,
}

/// A bit-field, from bindgen's method that reads it.
#[derive(Debug)]
pub(super) struct BitFieldFacts {
    pub(super) name: String,
    pub(super) ty: syn::Type,
    pub(super) storage: String,
    pub(super) offset: u64,
    pub(super) width: u64,
}

/// Numbers from clang.
#[derive(Debug, Default)]
pub(super) struct LayoutFacts {
    pub(super) size: u64,
    pub(super) align: u64,
    /// In the fields' order, since two can have one name here that have two in C.
    offsets: BTreeMap<String, VecDeque<u64>>,
}

impl Facts {
    pub(super) fn collect(file: &syn::File) -> Self {
        let mut facts = Self::default();
        for item in &file.items {
            match item {
                Item::Const(item) if item.ident == "_" => facts.layout_tests(&item.expr),
                Item::Impl(item) => facts.implementation(item),
                _ => {}
            }
        }
        facts
    }

    /// The layout of a type; `None` for one that the header only declares.
    pub(super) fn layout(&self, name: &str) -> Option<&LayoutFacts> {
        self.layouts.get(name)
    }

    /// Takes the offset of the next field of this name.
    pub(super) fn offset(&mut self, record: &str, field: &str) -> Option<u64> {
        self.layouts.get_mut(record)?.offsets.get_mut(field)?.pop_front()
    }

    pub(super) fn synonyms(&mut self, name: &str) -> Vec<(String, String)> {
        self.synonyms.remove(name).unwrap_or_default()
    }

    pub(super) fn impls(&mut self, name: &str) -> Vec<TokenStream> {
        self.impls.remove(name).unwrap_or_default()
    }

    pub(super) fn bit_fields(&mut self, name: &str) -> Vec<BitFieldFacts> {
        self.bit_fields.remove(name).unwrap_or_default()
    }

    fn layout_tests(&mut self, tests: &Expr) {
        let Expr::Block(block) = tests else { return };
        for statement in &block.block.stmts {
            if let Stmt::Expr(Expr::Index(test), _) = statement {
                self.layout_test(test);
            }
        }
    }

    /// One `["Size of point"][size_of::<point>() - 8usize]`.
    fn layout_test(&mut self, test: &syn::ExprIndex) -> Option<()> {
        let Expr::Array(message) = &*test.expr else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Str(message), .. }) = message.elems.first()? else {
            return None;
        };
        let Expr::Binary(difference) = &*test.index else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = &*difference.right else {
            return None;
        };
        matches!(difference.op, BinOp::Sub(_)).then_some(())?;
        self.note(&message.value(), number.base10_parse().ok()?)
    }

    fn note(&mut self, message: &str, number: u64) -> Option<()> {
        if let Some(name) = message.strip_prefix("Size of ") {
            self.layouts.entry(name.to_owned()).or_default().size = number;
        } else if let Some(name) = message.strip_prefix("Alignment of ") {
            self.layouts.entry(name.to_owned()).or_default().align = number;
        } else {
            let (name, field) = message.strip_prefix("Offset of field: ")?.split_once("::")?;
            let layout = self.layouts.entry(name.to_owned()).or_default();
            layout.offsets.entry(field.to_owned()).or_default().push_back(number);
        }
        Some(())
    }

    /// `impl color { pub const BLUE: color = color::GREEN; }` and newtypes' operators.
    fn implementation(&mut self, item: &syn::ItemImpl) {
        let name = item.self_ty.to_token_stream().to_string();
        for member in &item.items {
            let ImplItem::Const(constant) = member else { continue };
            if let Expr::Path(path) = &constant.expr {
                let target = path.path.segments.last().map(|segment| segment.ident.to_string());
                let synonym = (constant.ident.to_string(), target.unwrap_or_default());
                self.synonyms.entry(name.clone()).or_default().push(synonym);
            }
        }
        let methods = item.items.iter().filter_map(|member| match member {
            ImplItem::Fn(method) => bit_field(method),
            _ => None,
        });
        self.bit_fields.entry(name.clone()).or_default().extend(methods);
        let mut documented = item.clone();
        documented.items.iter_mut().for_each(document);
        self.impls.entry(name).or_default().push(documented.to_token_stream());
    }
}

/// `fn a(&self) -> u32 { unsafe { transmute(self._bitfield_1.get_const::<0usize, 3u8>() as u32) } }`
fn bit_field(method: &syn::ImplItemFn) -> Option<BitFieldFacts> {
    let syn::ReturnType::Type(_, ty) = &method.sig.output else { return None };
    let Some(Stmt::Expr(Expr::Unsafe(body), _)) = method.block.stmts.first() else { return None };
    let Some(Stmt::Expr(Expr::Call(transmute), _)) = body.block.stmts.first() else { return None };
    let Expr::Cast(cast) = transmute.args.first()? else { return None };
    let Expr::MethodCall(get) = &*cast.expr else { return None };
    let Expr::Field(storage) = &*get.receiver else { return None };
    if get.method != "get_const" || storage.base.to_token_stream().to_string() != "self" {
        return None;
    }
    let mut place = get.turbofish.as_ref()?.args.iter().filter_map(literal);
    Some(BitFieldFacts {
        name: method.sig.ident.to_string(),
        ty: (**ty).clone(),
        storage: storage.member.to_token_stream().to_string(),
        offset: place.next()?,
        width: place.next()?,
    })
}

fn literal(argument: &GenericArgument) -> Option<u64> {
    match argument {
        GenericArgument::Const(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) => {
            number.base10_parse().ok()
        }
        _ => None,
    }
}

/// Gives a constant without a comment a sentence.
fn document(member: &mut ImplItem) {
    let ImplItem::Const(constant) = member else { return };
    if constant.attrs.is_empty() {
        let docs = format!(" `{}` in C.", constant.ident);
        constant.attrs.push(syn::parse_quote!(#[doc = #docs]));
    }
}
