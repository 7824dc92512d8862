//! The serial line: a 16550, at which the console is (data sheet: TI's PC16550D, section 8).
#![allow(unsafe_code)]

use core::fmt;

use crate::mmio::Register;

/// Where it is (`hw/riscv/virt.c`, `VIRT_UART0`).
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
    /// Sets the line up: an interrupt for each byte that arrives.
    pub(crate) fn new() -> Self {
        // SAFETY: the interrupt-enable register of the UART (invariant 2).
        let interrupts = unsafe { Register::<u8>::new(ADDRESS + 1) };
        interrupts.write(ARRIVED);
        Self::for_output()
    }

    /// The line as it is set up, also for messages of a kernel that cannot go on.
    pub(crate) const fn for_output() -> Self {
        // SAFETY: the data register of the UART (invariant 2).
        let data = unsafe { Register::new(ADDRESS) };
        // SAFETY: its line status register (invariant 2).
        let status = unsafe { Register::new(ADDRESS + 5) };
        Self { data, status }
    }

    /// A byte that has arrived, if one has.
    pub fn receive(&mut self) -> Option<u8> {
        (self.status.read() & ARRIVED != 0).then(|| self.data.read())
    }

    /// Sends a byte, when there is room for it.
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
