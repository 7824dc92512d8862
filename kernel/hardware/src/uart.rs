//! The serial line of the console: a 16550 (data sheet: TI's PC16550D, section 8).
#![allow(unsafe_code)]

use core::fmt;

use crate::mmio::Register;

/// Its address (`hw/riscv/virt.c`, `VIRT_UART0`).
const ADDRESS: usize = 0x1000_0000;
/// Line status: a byte has arrived.
const ARRIVED: u8 = 1;
/// Line status: there is room for a byte to send.
const ROOM: u8 = 1 << 5;

/// The serial line.
#[derive(Debug)]
pub struct Uart {
    data: Register<u8>,
    status: Register<u8>,
}

impl Uart {
    /// Sets the line up, with an interrupt for each byte that arrives.
    pub(crate) fn new() -> Self {
        // SAFETY: the interrupt-enable register of the UART (invariant 2).
        let interrupts = unsafe { Register::<u8>::new(ADDRESS + 1) };
        interrupts.write(ARRIVED);
        Self::for_output()
    }

    /// Returns the line without setting it up, also for the messages of a kernel that cannot
    /// continue.
    pub(crate) const fn for_output() -> Self {
        // SAFETY: the data register of the UART (invariant 2).
        let data = unsafe { Register::new(ADDRESS) };
        // SAFETY: its line status register (invariant 2).
        let status = unsafe { Register::new(ADDRESS + 5) };
        Self { data, status }
    }

    /// Returns the next byte that has arrived, if any.
    pub fn receive(&mut self) -> Option<u8> {
        (self.status.read() & ARRIVED != 0).then(|| self.data.read())
    }

    /// Sends a byte once there is room for it.
    pub fn send(&mut self, byte: u8) {
        while self.status.read() & ROOM == 0 {}
        self.data.write(byte);
    }
}

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.send(b'\r');
            }
            self.send(byte);
        }
        Ok(())
    }
}
