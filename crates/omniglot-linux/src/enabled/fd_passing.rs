//! Files between the host and a stub that was just spawned, over a socket.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use omniglot_core::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use super::system::{failed, refused};

/// How many files the stub gets: `RECEIVED_FDS` of `worker/control.h`.
pub(super) const FILES: usize = 6;

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

/// How many files the stub sends at most: `MOST_SENT_FDS`.
const MOST_SHOWN: usize = 3;

/// What the stub sends before any other code runs in the worker.
#[derive(Debug)]
pub(super) struct Shown {
    /// How many system call filters the worker inherited.
    inherited: u32,
    /// A descriptor of the worker's `/proc` status, which is always current.
    status: File,
    /// The worker's memory, and its requests to open files; only if the host opens them.
    pub(super) asks: Option<(File, OwnedFd)>,
}

impl Shown {
    /// How many filters of its own the worker has by now.
    pub(super) fn filters(&self) -> Result<u32> {
        let mut bytes = vec![0; 64 << 10];
        let got = self.status.read_at(&mut bytes, 0).map_err(failed("looking at the worker"))?;
        let text = String::from_utf8_lossy(bytes.get(..got).unwrap_or_default());
        let count = text.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"));
        let count = count.and_then(|count| count.trim().parse::<u32>().ok());
        Ok(count.unwrap_or(0).saturating_sub(self.inherited))
    }
}

/// What the stub sends within that time; `None` if it sends nothing, or ends.
pub(super) fn receive(ours: &OwnedFd, patience: &Timespec) -> Result<Option<Shown>> {
    // A failure appears as an empty receive.
    let _ = poll(&mut [PollFd::new(ours, PollFlags::IN)], Some(patience));
    let mut number = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SHOWN))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    // A signal handler of the host may run meanwhile.
    let received = retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(&mut number)];
        recvmsg(ours, &mut parts, &mut message, RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT)
    });
    match received {
        // If the host has no descriptor left, the kernel closes what was sent (unix(7)).
        Ok(received) if received.flags.contains(ReturnFlags::CTRUNC) => {
            return Err(refused("receiving files from the worker")(Errno::MFILE));
        }
        Ok(_) => {}
        Err(Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(refused("receiving files from the worker")(error)),
    }
    let mut files = message.drain().flat_map(|part| match part {
        RecvAncillaryMessage::ScmRights(files) => files.collect(),
        _ => Vec::new(),
    });
    let Some(status) = files.next() else {
        return Ok(None);
    };
    let memory = files.next().map(File::from);
    let asks = memory.zip(files.next());
    Ok(Some(Shown { inherited: u32::from_ne_bytes(number), status: status.into(), asks }))
}
