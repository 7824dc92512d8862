//! Global variables: methods that give the address, read and write, or view what is large.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Rust, number};
use crate::layout::HEADER_SIZE;
use crate::model::{Global, Type};
use crate::names::ident;
use crate::spell;

impl Rust<'_> {
    pub(super) fn global(self, index: u32, global: &Global) -> TokenStream {
        let address = self.address(index, global);
        // Only what has a size can be copied.
        if !self.bindings.layouts().of(&global.ty).is_ok_and(|layout| layout.size > 0) {
            return address;
        }
        if self.bindings.layouts().is_large(&global.ty) {
            let view = self.view_global(global);
            return quote! { #address #view };
        }
        let read = self.read_global(global);
        let write = (!global.constant).then(|| self.write_global(global));
        quote! { #address #read #write }
    }

    fn address(self, index: u32, global: &Global) -> TokenStream {
        let name = format_ident!("address_of_{}", ident(&global.name));
        let declaration = spell::declare(&self.bindings.model, &global.ty, &global.c_name);
        let docs = self.docs(&global.docs, &format!("The address of `{}`.", global.c_name));
        let declared = format!(" C: `{declaration}`");
        // `extern int list[];` has no length; its address is that of an element.
        let ty = match &global.ty {
            Type::Array { of, len: 0 } => self.ty(of),
            ty => self.ty(ty),
        };
        let size = number(HEADER_SIZE + self.bindings.target.pointer);
        let offset = number(HEADER_SIZE);
        quote! {
            #docs
            #[doc = ""]
            #[doc = #declared]
            ///
            /// # Errors
            /// As any call of a foreign function.
            pub fn #name(&mut self) -> ::omniglot::Result<::omniglot::Ptr<#ty>> {
                let mut frame = ::omniglot::Frame::<#size>::new();
                ::omniglot::call(self, #index, frame.bytes_mut())?;
                frame.get(#offset)
            }
        }
    }

    fn read_global(self, global: &Global) -> TokenStream {
        let name = format_ident!("read_{}", ident(&global.name));
        let address = format_ident!("address_of_{}", ident(&global.name));
        let docs = format!(" Reads `{}`.", global.c_name);
        let ty = self.ty(&global.ty);
        quote! {
            #[doc = #docs]
            ///
            /// # Errors
            /// `InvalidValue` if it holds no value of its type; as any call of a foreign
            /// function.
            pub fn #name(&mut self) -> ::omniglot::Result<#ty> {
                let address = self.#address()?;
                let base = ::omniglot::Api::base(self);
                base.read(base.upgrade(address)?)
            }
        }
    }

    fn view_global(self, global: &Global) -> TokenStream {
        let name = format_ident!("view_{}", ident(&global.name));
        let address = format_ident!("address_of_{}", ident(&global.name));
        let docs = format!(" The value of `{}`, until the next foreign call.", global.c_name);
        let ty = self.ty(&global.ty);
        quote! {
            #[doc = #docs]
            ///
            /// It is too large to be copied to the stack. Parts of it are read and written by
            /// references to them, from the address.
            ///
            /// # Errors
            /// `InvalidValue` if it holds no value of its type; as any call of a foreign
            /// function.
            pub fn #name(&mut self) -> ::omniglot::Result<::omniglot::View<'_, #ty>> {
                let address = self.#address()?;
                let base = ::omniglot::Api::base(self);
                base.view(base.upgrade(address)?)
            }
        }
    }

    fn write_global(self, global: &Global) -> TokenStream {
        let name = format_ident!("write_{}", ident(&global.name));
        let address = format_ident!("address_of_{}", ident(&global.name));
        let docs = format!(" Writes `{}`.", global.c_name);
        let ty = self.ty(&global.ty);
        quote! {
            #[doc = #docs]
            ///
            /// # Errors
            /// As any call of a foreign function.
            pub fn #name(&mut self, value: #ty) -> ::omniglot::Result<()> {
                let address = self.#address()?;
                let base = ::omniglot::Api::base_mut(self);
                let place = base.upgrade_mut(address)?;
                base.write(place, value)
            }
        }
    }
}
