//! The catalogue of diagnostics about the items of a header: why something is not bound, or only
//! partly, what is wrong with a build script's description of it, and what to do instead. Errors
//! that stop generation altogether are in [`Error`](crate::Error).

use std::fmt::Display;

use crate::code::Item;

/// What to do about a function that only C can call.
const OWN_C: &str = "call it from a C function of your own: .source";

pub(crate) fn not_bound(reason: impl Display) -> String {
    format!("not bound: {reason}")
}

// Types.

pub(crate) fn only_declared(name: &str) -> String {
    format!("{name} (only declared)")
}

pub(crate) fn defined_by_itself(name: &str) -> String {
    format!("{name} (defined by itself)")
}

pub(crate) fn without_size(name: &str) -> String {
    format!("{name} (without size)")
}

pub(crate) fn field_is(field: &str, what: &str) -> String {
    format!("the field `{field}` is {what}")
}

pub(crate) fn packed_and_aligned() -> String {
    "it is packed and aligned, and Rust's structs are one of both".to_owned()
}

pub(crate) fn aligned_in_packed(field: &str) -> String {
    format!("it is packed, and its field `{field}` has an alignment of its own in Rust")
}

pub(crate) fn laid_out_otherwise() -> String {
    "Rust would lay it out otherwise".to_owned()
}

pub(crate) fn bound_as_bytes(reason: &str) -> String {
    format!("bound as bytes: {reason}")
}

pub(crate) fn without_accessor(reason: &str) -> String {
    format!("without an accessor: {reason}")
}

pub(crate) fn bit_field_without_accessor(field: &str, what: &str) -> String {
    format!("its bit-field `{field}` has no accessor: it is {what}")
}

pub(crate) fn plain_addresses(reason: &str) -> String {
    format!("function pointers of this type are bound as plain addresses: {reason}")
}

pub(crate) fn pointer_is_variadic() -> String {
    "it is variadic".to_owned()
}

// Functions, globals, constants.

pub(crate) fn is_variadic() -> String {
    "it is variadic; name it with the parameters that you need: .variadic".to_owned()
}

pub(crate) fn has_convention(name: &str) -> String {
    format!("its calling convention is {name}; {OWN_C}")
}

pub(crate) fn takes_va_list() -> String {
    format!("it takes a va_list; {OWN_C}")
}

pub(crate) fn passes_array() -> String {
    format!("it passes an array or vector by value; {OWN_C}")
}

pub(crate) fn passes(what: &str) -> String {
    format!("it passes {what} by value; {OWN_C}")
}

pub(crate) fn passes_nameless() -> String {
    format!("it passes a struct without a name; {OWN_C}")
}

pub(crate) fn passes_aligned(align: u64) -> String {
    format!("it passes a type by value that is aligned to {align} bytes; {OWN_C}")
}

pub(crate) fn passes_large(size: u64, limit: u64) -> String {
    format!("it passes {size} bytes by value, which is more than {limit}; {OWN_C}")
}

pub(crate) fn global_large(size: u64, name: &str) -> String {
    format!(
        "bound by its address and as a view, since it has {size} bytes: \
         `address_of_{name}`, `view_{name}`"
    )
}

pub(crate) fn field_large(field: &str, size: u64) -> String {
    without_accessor(&format!(
        "the field `{field}` has {size} bytes; project a reference to it, and view it"
    ))
}

pub(crate) fn global_is(what: &str) -> String {
    not_bound(format!("it is {what}"))
}

pub(crate) fn no_constant() -> String {
    not_bound("it is no number, text or enum value")
}

pub(crate) fn constant_address() -> String {
    "it is an address; `omniglot::Ptr::from_addr` and `FnPtr::from_addr` make such".to_owned()
}

pub(crate) fn constant_opaque(ty: &str) -> String {
    format!("it is of type {ty}, with which only C can calculate")
}

pub(crate) fn no_constant_value() -> String {
    "its value is not known before the program runs".to_owned()
}

pub(crate) fn renamed_in_module(new: &str) -> String {
    format!("bound as `{new}`, since every module has something of its name")
}

pub(crate) fn renamed_type(new: &str) -> String {
    format!("bound as `{new}`, since another type has its name in Rust")
}

pub(crate) fn renamed_method(new: &str) -> String {
    format!("bound as `{new}`, since every instance has a method of its name")
}

pub(crate) fn not_guarded(parameter: &str) -> String {
    format!("not guarded against longjmp: it has no parameter `{parameter}`")
}

pub(crate) fn not_defined(definer: Option<&str>) -> String {
    format!("the library does not define it{}", defined_elsewhere(definer))
}

pub(crate) fn symbol_not_defined(symbol: &str, definer: Option<&str>) -> String {
    format!("the library does not define `{symbol}`{}", defined_elsewhere(definer))
}

/// The installed library that does.
fn defined_elsewhere(definer: Option<&str>) -> String {
    definer.map(|name| format!("; lib{name} does: .link(\"{name}\")")).unwrap_or_default()
}

pub(crate) fn is_hidden() -> String {
    not_bound("the library keeps it to itself: its visibility is hidden")
}

pub(crate) fn header_gives_nothing() -> String {
    "it declares no function, type or constant of its own; if it only includes other headers, or \
     has macros for their names, name those too: .header"
        .to_owned()
}

pub(crate) fn call_rejected(message: &str) -> String {
    format!("the C compiler rejects its call: {message}")
}

/// What the C compiler says against generated code about an item.
pub(crate) fn rejected(item: &Item, message: &str) -> String {
    match item {
        Item::Function(_) | Item::Signature(_) => call_rejected(message),
        Item::Global(_) => format!("the C compiler rejects its use: {message}"),
        Item::Constant(_) => {
            "the C compiler has another value or type for it than clang, which reads the headers"
                .to_owned()
        }
        Item::Type(_) => {
            format!("the C compiler and clang, which reads the headers, disagree on it: {message}")
        }
    }
}

pub(crate) fn only_behind_pointers(reason: &str) -> String {
    format!("bound only behind pointers: {reason}")
}

// Annotations of the header.

pub(crate) fn annotation_unused(parameter: &str, reason: &str) -> String {
    format!("the annotation of `{parameter}` is not used: {reason}; describe it: .wrap")
}

pub(crate) fn annotations_unused(reason: &str) -> String {
    format!("its annotations are not used: {reason}")
}

pub(crate) fn no_data_pointer() -> String {
    "it is no pointer to data".to_owned()
}

pub(crate) fn size_in_bytes() -> String {
    "its size is in bytes, and its elements are larger".to_owned()
}

pub(crate) fn no_length(text: &str) -> String {
    format!("`{text}` is neither a parameter nor a number")
}

// Handles.

pub(crate) fn no_object() -> String {
    "no handle: the headers declare no struct of this name, or typedef of one or of void".to_owned()
}

pub(crate) fn handle_of_pointer(object: &str) -> String {
    format!("no handle: it is a pointer; describe what it points to: Handle::of(\"{object}\")")
}

pub(crate) fn handle_of_any() -> String {
    "no handle: it is a pointer to void, which fits every object; declare `typedef void object;` \
     for what it points to, and the functions with `object *`, in a header of your own: .header"
        .to_owned()
}

pub(crate) fn handle_twice() -> String {
    "no handle: the type, or the handle's name, has one already".to_owned()
}

pub(crate) fn handle_name_taken() -> String {
    "no handle: the headers have a type of its name; choose another: .named".to_owned()
}

pub(crate) fn without_destructor() -> String {
    "no handle without the function that destroys it: .destructor".to_owned()
}

pub(crate) fn no_destructor(ty: &str) -> String {
    format!("no destructor of `{ty}`: it must take its address and nothing else")
}

pub(crate) fn destructor_missing(handle: &str) -> String {
    format!("no destructor of `{handle}`: {}", not_defined(None))
}

pub(crate) fn makes_none(ty: &str) -> String {
    format!("neither its result nor exactly one parameter gives the address of a `{ty}`")
}

pub(crate) fn makes_otherwise() -> String {
    "the object that it makes is described otherwise".to_owned()
}

// Wrappers.

pub(crate) fn no_function() -> String {
    "the headers declare no such function, or it is not bound".to_owned()
}

pub(crate) fn wrapped_already(raw: &str) -> String {
    format!("`{raw}` is there already: a function has one wrapper")
}

pub(crate) fn described_twice(parameter: &str) -> String {
    format!("the parameter `{parameter}` is described twice")
}

pub(crate) fn no_parameter(name: &str, there_are: &[&str]) -> String {
    let names = if there_are.is_empty() { "none".to_owned() } else { there_are.join(", ") };
    format!("there is no parameter `{name}`; there are: {names}")
}

pub(crate) fn parameter_no_data_pointer(parameter: &str) -> String {
    format!("the parameter `{parameter}` is no pointer to data")
}

pub(crate) fn parameter_const(parameter: &str) -> String {
    format!("the function cannot write through `{parameter}`: it is const")
}

pub(crate) fn size_unknown(parameter: &str) -> String {
    format!("the size of what `{parameter}` points to is not known")
}

pub(crate) fn length_is_not(parameter: &str, wanted: &str) -> String {
    format!("the length `{parameter}` is not {wanted}")
}

pub(crate) fn parameter_no_text(parameter: &str) -> String {
    format!("the parameter `{parameter}` is no `char *`")
}

pub(crate) fn not_writable(parameter: &str) -> String {
    format!("`{parameter}` does not point to a value that can be written")
}

pub(crate) fn out_large(parameter: &str, size: u64) -> String {
    format!("`{parameter}` is no result: it has {size} bytes; hand in its place, and view it")
}

pub(crate) fn never_null(parameter: &str) -> String {
    format!("`{parameter}` cannot be optional: the header says that it is not null")
}

pub(crate) fn not_optional(parameter: &str) -> String {
    format!("`{parameter}` can be optional only as a pointer, slice or string")
}

pub(crate) fn shares_length(parameter: &str) -> String {
    format!("`{parameter}` shares its length, so it cannot be optional")
}

pub(crate) fn no_status_to_explain(message: &str) -> String {
    format!("there is no status that `{message}` could explain: .status_ok or .status_at_least")
}

pub(crate) fn no_status() -> String {
    "its result is no integer or enum, so no status".to_owned()
}

pub(crate) fn no_message(function: &str) -> String {
    format!("`{function}` is no function from the status's type to a `char *` that is bound")
}

pub(crate) fn result_no_text() -> String {
    "its result is no `char *`".to_owned()
}

pub(crate) fn text_with_results() -> String {
    "returns_str cannot be combined with other results".to_owned()
}
