//! Serving one connection.

use core::cell::Cell;

use omniglot::{Ptr, Void};

use super::http::{self, Response};
use super::{OK, OUT_OF_MEMORY};
use crate::domain::{Failure, Runtime};
use crate::foreign::lwip::{Api, TCP_WRITE_FLAG_COPY, pbuf, tcp_pcb};

/// The largest number of bytes that lwIP gets at a time.
pub(super) const CHUNK: usize = 1460;

/// The service that a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Echoes what arrives (RFC 862).
    Echo = 1,
    /// Serves pages.
    Http = 2,
}

impl Service {
    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Echo => 7,
            Self::Http => 80,
        }
    }

    /// Returns the service that the argument of a listening control block stands for.
    pub(super) fn from_argument(argument: Ptr<Void>) -> Option<Self> {
        [Self::Echo, Self::Http].into_iter().find(|service| *service as usize == argument.addr())
    }
}

/// A connection, or room for one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pcb: Ptr<tcp_pcb>,
    service: Service,
    /// Data that has arrived and has not been handled.
    pub(super) arrived: Ptr<pbuf>,
    /// True once the other side has closed its direction.
    pub(super) ended: bool,
    /// The response that the HTTP server is sending.
    response: Option<Response>,
}

impl Connection {
    pub(super) const FREE: Self = Self {
        pcb: Ptr::null(),
        service: Service::Echo,
        arrived: Ptr::null(),
        ended: false,
        response: None,
    };

    pub(super) const fn new(pcb: Ptr<tcp_pcb>, service: Service) -> Self {
        Self { pcb, service, ..Self::FREE }
    }

    pub(super) fn is_free(&self) -> bool {
        self.pcb.is_null()
    }
}

/// Serves a connection as far as is possible now. Returns true if there was anything to do.
pub(super) fn serve(
    api: &mut Api<Runtime>,
    place: &Cell<Connection>,
    page: &str,
) -> Result<bool, Failure> {
    let before = place.get();
    if before.is_free() {
        return Ok(false);
    }
    match before.service {
        Service::Echo => echo(api, place),
        Service::Http => answer(api, place, page),
    }
}

/// Echoes what has arrived, as far as lwIP has room.
fn echo(api: &mut Api<Runtime>, place: &Cell<Connection>) -> Result<bool, Failure> {
    let mut busy = false;
    loop {
        let connection = place.get();
        if connection.arrived.is_null() {
            break;
        }
        let head = api.read(api.upgrade(connection.arrived)?)?;
        let len = head.len.min(api.tcp_sndbuf(connection.pcb)?);
        if len == 0 && head.len > 0 {
            break;
        }
        let flags = TCP_WRITE_FLAG_COPY as u8;
        let written = api.tcp_write(connection.pcb, head.payload, len, flags)?;
        if written != OK {
            break;
        }
        take_away(api, place, len)?;
        busy = true;
    }
    finish_turn(api, place, busy)
}

/// Tells lwIP that the first `len` bytes of what arrived were handled.
fn take_away(api: &mut Api<Runtime>, place: &Cell<Connection>, len: u16) -> Result<(), Failure> {
    let mut connection = place.get();
    connection.arrived = api.pbuf_free_header(connection.arrived, len)?;
    place.set(connection);
    api.tcp_recved(connection.pcb, len)?;
    Ok(())
}

/// Sends what was written. Closes a connection once all of its data was handled and no more comes.
fn finish_turn(
    api: &mut Api<Runtime>,
    place: &Cell<Connection>,
    busy: bool,
) -> Result<bool, Failure> {
    let connection = place.get();
    if busy && !connection.is_free() {
        api.tcp_output(connection.pcb)?;
    }
    let connection = place.get();
    let done = connection.ended && connection.arrived.is_null() && connection.response.is_none();
    if done && !connection.is_free() {
        close(api, place)?;
        return Ok(true);
    }
    Ok(busy)
}

/// Closes a connection. If lwIP has no memory for that now, a later poll tries again.
fn close(api: &mut Api<Runtime>, place: &Cell<Connection>) -> Result<(), Failure> {
    drop_arrived(api, place)?;
    let connection = place.get();
    // From here on, events of lwIP about this connection are ignored.
    api.tcp_arg(connection.pcb, Ptr::null())?;
    if api.tcp_close(connection.pcb)? != OUT_OF_MEMORY {
        place.set(Connection::FREE);
    }
    Ok(())
}

/// Frees what has arrived. lwIP is told that it was read: otherwise it treats closing as a failure,
/// and resets the connection before the other side has received everything.
fn drop_arrived(api: &mut Api<Runtime>, place: &Cell<Connection>) -> Result<(), Failure> {
    let connection = place.get();
    if connection.arrived.is_null() {
        return Ok(());
    }
    let len = api.read(api.upgrade(connection.arrived)?)?.tot_len;
    place.set(Connection { arrived: Ptr::null(), ..connection });
    api.tcp_recved(connection.pcb, len)?;
    api.pbuf_free(connection.arrived)?;
    Ok(())
}

/// Reads a request, and sends the response.
fn answer(api: &mut Api<Runtime>, place: &Cell<Connection>, page: &str) -> Result<bool, Failure> {
    let connection = place.get();
    if connection.response.is_none() && !connection.arrived.is_null() {
        let response = http::respond(api, connection.arrived, page)?;
        place.set(Connection { response, ..connection });
    }
    let Some(mut response) = place.get().response else {
        return finish_turn(api, place, false);
    };
    drop_arrived(api, place)?;
    let mut busy = false;
    while let Some(len) = send(api, place.get().pcb, &mut response, page)? {
        busy |= len > 0;
    }
    place.set(Connection { response: Some(response), ..place.get() });
    if response.is_sent() {
        api.tcp_output(place.get().pcb)?;
        close(api, place)?;
        return Ok(true);
    }
    finish_turn(api, place, busy)
}

/// Sends the next part of a response. Returns `None` if there is no room, or nothing is left.
fn send(
    api: &mut Api<Runtime>,
    pcb: Ptr<tcp_pcb>,
    response: &mut Response,
    page: &str,
) -> Result<Option<usize>, Failure> {
    let room = usize::from(api.tcp_sndbuf(pcb)?).min(CHUNK);
    let mut bytes = [0; CHUNK];
    let Some(bytes) = bytes.get_mut(..room) else { return Ok(None) };
    let len = response.part(bytes, page);
    let Some(part) = bytes.get(..len).filter(|part| !part.is_empty()) else { return Ok(None) };
    let written = api.scope(|scope| {
        let part = scope.copy_in(part)?;
        scope.tcp_write(pcb, part.as_ptr().cast(), len as u16, TCP_WRITE_FLAG_COPY as u8)
    })?;
    if written != OK {
        return Ok(None);
    }
    response.advance(len);
    Ok(Some(len))
}
