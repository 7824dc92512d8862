//! A device's register.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::ptr;

/// A register of a device: every access is made, once and as it is written.
#[derive(Debug)]
pub(crate) struct Register<T> {
    address: usize,
    value: PhantomData<T>,
}

impl<T: Copy> Register<T> {
    /// The register at an address.
    ///
    /// # Safety
    /// There is a register of this type at the address, and no access to it, whatever the
    /// value, affects memory that is a Rust object's.
    pub(crate) const unsafe fn new(address: usize) -> Self {
        Self { address, value: PhantomData }
    }

    /// Reads it, with whatever effect that has on the device.
    #[inline]
    pub(crate) fn read(&self) -> T {
        let register = ptr::with_exposed_provenance::<T>(self.address);
        // SAFETY: it is a register, as was promised to `new`, aligned for its type (invariant 2).
        unsafe { register.read_volatile() }
    }

    /// Writes it, with whatever effect that has on the device.
    #[inline]
    pub(crate) fn write(&self, value: T) {
        let register = ptr::with_exposed_provenance_mut::<T>(self.address);
        // SAFETY: it is a register, as was promised to `new`, aligned for its type (invariant 2).
        unsafe { register.write_volatile(value) }
    }
}
