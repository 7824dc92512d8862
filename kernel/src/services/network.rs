//! TCP/IP by lwIP, with a TCP echo service, a small HTTP server and ICMP echo.
//!
//! lwIP runs only during [`Network::poll`]. It gets the frames that have arrived and the time, and
//! calls back with frames to send and with events of connections. Callbacks only record events;
//! they are handled once lwIP has returned. The callbacks exist during one poll only, but always at
//! the same addresses, so lwIP may keep pointers to them.

mod connection;
mod http;
mod icmp;
mod link;

use core::cell::{Cell, RefCell};

use omniglot::{Error, FnPtr, Ptr, Void};
use omniglot_kernel_hardware::Hart;
use omniglot_pmp::ForeignRegion;

use self::connection::{Connection, Service};
pub use self::icmp::{Ping, checksum};
pub use self::link::{FRAME, Link};
use crate::domain::{Failure, ForeignLibrary, Runtime};
use crate::foreign::lwip::{
    Api, Lwip, err_enum_t, netif_linkoutput_fn, pbuf, raw_pcb, raw_recv_fn, tcp_accept_fn,
    tcp_err_fn, tcp_pcb, tcp_recv_fn,
};

/// The largest number of connections at a time.
const CONNECTIONS: usize = 8;
/// The largest number of connections that may wait to be accepted.
const BACKLOG: u8 = 4;
/// The number of frames that are passed to lwIP before connections are served.
const BURST: usize = 16;
/// lwIP's errors as numbers.
pub(crate) const OK: i8 = err_enum_t::ERR_OK as i8;
const OUT_OF_MEMORY: i8 = err_enum_t::ERR_MEM as i8;
const BAD_VALUE: i8 = err_enum_t::ERR_VAL as i8;

/// An IPv4 address.
pub type Address = [u8; 4];

/// The network card's initial addresses. DHCP may replace them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The card's own address.
    pub own: Address,
    /// The network mask.
    pub mask: Address,
    /// The gateway.
    pub gateway: Address,
}

/// The addresses that QEMU's own network expects (QEMU's documentation, "Network emulation").
pub const QEMU: Addresses =
    Addresses { own: [10, 0, 2, 15], mask: [255, 255, 255, 0], gateway: [10, 0, 2, 2] };

/// The network service.
#[derive(Debug)]
pub struct Network {
    /// lwIP in its domain.
    pub domain: ForeignLibrary<Lwip<Runtime>>,
    state: NetworkState,
    addresses: Addresses,
}

/// The state that the kernel keeps between two polls. lwIP cannot access it.
#[derive(Debug)]
struct NetworkState {
    started: Cell<Option<Functions>>,
    connections: [Cell<Connection>; CONNECTIONS],
    icmp: Ptr<raw_pcb>,
    ping: Cell<Ping>,
}

/// The C functions that lwIP calls.
#[derive(Clone, Copy, Debug)]
struct Functions {
    transmit: FnPtr<netif_linkoutput_fn>,
    accept: FnPtr<tcp_accept_fn>,
    receive: FnPtr<tcp_recv_fn>,
    failed: FnPtr<tcp_err_fn>,
    icmp: FnPtr<raw_recv_fn>,
}

impl NetworkState {
    const fn new() -> Self {
        Self {
            started: Cell::new(None),
            connections: [const { Cell::new(Connection::FREE) }; CONNECTIONS],
            icmp: Ptr::null(),
            ping: Cell::new(Ping::NONE),
        }
    }

    /// Returns the connection that an event of lwIP is about.
    fn connection(&self, argument: Ptr<Void>) -> Option<&Cell<Connection>> {
        self.connections.get(argument.addr().checked_sub(FIRST)?)
    }
}

/// The argument of the first connection, which differs from those of the services.
const FIRST: usize = 0x100;

impl Network {
    /// Starts the library in its region.
    #[must_use]
    pub fn new(hart: Hart, region: ForeignRegion, addresses: Addresses) -> Self {
        Self { domain: ForeignLibrary::start(hart, region), state: NetworkState::new(), addresses }
    }

    /// Passes frames to lwIP, handles its expired timers, and serves connections. `page` is what
    /// the HTTP server serves. Returns true if there was anything to do.
    ///
    /// # Errors
    /// If the call fails. After an error that poisons the instance only [`restart`](Self::restart)
    /// works.
    pub fn poll(
        &mut self,
        link: &mut dyn Link,
        milliseconds: u64,
        page: &str,
    ) -> Result<bool, Failure> {
        let (addresses, link, state) = (self.addresses, RefCell::new(link), &self.state);
        self.domain.run(|library| {
            with_callbacks(library, state, &link, |api, functions| {
                api.network_set_time(milliseconds as u32)?;
                if state.started.get().is_none() {
                    start(api, functions, addresses, &link)?;
                    state.started.set(Some(functions));
                }
                work(api, state, &link, page)
            })
        })
    }

    /// Restarts the library with fresh memory. All connections are lost.
    ///
    /// # Errors
    /// Fails if the library does not start.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.state = NetworkState::new();
        self.domain.restart()
    }

    /// Asks for an address by DHCP. The answer arrives during later polls.
    ///
    /// # Errors
    /// lwIP's errors, or the call fails.
    pub fn start_dhcp(&mut self, link: &mut dyn Link) -> Result<(), Failure> {
        let (link, state) = (RefCell::new(link), &self.state);
        self.domain.run(|library| {
            with_callbacks(library, state, &link, |api, _| {
                state.started.get().ok_or(NOT_STARTED)?;
                let card = api.network_netif()?;
                fine(api.dhcp_start(card)?)
            })
        })
    }

    /// Returns the card's address, and whether it is from DHCP.
    ///
    /// # Errors
    /// If the call fails.
    pub fn address(&mut self) -> Result<(Address, bool), Failure> {
        self.domain.run(|library| {
            let address = library.network_address()?.to_ne_bytes();
            Ok((address, library.network_has_lease()? != 0))
        })
    }

    /// Returns the number of connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        let connections = self.state.connections.iter();
        connections.filter(|connection| !connection.get().is_free()).count()
    }

    /// Makes the library read from a forbidden address, as a bug would.
    ///
    /// # Errors
    /// Always: the fault.
    pub fn crash(&mut self, address: usize) -> Result<(), Failure> {
        self.domain.run(|library| {
            library.network_start(FnPtr::null(), Ptr::from_addr(address), 0, 0, 0)?;
            Ok(())
        })
    }
}

/// The error for operations before the first poll.
const NOT_STARTED: Error = Error::Misuse("the network has not been polled yet");

/// Returns lwIP's error if `answer` is one.
fn fine(answer: i8) -> Result<(), Failure> {
    if answer == OK { Ok(()) } else { Err(Failure::Refused(answer.into())) }
}

impl Functions {
    /// Placeholders until lwIP starts.
    const NONE: Self = Self {
        transmit: FnPtr::null(),
        accept: FnPtr::null(),
        receive: FnPtr::null(),
        failed: FnPtr::null(),
        icmp: FnPtr::null(),
    };
}

/// Runs `work` while lwIP's callbacks exist, at the addresses that lwIP knows.
fn with_callbacks<T>(
    api: &mut Api<Runtime>,
    state: &NetworkState,
    link: &RefCell<&mut dyn Link>,
    work: impl FnOnce(&mut Api<Runtime>, Functions) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let known = Cell::new(None::<Functions>);
    let mut transmit =
        |api: &mut Api<Runtime>, (_, frame)| link::transmit(api, frame, link).map_err(Into::into);
    let mut accept = |api: &mut Api<Runtime>, (service, pcb, error)| {
        let Some(functions) = known.get() else { return Ok(BAD_VALUE) };
        accept(api, state, functions, service, pcb, error).map_err(Into::into)
    };
    let mut receive = |api: &mut Api<Runtime>, (connection, _, bytes, _)| {
        receive(api, state, connection, bytes).map_err(Into::into)
    };
    let mut failed = |_: &mut Api<Runtime>, (connection, _)| {
        // lwIP has freed the connection already.
        if let Some(connection) = state.connection(connection) {
            connection.set(Connection::FREE);
        }
        Ok(())
    };
    let mut icmp = |api: &mut Api<Runtime>, (_, _, packet, _)| {
        icmp::receive(api, &state.ping, packet).map_err(Into::into)
    };
    let at = state.started.get().unwrap_or(Functions::NONE);
    api.with_callback_at(at.transmit, &mut transmit, |api, transmit| {
        api.with_callback_at(at.accept, &mut accept, |api, accept| {
            api.with_callback_at(at.receive, &mut receive, |api, receive| {
                api.with_callback_at(at.failed, &mut failed, |api, failed| {
                    api.with_callback_at(at.icmp, &mut icmp, |api, icmp| {
                        let functions = Functions { transmit, accept, receive, failed, icmp };
                        known.set(Some(functions));
                        work(api, functions)
                    })?
                })?
            })?
        })?
    })?
}

/// Starts lwIP with the card, and opens the listening connections.
fn start(
    api: &mut Api<Runtime>,
    functions: Functions,
    addresses: Addresses,
    link: &RefCell<&mut dyn Link>,
) -> Result<(), Failure> {
    let hardware = link.try_borrow().map(|link| link.address()).unwrap_or_default();
    let [own, mask, gateway] =
        [addresses.own, addresses.mask, addresses.gateway].map(u32::from_ne_bytes);
    let answer = api.scope(|scope| {
        let hardware = scope.copy_in(&hardware)?;
        scope.network_start(functions.transmit, hardware, own, mask, gateway)
    })?;
    fine(answer)?;
    for service in [Service::Echo, Service::Http] {
        listen(api, functions, service)?;
    }
    Ok(())
}

/// Makes lwIP accept connections for a service.
fn listen(api: &mut Api<Runtime>, functions: Functions, service: Service) -> Result<(), Failure> {
    let pcb = present(api.tcp_new()?)?;
    fine(api.tcp_bind(pcb, Ptr::null(), service.port())?)?;
    let listening = present(api.tcp_listen_with_backlog(pcb, BACKLOG)?)?;
    api.tcp_arg(listening, Ptr::from_addr(service as usize))?;
    api.tcp_accept(listening, functions.accept)?;
    Ok(())
}

/// Returns an error if the pointer is null: then lwIP had no memory.
fn present<T>(pointer: Ptr<T>) -> Result<Ptr<T>, Failure> {
    if pointer.is_null() { Err(Failure::Refused(OUT_OF_MEMORY.into())) } else { Ok(pointer) }
}

/// Does the work of one poll.
fn work(
    api: &mut Api<Runtime>,
    state: &NetworkState,
    link: &RefCell<&mut dyn Link>,
    page: &str,
) -> Result<bool, Failure> {
    let mut busy = link::take_in(api, link, BURST)? > 0;
    api.sys_check_timeouts()?;
    for connection in &state.connections {
        busy |= connection::serve(api, connection, page)?;
    }
    Ok(busy)
}

/// Accepts a new connection if the kernel has room for it.
fn accept(
    api: &mut Api<Runtime>,
    state: &NetworkState,
    functions: Functions,
    service: Ptr<Void>,
    pcb: Ptr<tcp_pcb>,
    error: i8,
) -> omniglot::Result<i8> {
    let free = state.connections.iter().position(|connection| connection.get().is_free());
    let (Some(service), Some(index)) = (Service::from_argument(service), free) else {
        return Ok(OUT_OF_MEMORY);
    };
    if error != OK || pcb.is_null() {
        return Ok(BAD_VALUE);
    }
    api.tcp_arg(pcb, Ptr::from_addr(FIRST + index))?;
    api.tcp_recv(pcb, functions.receive)?;
    api.tcp_err(pcb, functions.failed)?;
    if let Some(connection) = state.connections.get(index) {
        connection.set(Connection::new(pcb, service));
    }
    Ok(OK)
}

/// Records bytes that arrived on a connection, or its end.
fn receive(
    api: &mut Api<Runtime>,
    state: &NetworkState,
    argument: Ptr<Void>,
    bytes: Ptr<pbuf>,
) -> omniglot::Result<i8> {
    let Some(place) = state.connection(argument) else { return Ok(BAD_VALUE) };
    let mut connection = place.get();
    if bytes.is_null() {
        connection.ended = true;
    } else if connection.arrived.is_null() {
        connection.arrived = bytes;
    } else {
        api.pbuf_cat(connection.arrived, bytes)?;
    }
    place.set(connection);
    Ok(OK)
}
