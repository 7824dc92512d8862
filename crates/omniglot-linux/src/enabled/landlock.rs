//! Landlock's system calls: rules that confine a process which takes them on (landlock(7)).
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use linux_raw_sys::landlock as raw;
use rustix::io::Errno;
use syscalls::{Sysno, syscall};

/// All rights to files and directories of version 1 of the interface, whose last is to make links.
const FIRST_RIGHTS: u32 = (raw::LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

/// The newest version that [`handled`] knows.
const NEWEST: u32 = 6;

/// The version of the kernel's interface, if it has any.
pub(super) fn version() -> Option<u32> {
    let flag = raw::LANDLOCK_CREATE_RULESET_VERSION;
    // SAFETY: asking for the version takes no memory and makes nothing
    // (landlock_create_ruleset(2); invariant 12).
    let version = unsafe { syscall!(Sysno::landlock_create_ruleset, 0, 0, flag) };
    version.ok().and_then(|version| u32::try_from(version).ok())
}

/// All that this version of the interface can forbid, by the table of landlock(7).
const fn handled(version: u32) -> raw::landlock_ruleset_attr {
    const fn since(first: u32, version: u32, rights: u32) -> u64 {
        if version >= first { rights as u64 } else { 0 }
    }
    let network = raw::LANDLOCK_ACCESS_NET_BIND_TCP | raw::LANDLOCK_ACCESS_NET_CONNECT_TCP;
    let scopes = raw::LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | raw::LANDLOCK_SCOPE_SIGNAL;
    raw::landlock_ruleset_attr {
        handled_access_fs: FIRST_RIGHTS as u64
            | since(2, version, raw::LANDLOCK_ACCESS_FS_REFER)
            | since(3, version, raw::LANDLOCK_ACCESS_FS_TRUNCATE)
            | since(5, version, raw::LANDLOCK_ACCESS_FS_IOCTL_DEV),
        handled_access_net: since(4, version, network),
        scoped: since(NEWEST, version, scopes),
    }
}

/// Rules that forbid everything that there are rights for, which whoever takes them on cannot
/// take off again.
#[derive(Debug)]
pub(super) struct Rules(OwnedFd);

impl Rules {
    /// Rules by that version of the interface.
    pub(super) fn new(version: u32) -> Result<Self, Errno> {
        let attributes = handled(version);
        let (place, size) = (&raw const attributes, size_of_val(&attributes));
        // SAFETY: the kernel reads that many bytes there, which are ours; of an interface that it
        // does not know it wants zeros (landlock_create_ruleset(2); invariant 12).
        let made = unsafe { syscall!(Sysno::landlock_create_ruleset, place, size, 0) };
        let number = made.map_err(errno)?;
        // A descriptor is an `int`.
        let number = i32::try_from(number).map_err(|_| Errno::BADF)?;
        // SAFETY: the kernel made the descriptor for us, just now (invariant 12).
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// Allows to read and execute a file, or what is in a directory.
    pub(super) fn allow_reading(&mut self, what: impl AsFd) -> Result<(), Errno> {
        let rights = raw::LANDLOCK_ACCESS_FS_READ_FILE | raw::LANDLOCK_ACCESS_FS_EXECUTE;
        let rule = raw::landlock_path_beneath_attr {
            allowed_access: u64::from(rights),
            parent_fd: what.as_fd().as_raw_fd(),
        };
        let (rules, place) = (self.0.as_raw_fd(), &raw const rule);
        let kind = raw::landlock_rule_type::LANDLOCK_RULE_PATH_BENEATH as u32;
        // SAFETY: the kernel reads the rule, which is ours and of that type; both descriptors are
        // open (landlock_add_rule(2); invariant 12).
        unsafe { syscall!(Sysno::landlock_add_rule, rules, kind, place, 0) }.map_err(errno)?;
        Ok(())
    }
}

impl From<Rules> for OwnedFd {
    fn from(rules: Rules) -> Self {
        rules.0
    }
}

fn errno(errno: syscalls::Errno) -> Errno {
    Errno::from_raw_os_error(errno.into_raw())
}

#[cfg(test)]
mod tests {
    use super::{handled, raw};

    #[test]
    fn each_version_forbids_what_the_versions_before_it_forbid_and_more() {
        // The numbers of rights in the table of landlock(7).
        let rights = [(13, 0, 0), (14, 0, 0), (15, 0, 0), (15, 2, 0), (16, 2, 0), (16, 2, 2)];
        for (version, expected) in (1..).zip(rights) {
            let raw::landlock_ruleset_attr { handled_access_fs, handled_access_net, scoped } =
                handled(version);
            let numbers = (
                handled_access_fs.count_ones(),
                handled_access_net.count_ones(),
                scoped.count_ones(),
            );
            assert_eq!(numbers, expected, "version {version}");
        }
    }
}
