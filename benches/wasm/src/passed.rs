//! Calls of C functions whose signatures are type parameters.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem;

use wasmtime::WasmTy;

/// A C function of any signature.
pub(crate) type Function = unsafe extern "C" fn();

/// Arguments that can be passed to a C function after the instance.
pub(crate) trait Passed {
    /// Calls the function.
    ///
    /// # Safety
    /// The function must take a pointer to an instance of its module and these arguments, and return
    /// `R`, or nothing if that is `()`. `instance` must be such an instance.
    unsafe fn pass<R>(self, function: Function, instance: *mut c_void) -> R;
}

macro_rules! passed {
    ($($type:ident $value:ident),*) => {
        impl<$($type: WasmTy),*> Passed for ($($type,)*) {
            unsafe fn pass<R>(self, function: Function, instance: *mut c_void) -> R {
                let ($($value,)*) = self;
                // SAFETY: the caller guarantees the signature.
                let function = unsafe {
                    mem::transmute::<
                        Function,
                        unsafe extern "C" fn(*mut c_void $(, $type)*) -> R,
                    >(function)
                };
                // SAFETY: the caller guarantees the instance.
                unsafe { function(instance $(, $value)*) }
            }
        }
    };
}

passed!();
passed!(A a);
passed!(A a, B b);
passed!(A a, B b, C c);
passed!(A a, B b, C c, D d);
passed!(A a, B b, C c, D d, E e);
passed!(A a, B b, C c, D d, E e, F f);
passed!(A a, B b, C c, D d, E e, F f, G g);
