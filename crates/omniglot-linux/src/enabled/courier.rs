//! Files between the host and a stub that was just spawned, over a socket.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use omniglot_core::Result;
use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::system::refused;

/// How many files the stub gets: `RECEIVED_FDS` of `worker/control.h`.
pub(super) const FILES: usize = 5;

/// Makes the two ends of a socket, the host's and the stub's, and sends the files.
pub(super) fn send(files: &[BorrowedFd<'_>; FILES]) -> Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(refused("a socket for the worker's files"))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    message.push(SendAncillaryMessage::ScmRights(files));
    sendmsg(&ours, &[IoSlice::new(&[0])], &mut message, SendFlags::NOSIGNAL)
        .map_err(refused("sending files to the worker"))?;
    Ok((ours, theirs))
}

/// The file that the stub sends; `None` if it ends without.
pub(super) fn receive(ours: &OwnedFd) -> Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    // A signal handler of the host may run meanwhile.
    retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(&mut byte)];
        recvmsg(ours, &mut parts, &mut message, RecvFlags::CMSG_CLOEXEC)
    })
    .map_err(refused("receiving a file from the worker"))?;
    let mut received = None;
    for part in message.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = part {
            received = files.last();
        }
    }
    Ok(received)
}
