//! A small kernel for QEMU's riscv32 board `virt` that uses foreign C libraries, each in a
//! domain of its own under physical memory protection.
//!
//! It is meant to be read, and to be ported from. `hardware` has the board with all of the unsafe
//! code, [`domain`] starts and restarts a library, [`services`] has what is done with each, and
//! [`commands`] has the console. There is no allocator, and nothing panics.

#![no_std]
#![forbid(unsafe_code)]

pub mod commands;
pub mod console;
pub mod domain;
pub mod foreign;
pub mod sample;
pub mod services;
pub mod text;

use core::fmt::Write;

use omniglot_kernel_hardware::{
    Board, Clock, Disk, Entropy, Finisher, Idle, NetworkCard, Outcome, Uart,
};
use static_cell::ConstStaticCell;

use self::console::Console;
use self::domain::Failure;
use self::services::Services;
use self::services::blocks::{BlockDevice, RamDisk};
use self::text::Text;

/// Number of blocks of the RAM disk, which is used if there is no other disk.
const RAM_BLOCKS: usize = 64;

static RAM_DISK: ConstStaticCell<RamDisk<RAM_BLOCKS>> = ConstStaticCell::new(RamDisk::new());

/// The kernel: the board and the services.
#[derive(Debug)]
pub struct Kernel {
    /// The console's serial line.
    pub uart: Uart,
    /// The clock.
    pub clock: Clock,
    /// The services, each of which uses a foreign library.
    pub services: Services,
    idle: Idle,
    disk: Option<Disk>,
    entropy: Option<Entropy>,
    card: Option<NetworkCard>,
    ram_disk: Option<&'static mut RamDisk<RAM_BLOCKS>>,
}

/// Runs the kernel with its console until a command ends it.
pub fn run(board: Board) -> ! {
    let (mut kernel, finisher) = Kernel::new(board);
    say(&mut kernel.uart, format_args!("Omniglot's kernel. `help` lists the commands."));
    let mut console = Console::default();
    Console::prompt(&mut kernel.uart);
    loop {
        let busy = kernel.turn();
        let Some(byte) = kernel.uart.receive() else {
            if !busy {
                kernel.idle.sleep();
            }
            continue;
        };
        let Some(line) = console.take(&mut kernel.uart, byte) else { continue };
        if commands::run(&mut kernel, line.as_str()).is_break() {
            finisher.finish(Outcome::Good);
        }
        Console::prompt(&mut kernel.uart);
    }
}

impl Kernel {
    /// Starts every library. One that fails to start is reported as broken from the beginning, and
    /// does not affect the others.
    #[must_use]
    pub fn new(board: Board) -> (Self, Finisher) {
        let kernel = Self {
            services: Services::start(board.hart, board.regions),
            uart: board.uart,
            clock: board.clock,
            idle: board.idle,
            disk: board.disk,
            entropy: board.entropy,
            card: board.network,
            ram_disk: RAM_DISK.try_take(),
        };
        (kernel, board.finisher)
    }

    /// Polls the devices and the network. Returns true if there was anything to do.
    pub fn turn(&mut self) -> bool {
        self.idle.look();
        let Some(card) = &mut self.card else { return false };
        if self.services.network.domain.trouble().is_some() {
            return false;
        }
        card.acknowledge();
        let page = page(&self.services);
        let now = self.clock.milliseconds();
        match self.services.network.poll(card, now, page.as_str()) {
            Ok(busy) => busy,
            Err(failure) => {
                say(&mut self.uart, format_args!("\nlwip: {failure}"));
                false
            }
        }
    }

    /// Polls the network until `done` returns true, or until `milliseconds` have passed.
    pub fn turn_until(&mut self, milliseconds: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.clock.milliseconds().saturating_add(milliseconds);
        while !done(self) {
            if self.clock.milliseconds() >= end {
                return false;
            }
            if !self.turn() {
                self.idle.sleep();
            }
        }
        true
    }

    /// Returns the file service with its device: the disk if there is one, otherwise the RAM disk.
    pub fn files(
        &mut self,
    ) -> Result<(&mut services::files::Files, &mut dyn BlockDevice), Failure> {
        let device: &mut dyn BlockDevice = match (&mut self.disk, &mut self.ram_disk) {
            (Some(disk), _) => disk,
            (None, Some(disk)) => *disk,
            (None, None) => return Err(Failure::NoDevice),
        };
        Ok((&mut self.services.files, device))
    }

    /// Fills bytes with random numbers.
    ///
    /// # Errors
    /// Fails if the board has no source of random numbers.
    pub fn random<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        let filled = self.entropy.as_mut().is_some_and(|entropy| entropy.fill(&mut bytes));
        if filled { Ok(bytes) } else { Err(Failure::NoDevice) }
    }
}

/// Returns the page that the HTTP server serves.
fn page(services: &Services) -> Text<1024> {
    let mut page = Text::new();
    // What does not fit is omitted.
    let _ = writeln!(page, "Omniglot's kernel\n");
    services.each(|name, _, trouble| {
        let _ = match trouble {
            None => writeln!(page, "{name}: running"),
            Some(error) => writeln!(page, "{name}: {error}"),
        };
    });
    page
}

/// Prints a line on the console.
pub(crate) fn say(uart: &mut Uart, line: core::fmt::Arguments<'_>) {
    // Writing to a serial line never fails.
    let _ = writeln!(uart, "{line}");
}
