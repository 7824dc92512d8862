//! A device's register.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::ptr;

/// A register of a device. Every access is made exactly once, as written.
#[derive(Debug)]
pub(crate) struct Register<T> {
    address: usize,
    value: PhantomData<T>,
}

impl<T: Copy> Register<T> {
    /// Returns the register at an address.
    ///
    /// # Safety
    /// There is a register of this type at the address. No access to it, whatever the value,
    /// affects memory that belongs to a Rust object.
    pub(crate) const unsafe fn new(address: usize) -> Self {
        Self { address, value: PhantomData }
    }

    /// Reads the register, with any effect that this has on the device.
    #[inline]
    pub(crate) fn read(&self) -> T {
        let register = ptr::with_exposed_provenance::<T>(self.address);
        // SAFETY: it is a register, as `new` requires, aligned for its type (invariant 2).
        unsafe { register.read_volatile() }
    }

    /// Writes the register, with any effect that this has on the device.
    #[inline]
    pub(crate) fn write(&self, value: T) {
        let register = ptr::with_exposed_provenance_mut::<T>(self.address);
        // SAFETY: it is a register, as `new` requires, aligned for its type (invariant 2).
        unsafe { register.write_volatile(value) }
    }
}
