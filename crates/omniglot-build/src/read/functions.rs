//! Functions, and the types of pointers to them.

use clang::{CallingConvention, Entity, EntityKind, Type as CType, TypeKind, Visibility};

use super::clang_types;
use super::reader::{At, Reader};
use super::{comments, tree};
use crate::model::{Callee, Function, Parameter, Signature, Type};
use crate::{described, diagnostics, names};

impl<'tu> Reader<'_, 'tu> {
    pub(super) fn function(&mut self, entity: Entity<'tu>) {
        let Some(declared) = entity.get_name() else { return };
        self.model.places.insert(declared.clone(), tree::place(&entity));
        if entity.get_visibility() == Some(Visibility::Hidden) {
            self.model.said.push((declared, diagnostics::is_hidden()));
            return;
        }
        let described = described::name(&declared);
        let c_name = described.unwrap_or(&declared).to_owned();
        let Some((ty, known)) = prototype(&entity) else { return };
        let parameters = self.parameters(&c_name, ty, &known);
        let result = self.result(&c_name, ty.get_result_type());
        let is_described = described.is_some();
        let name = if is_described { c_name.clone() } else { self.names.of_function(&c_name) };
        let function = Function {
            name,
            c_name,
            variadic: is_variadic(ty),
            parameters,
            result,
            convention: convention(ty),
            callee: Callee::Itself,
            is_inline: entity.is_inline_function(),
            guard: None,
            raises: false,
            is_batched: false,
            must_use: false,
            wrapping: None,
            docs: comments::of(&entity),
        };
        let list = if is_described { &mut self.model.described } else { &mut self.model.functions };
        list.push(function);
    }

    /// The type of a pointer to a function; `entity` is what is declared with it.
    pub(super) fn signature(
        &mut self,
        name: &str,
        function: CType<'tu>,
        entity: Option<Entity<'tu>>,
        docs: String,
        named: bool,
    ) {
        let known = entity.map(parameters_of).unwrap_or_default();
        let parameters = self.parameters(name, function, &known);
        let result = self.result(name, function.get_result_type());
        self.model.signatures.push(Signature {
            name: name.to_owned(),
            variadic: is_variadic(function),
            parameters,
            result,
            convention: convention(function),
            docs,
            named,
            bound: true,
        });
    }

    /// The parameters of a function's type; `known` are its declarations, if they are at hand.
    fn parameters(
        &mut self,
        name: &str,
        function: CType<'tu>,
        known: &[Entity<'tu>],
    ) -> Vec<Parameter> {
        let types = function.get_argument_types().unwrap_or_default();
        // A function within a function's type has parameters, too.
        let known = if known.len() == types.len() { known } else { &[] };
        let mut nameless = 0;
        let mut parameters = Vec::new();
        for (index, ty) in types.into_iter().enumerate() {
            let entity = known.get(index).copied();
            let own = entity.and_then(|entity| entity.get_name());
            let c_name = own.filter(|name| !name.is_empty()).unwrap_or_else(|| {
                nameless += 1;
                format!("arg{nameless}")
            });
            let at = At { name: &format!("{name}_{}", names::word(&c_name)), entity };
            let ty = self.passed(ty, at);
            let escaped = names::escape(&c_name);
            let is_local = names::is_local(&escaped);
            let name = if is_local { format!("{escaped}_") } else { escaped };
            parameters.push(Parameter { name, c_name, ty });
        }
        parameters
    }

    fn result(&mut self, function: &str, ty: Option<CType<'tu>>) -> Type {
        let at = At { name: &format!("{function}_result"), entity: None };
        ty.map_or(Type::Void, |ty| self.ty(ty, at))
    }
}

/// A function's type, and its parameters. A typedef may have both.
fn prototype<'tu>(entity: &Entity<'tu>) -> Option<(CType<'tu>, Vec<Entity<'tu>>)> {
    let mut ty = clang_types::plain(entity.get_type()?);
    let mut known = entity.get_arguments().unwrap_or_default();
    while ty.get_kind() == TypeKind::Typedef {
        let typedef = ty.get_declaration()?;
        known = parameters_of(typedef);
        ty = clang_types::plain(typedef.get_typedef_underlying_type()?);
    }
    clang_types::function(ty).map(|ty| (ty, known))
}

fn parameters_of(entity: Entity<'_>) -> Vec<Entity<'_>> {
    let children = entity.get_children().into_iter();
    children.filter(|child| child.get_kind() == EntityKind::ParmDecl).collect()
}

/// Returns true if a function takes more arguments than it names; C23 has some that name none.
///
/// libclang also says so of functions without a prototype. Nothing is known of what those take, and
/// they are bound without parameters.
fn is_variadic(function: CType<'_>) -> bool {
    function.is_variadic() && function.get_kind() != TypeKind::FunctionNoPrototype
}

/// A calling convention that is not the one of C.
fn convention(function: CType<'_>) -> Option<String> {
    let name = match function.get_canonical_type().get_calling_convention() {
        Some(CallingConvention::Cdecl | CallingConvention::AapcsVfp) => return None,
        Some(CallingConvention::Unexposed) | None => "unknown",
        Some(CallingConvention::Win64) => "win64",
        Some(CallingConvention::SysV64) => "sysv64",
        Some(CallingConvention::Stdcall) => "stdcall",
        Some(CallingConvention::Fastcall) => "fastcall",
        Some(CallingConvention::Thiscall) => "thiscall",
        Some(CallingConvention::Vectorcall) => "vectorcall",
        Some(CallingConvention::Aapcs) => "aapcs",
        Some(CallingConvention::PreserveMost) => "preserve_most",
        Some(CallingConvention::PreserveAll) => "preserve_all",
        Some(CallingConvention::RegCall) => "regcall",
        Some(CallingConvention::Pascal) => "pascal",
        Some(CallingConvention::Swift) => "swiftcall",
        Some(CallingConvention::IntelOcl) => "intel_ocl_bicc",
    };
    Some(name.to_owned())
}
