//! What verified code asks the host for: its registers, as the page of gates has them on the stack.

use omniglot_core::{Result, Window};
use zerocopy::{FromBytes, IntoBytes};

/// A request. The number is answered in its own place.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes)]
#[repr(C)]
pub(super) struct ServerRequest {
    pub(super) number: u64,
    pub(super) arguments: [u64; 6],
}

impl ServerRequest {
    pub(super) fn read(window: &Window, address: usize) -> Result<Self> {
        let mut request = Self { number: 0, arguments: [0; 6] };
        window.read(address, request.as_mut_bytes())?;
        Ok(request)
    }
}
