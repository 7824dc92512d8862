//! The model of what a header declares.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;

use crate::annotated::Annotated;
use crate::scalar::Scalar;
use crate::wrapper::{Direction, Success};

/// Everything that a header declares and that was allowed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) functions: Vec<Function>,
    /// What the user described in C, until it becomes functions.
    pub(crate) described: Vec<Function>,
    pub(crate) globals: Vec<Global>,
    pub(crate) constants: Vec<Constant>,
    /// What is to be said about items whatever is checked: C names and reasons.
    pub(crate) said: Vec<(String, String)>,
    pub(crate) signatures: Vec<Signature>,
    pub(crate) types: Types,
    /// Types whose objects handles own.
    pub(crate) handles: Vec<Owned>,
    /// New and C names of renamed items, since generated code has their names.
    pub(crate) renamed: BTreeMap<String, String>,
    /// C names of types that have another one in Rust, by that.
    pub(crate) in_c: BTreeMap<String, String>,
    /// The C names of all types.
    pub(crate) types_in_c: BTreeSet<String>,
    /// What annotations say about functions, by C names: all functions of the headers.
    pub(crate) annotations: BTreeMap<String, Annotated>,
    /// Where functions and types are declared: `FILE:LINE`.
    pub(crate) places: BTreeMap<String, String>,
    /// The names of macros, which C replaces wherever they stand.
    pub(crate) macros: BTreeSet<String>,
}

/// The named types, in the header's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Types {
    order: Vec<String>,
    definitions: BTreeMap<String, Definition>,
    /// Those that have a typedef's name instead of their tag.
    by_typedef: BTreeSet<String>,
}

impl Types {
    pub(crate) fn insert(&mut self, name: String, definition: Definition) {
        if self.definitions.insert(name.clone(), definition).is_none() {
            self.order.push(name);
        }
    }

    /// Gives a type the name of its typedef, which becomes that of an alias in its place.
    pub(crate) fn exchange(&mut self, tag: &str, typedef: &str) {
        let docs = match self.definitions.remove(typedef) {
            Some(Definition::Alias(alias)) => alias.docs,
            _ => String::new(),
        };
        let Some(definition) = self.definitions.remove(tag) else { return };
        let target = Type::Named(typedef.to_owned());
        let alias = Alias { target, docs: String::new() };
        self.definitions.insert(typedef.to_owned(), definition);
        self.document(typedef, docs);
        self.by_typedef.insert(typedef.to_owned());
        self.definitions.insert(tag.to_owned(), Definition::Alias(alias));
        // The definition comes where it was.
        for name in &mut self.order {
            if name == tag {
                typedef.clone_into(name);
            } else if name == typedef {
                tag.clone_into(name);
            }
        }
    }

    /// Gives a type a comment, unless it has one.
    pub(crate) fn document(&mut self, name: &str, docs: String) {
        let own = self.definitions.get_mut(name).map(Definition::docs_mut);
        if let Some(own) = own.filter(|own| own.trim().is_empty()) {
            *own = docs;
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Definition> {
        self.definitions.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Definition> {
        self.definitions.get_mut(name)
    }

    /// Whether a type has a typedef's name instead of its tag.
    pub(crate) fn is_by_typedef(&self, name: &str) -> bool {
        self.by_typedef.contains(name)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Definition> {
        self.definitions.values_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Definition)> {
        self.order.iter().filter_map(|name| Some((name.as_str(), self.definitions.get(name)?)))
    }

    /// What a type is once its typedefs are looked through.
    pub(crate) fn resolve<'a>(&'a self, ty: &'a Type) -> &'a Type {
        let mut current = ty;
        let mut seen = BTreeSet::new();
        while let Type::Named(name) = current {
            match self.get(name) {
                Some(Definition::Alias(alias)) if seen.insert(name) => current = &alias.target,
                _ => break,
            }
        }
        current
    }

    /// The record that a type is, if it is one.
    pub(crate) fn record(&self, ty: &Type) -> Option<&Record> {
        match self.named(ty)? {
            Definition::Record(record) => Some(record),
            _ => None,
        }
    }

    /// The name of the type that a pointer points to, typedefs looked through.
    pub(crate) fn pointee<'a>(&'a self, ty: &'a Type) -> Option<&'a str> {
        let Type::Pointer { to, .. } = self.resolve(ty) else { return None };
        match self.resolve(to) {
            Type::Named(name) => Some(name),
            _ => None,
        }
    }

    /// The definition behind a type's typedefs.
    pub(crate) fn named(&self, ty: &Type) -> Option<&Definition> {
        match self.resolve(ty) {
            Type::Named(name) => self.get(name),
            _ => None,
        }
    }
}

/// A type whose objects the host can own.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    /// The handle's Rust name.
    pub(crate) name: String,
    /// The type, its typedefs looked through.
    pub(crate) ty: String,
    /// The C name of the function that destroys one.
    pub(crate) destructor: String,
}

/// A C type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Void,
    Scalar(&'static Scalar),
    Pointer {
        to: Box<Type>,
        constant: bool,
    },
    Array {
        of: Box<Type>,
        len: u64,
    },
    /// A pointer to a function of the signature with this name.
    Function(String),
    Named(String),
    /// A type that Rust does not have; the text names it.
    Unsupported(String),
}

/// What a named type is.
#[derive(Clone, Debug)]
pub(crate) enum Definition {
    Alias(Alias),
    Record(Record),
    Enum(Enum),
    /// A struct or union that the header only declares.
    Opaque(Opaque),
}

impl Definition {
    /// The C comment.
    fn docs_mut(&mut self) -> &mut String {
        match self {
            Self::Alias(alias) => &mut alias.docs,
            Self::Record(record) => &mut record.docs,
            Self::Enum(definition) => &mut definition.docs,
            Self::Opaque(opaque) => &mut opaque.docs,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) target: Type,
    pub(crate) docs: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Opaque {
    pub(crate) c_name: String,
    pub(crate) docs: String,
}

/// A struct or a union.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The C spelling; `None` for one without tag and typedef.
    pub(crate) c_name: Option<String>,
    pub(crate) shape: Shape,
    pub(crate) fields: Vec<Field>,
    pub(crate) bit_fields: Vec<BitField>,
    pub(crate) size: u64,
    pub(crate) align: u64,
    /// Whether it has a `const` member, so that C assigns nothing to it.
    pub(crate) is_fixed: bool,
    pub(crate) docs: String,
}

/// How a record is represented in Rust.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Field by field.
    Struct {
        /// `packed` or `align(16)`, besides `C`.
        modifier: Option<String>,
    },
    /// As bytes, with an accessor per field.
    Union,
    /// As bytes, since some field has no Rust type.
    Bytes,
    /// As a newtype around an integer, with named values, for flags with operators: an enum's
    /// other style.
    Newtype { values: Vec<Variant>, is_flags: bool },
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The Rust name.
    pub(crate) name: String,
    /// The C name, where the field has one and `offsetof` can name it.
    pub(crate) c_name: Option<String>,
    pub(crate) ty: Type,
    /// In bytes; `None` if it is not known.
    pub(crate) offset: Option<u64>,
    pub(crate) docs: String,
}

/// A bit-field: some bits of a field that holds a run of them as bytes.
#[derive(Clone, Debug)]
pub(crate) struct BitField {
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// The field that holds it.
    pub(crate) storage: String,
    /// In bits, from the start of the storage.
    pub(crate) offset: u64,
    pub(crate) width: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Enum {
    pub(crate) c_name: Option<String>,
    pub(crate) repr: &'static Scalar,
    /// Whether it stands for C's `bool`.
    pub(crate) boolean: bool,
    pub(crate) variants: Vec<Variant>,
    /// Other names for variants: name and variant.
    pub(crate) synonyms: Vec<(String, String)>,
    pub(crate) docs: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// The Rust name.
    pub(crate) name: String,
    pub(crate) c_name: String,
    pub(crate) value: i128,
    pub(crate) docs: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// The Rust name.
    pub(crate) name: String,
    pub(crate) c_name: String,
    pub(crate) ty: Type,
}

#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// The Rust name.
    pub(crate) name: String,
    pub(crate) c_name: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) result: Type,
    pub(crate) variadic: bool,
    /// Its calling convention, if that is not the one of C.
    pub(crate) convention: Option<String>,
    pub(crate) callee: Callee,
    /// Whether the header says that it is inlined.
    pub(crate) is_inline: bool,
    pub(crate) guard: Option<Guard>,
    /// Whether a callback may raise it.
    pub(crate) raises: bool,
    /// Whether there is a method for many calls of it.
    pub(crate) is_batched: bool,
    /// Whether the header says that the result must not be dropped unseen.
    pub(crate) must_use: bool,
    /// The wrapper that takes the function's name.
    pub(crate) wrapping: Option<Wrapping>,
    pub(crate) docs: String,
}

/// How a function reads in Rust.
#[derive(Clone, Debug)]
pub(crate) struct Wrapping {
    /// The plain function's Rust name.
    pub(crate) raw_name: String,
    /// One per parameter.
    pub(crate) roles: Vec<Role>,
    pub(crate) status: Option<Status>,
    /// The result is a C string of at most so many bytes.
    pub(crate) text_limit: Option<u64>,
    /// The result is a new object, which a handle owns.
    pub(crate) makes: bool,
}

/// What a wrapped function's parameter is for.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// The wrapper's parameter too.
    Plain,
    /// A pointer that can be null: `Option` of one.
    Nullable,
    Slice {
        direction: Direction,
        element: Type,
        fixed: Option<u64>,
        optional: bool,
    },
    /// The length of the slices with these indices; `returned` if it is written too.
    Length {
        slices: Vec<usize>,
        returned: bool,
    },
    Str {
        optional: bool,
    },
    CStr {
        optional: bool,
    },
    /// A pointer to a result.
    Out {
        value: Type,
        /// The result is a new object, which a handle owns.
        owned: bool,
    },
}

/// What a wrapped function's result says.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) success: Success,
    /// The C function that explains it.
    pub(crate) message: Option<String>,
}

/// What a function's shim calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Callee {
    /// The function itself.
    Itself,
    /// A variadic function of this C name.
    Variadic(String),
    /// The macro of the function's name.
    Macro,
}

impl Function {
    /// The Rust name of the function as it is in C.
    pub(crate) fn raw_name(&self) -> &str {
        self.wrapping.as_ref().map_or(&self.name, |wrapping| &wrapping.raw_name)
    }

    /// The C name of what its shim calls.
    pub(crate) fn callee(&self) -> &str {
        match &self.callee {
            Callee::Variadic(function) => function,
            Callee::Itself | Callee::Macro => &self.c_name,
        }
    }
}

/// Where a function's `longjmp` buffer is.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// An lvalue of type `jmp_buf` over the parameters' names.
    pub(crate) buffer: String,
}

/// A function pointer's type.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) result: Type,
    pub(crate) variadic: bool,
    /// Its calling convention, if that is not the one of C.
    pub(crate) convention: Option<String>,
    pub(crate) docs: String,
    /// Whether the name is a typedef of the header, and not made up.
    pub(crate) named: bool,
    /// Whether values of it can be called and made; else it is a plain address.
    pub(crate) bound: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Global {
    pub(crate) name: String,
    pub(crate) c_name: String,
    pub(crate) ty: Type,
    pub(crate) constant: bool,
    pub(crate) docs: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) c_name: String,
    pub(crate) ty: ConstantType,
    pub(crate) value: TokenStream,
    /// Of a macro: what the C compiler must say of it too.
    pub(crate) confirmed: Option<Confirmed>,
    pub(crate) docs: String,
}

/// A constant's type and value in C, as far as C can compare them.
#[derive(Clone, Debug)]
pub(crate) struct Confirmed {
    pub(crate) ty: Option<String>,
    pub(crate) value: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum ConstantType {
    /// A number.
    Value(Type),
    /// `&CStr` or a byte string, as written.
    Text(TokenStream),
}

impl Model {
    /// The C name of a type.
    pub(crate) fn in_c<'a>(&'a self, rust: &'a str) -> &'a str {
        self.in_c.get(rust).map_or(rust, String::as_str)
    }

    /// The signature behind a type's typedefs, if it is a pointer to a function.
    pub(crate) fn signature(&self, ty: &Type) -> Option<&Signature> {
        match self.types.resolve(ty) {
            Type::Function(name) => {
                self.signatures.iter().find(|signature| &signature.name == name)
            }
            _ => None,
        }
    }
}
