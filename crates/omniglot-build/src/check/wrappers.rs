//! Resolves the descriptions of wrappers against the functions that they describe.

use std::collections::BTreeSet;

use super::handles::Makers;
use super::{annotations, handles, statuses};
use crate::annotated::{Annotated, Null};
use crate::diagnostics;
use crate::error::{Error, Problem, Result};
use crate::layout::Layouts;
use crate::model::{Definition, Function, Model, Role, Status, Type, Types, Wrapping};
use crate::options::Options;
use crate::scalar::{Scalar, Target};
use crate::wrapper::{Direction, Length, RoleOption, Wrapper};

/// Gives each described function its wrapper; all errors are reported together. `found` receives
/// the header's own annotations that no wrapper can implement.
pub(super) fn bind(
    model: &mut Model,
    options: &Options,
    target: &Target,
    found: &mut Vec<Problem>,
) -> Result<()> {
    let (makers, mut problems) = handles::bind(model, options, target);
    let mut taken: BTreeSet<String> =
        model.functions.iter().map(|function| function.name.clone()).collect();
    let mut wrappers = described(options, &makers);
    statuses::add(model, options, &mut wrappers)?;
    for wrapper in wrappers {
        problems.extend(wrap(model, &wrapper, &makers, target, &mut taken));
    }
    if !problems.is_empty() {
        return Err(Error::Wrappers { problems });
    }
    for wrapper in annotations::wrappers(model, found) {
        let unused = wrap(model, &wrapper, &makers, target, &mut taken).into_iter();
        found.extend(unused.map(|problem| {
            Problem::new(problem.item, diagnostics::annotations_unused(&problem.reason))
        }));
    }
    Ok(())
}

/// The user's wrappers, and bare ones for the other functions that make objects.
fn described(options: &Options, makers: &Makers) -> Vec<Wrapper> {
    let mut wrappers = options.wrappers.clone();
    let is_described = |name: &str| options.wrappers.iter().any(|wrapper| wrapper.function == name);
    let bare = makers.keys().filter(|name| !is_described(name));
    wrappers.extend(bare.map(Wrapper::function));
    wrappers
}

/// Gives a function its wrapper, or returns what is wrong with the description.
fn wrap(
    model: &mut Model,
    wrapper: &Wrapper,
    makers: &Makers,
    target: &Target,
    taken: &mut BTreeSet<String>,
) -> Vec<Problem> {
    match resolve(model, wrapper, makers, target, taken) {
        Ok((index, wrapping)) => {
            if let Some(function) = model.functions.get_mut(index) {
                function.wrapping = Some(wrapping);
            }
            Vec::new()
        }
        Err(reasons) => {
            let problem = |reason| Problem::new(&wrapper.function, reason).placed(&model.places);
            reasons.into_iter().map(problem).collect()
        }
    }
}

type Reasons = Vec<String>;

fn resolve(
    model: &Model,
    wrapper: &Wrapper,
    makers: &Makers,
    target: &Target,
    taken: &mut BTreeSet<String>,
) -> Result<(usize, Wrapping), Reasons> {
    let name = &wrapper.function;
    let position = model.functions.iter().position(|function| &function.c_name == name);
    let function = position.and_then(|index| Some((index, model.functions.get(index)?)));
    let Some((index, function)) = function else {
        return Err(vec![diagnostics::no_function()]);
    };
    let mut reasons = Reasons::new();
    let raw_name = format!("{}_raw", function.name);
    if function.wrapping.is_some() || !taken.insert(raw_name.clone()) {
        reasons.push(diagnostics::wrapped_already(&raw_name));
    }
    let layouts = Layouts { types: &model.types, target };
    let mut resolution = Resolution {
        layouts,
        function,
        declared: model.annotations.get(name),
        roles: vec![Role::Plain; function.parameters.len()],
        reasons,
    };
    wrapper.roles.iter().for_each(|(parameter, role)| resolution.describe(parameter, role));
    let makes = resolution.makes(makers.get(name).map(String::as_str));
    wrapper.optional.iter().for_each(|parameter| resolution.make_optional(parameter));
    let status = resolution.status(model, wrapper);
    resolution.text(wrapper);
    let Resolution { roles, reasons, .. } = resolution;
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let text_limit = wrapper.text_limit;
    Ok((index, Wrapping { raw_name, roles, status, text_limit, makes }))
}

/// A wrapper while its parts are compared with the function.
struct Resolution<'a> {
    layouts: Layouts<'a>,
    function: &'a Function,
    /// The function as clang sees it.
    declared: Option<&'a Annotated>,
    roles: Vec<Role>,
    reasons: Reasons,
}

impl Resolution<'_> {
    fn describe(&mut self, name: &str, role: &RoleOption) {
        let Some(index) = self.parameter(name) else { return };
        let resolved = match role {
            RoleOption::Slice { direction, len } => self.slice(name, index, *direction, len),
            RoleOption::Str => self.text_in(name, index, Role::Str { optional: false }),
            RoleOption::CStr => self.text_in(name, index, Role::CStr { optional: false }),
            RoleOption::Out => self.out(name, index),
        };
        if let Some(resolved) = resolved {
            self.assign(name, index, resolved);
        }
    }

    fn assign(&mut self, name: &str, index: usize, role: Role) {
        match self.roles.get_mut(index) {
            Some(place @ Role::Plain) => *place = role,
            _ => self.reasons.push(diagnostics::described_twice(name)),
        }
    }

    fn parameter(&mut self, name: &str) -> Option<usize> {
        let parameters = &self.function.parameters;
        let found = parameters.iter().position(|parameter| parameter.c_name == name);
        if found.is_none() {
            let names: Vec<&str> =
                parameters.iter().map(|parameter| parameter.c_name.as_str()).collect();
            self.reasons.push(diagnostics::no_parameter(name, &names));
        }
        found
    }

    fn ty(&self, index: usize) -> &Type {
        let parameter = self.function.parameters.get(index);
        parameter.map_or(&Type::Void, |parameter| self.layouts.types.resolve(&parameter.ty))
    }

    fn slice(
        &mut self,
        name: &str,
        index: usize,
        direction: Direction,
        len: &Length,
    ) -> Option<Role> {
        let element = self.element(name, index, direction != Direction::In)?;
        let fixed = match len {
            Length::Fixed(len) => Some(*len),
            Length::Parameter(len) => {
                self.length(len, index, direction)?;
                None
            }
        };
        Some(Role::Slice { direction, element, fixed, optional: false })
    }

    /// The type of a slice's elements; bytes behind `void *` and `char *`.
    fn element(&mut self, name: &str, index: usize, written: bool) -> Option<Type> {
        let Type::Pointer { to, constant } = self.ty(index).clone() else {
            self.reasons.push(diagnostics::parameter_no_data_pointer(name));
            return None;
        };
        if written && constant {
            self.reasons.push(diagnostics::parameter_const(name));
            return None;
        }
        if is_bytes(self.layouts.types, &to) {
            return Scalar::named("u8").map(Type::Scalar);
        }
        match self.layouts.of(&to) {
            Ok(layout) if layout.size > 0 => Some(*to),
            _ => {
                self.reasons.push(diagnostics::size_unknown(name));
                None
            }
        }
    }

    /// Marks a length parameter; slices can share one.
    fn length(&mut self, name: &str, slice: usize, direction: Direction) -> Option<()> {
        let index = self.parameter(name)?;
        let returned = match self.ty(index) {
            Type::Pointer { to, constant: false } if direction != Direction::In => {
                is_integer(self.layouts.types, to).then_some(true)
            }
            ty => is_integer(self.layouts.types, ty).then_some(false),
        };
        let Some(returned) = returned else {
            let wanted = match direction {
                Direction::In => "an integer",
                Direction::Out | Direction::InOut => "an integer or a pointer to one",
            };
            self.reasons.push(diagnostics::length_is_not(name, wanted));
            return None;
        };
        match self.roles.get_mut(index) {
            Some(Role::Length { slices, .. }) => slices.push(slice),
            _ => self.assign(name, index, Role::Length { slices: vec![slice], returned }),
        }
        Some(())
    }

    fn text_in(&mut self, name: &str, index: usize, role: Role) -> Option<Role> {
        let is_text =
            matches!(self.ty(index), Type::Pointer { to, .. } if is_char(self.layouts.types, to));
        if !is_text {
            self.reasons.push(diagnostics::parameter_no_text(name));
        }
        is_text.then_some(role)
    }

    fn out(&mut self, name: &str, index: usize) -> Option<Role> {
        let Type::Pointer { to, constant } = self.ty(index).clone() else {
            self.reasons.push(diagnostics::parameter_no_data_pointer(name));
            return None;
        };
        if constant || !self.layouts.of(&to).is_ok_and(|layout| layout.size > 0) {
            self.reasons.push(diagnostics::not_writable(name));
            return None;
        }
        if self.layouts.is_large(&to) {
            let size = self.layouts.of(&to).map_or(0, |layout| layout.size);
            self.reasons.push(diagnostics::out_large(name, size));
            return None;
        }
        Some(Role::Out { value: *to, owned: false })
    }

    /// Finds where the function gives the object that it makes: whether it is the result.
    fn makes(&mut self, ty: Option<&str>) -> bool {
        let Some(ty) = ty else { return false };
        let types = self.layouts.types;
        if types.pointee(&self.function.result) == Some(ty) {
            return true;
        }
        let parameters = self.function.parameters.iter();
        let mut places = (0..).zip(parameters).filter_map(|(index, parameter)| {
            let Type::Pointer { to, .. } = types.resolve(&parameter.ty) else { return None };
            (types.pointee(to) == Some(ty)).then(|| (index, (**to).clone()))
        });
        let (Some((index, value)), None) = (places.next(), places.next()) else {
            self.reasons.push(diagnostics::makes_none(ty));
            return false;
        };
        match self.roles.get_mut(index) {
            Some(role @ (Role::Plain | Role::Out { .. })) => {
                *role = Role::Out { value, owned: true }
            }
            _ => self.reasons.push(diagnostics::makes_otherwise()),
        }
        false
    }

    /// Whether the header says that the parameter is never null.
    fn is_never_null(&self, index: usize) -> bool {
        let parameter = self.declared.and_then(|declared| declared.parameters.get(index));
        parameter.is_some_and(|parameter| parameter.null == Null::Never)
    }

    fn make_optional(&mut self, name: &str) {
        let Some(index) = self.parameter(name) else { return };
        if self.is_never_null(index) {
            self.reasons.push(diagnostics::never_null(name));
        }
        let is_pointer = matches!(self.ty(index), Type::Pointer { .. } | Type::Function(_));
        match self.roles.get_mut(index) {
            Some(
                Role::Slice { optional, .. } | Role::Str { optional } | Role::CStr { optional },
            ) => *optional = true,
            Some(role @ Role::Plain) if is_pointer => *role = Role::Nullable,
            _ => self.reasons.push(diagnostics::not_optional(name)),
        }
        let shares = |role: &Role| matches!(role, Role::Length { slices, .. } if slices.len() > 1 && slices.contains(&index));
        if self.roles.iter().any(shares) {
            self.reasons.push(diagnostics::shares_length(name));
        }
    }

    fn status(&mut self, model: &Model, wrapper: &Wrapper) -> Option<Status> {
        if let (Some(message), None) = (&wrapper.message, wrapper.success) {
            self.reasons.push(diagnostics::no_status_to_explain(message));
        }
        let success = wrapper.success?;
        let types = self.layouts.types;
        let is_enum = matches!(types.named(&self.function.result), Some(Definition::Enum(_)));
        if !is_enum && !is_integer(types, &self.function.result) {
            self.reasons.push(diagnostics::no_status());
        }
        let message = wrapper.message.as_ref().and_then(|name| self.message(model, name));
        Some(Status { success, message })
    }

    /// The C name of the function that explains a status.
    fn message(&mut self, model: &Model, name: &str) -> Option<String> {
        let types = self.layouts.types;
        let found = model.functions.iter().find(|function| function.c_name == name);
        let found = found.filter(|function| {
            let takes_status = matches!(function.parameters.as_slice(), [status] if status.ty == self.function.result);
            takes_status && is_text(types, &function.result)
        });
        if found.is_none() {
            self.reasons.push(diagnostics::no_message(name));
        }
        found.map(|function| function.c_name.clone())
    }

    fn text(&mut self, wrapper: &Wrapper) {
        if wrapper.text_limit.is_none() {
            return;
        }
        if !is_text(self.layouts.types, &self.function.result) {
            self.reasons.push(diagnostics::result_no_text());
        }
        let has_outs = self
            .roles
            .iter()
            .any(|role| matches!(role, Role::Out { .. } | Role::Length { returned: true, .. }));
        if has_outs {
            self.reasons.push(diagnostics::text_with_results());
        }
    }
}

fn is_text(types: &Types, ty: &Type) -> bool {
    matches!(types.resolve(ty), Type::Pointer { to, .. } if is_char(types, to))
}

fn is_char(types: &Types, ty: &Type) -> bool {
    matches!(types.resolve(ty), Type::Scalar(scalar) if scalar.rust == "c_char")
}

fn is_bytes(types: &Types, ty: &Type) -> bool {
    types.resolve(ty) == &Type::Void || is_char(types, ty)
}

fn is_integer(types: &Types, ty: &Type) -> bool {
    let Type::Scalar(scalar) = types.resolve(ty) else { return false };
    !matches!(scalar.rust, "bool" | "f32" | "f64" | "c_float")
}
