//! Finds the mirror from which this machine gets Debian's packages.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt::{self, Privilege};
use crate::workspace::Workspace;

/// The format of apt's output for each list of packages.
const FORMAT: &str = "$(LABEL) $(REPO_URI)";

/// The address of the Debian mirror in this machine's apt configuration.
///
/// It has all releases, whichever is installed here.
pub(super) fn of_debian(privilege: Privilege, workspace: &Workspace) -> Result<String> {
    if let Some(mirror) = known()? {
        return Ok(mirror);
    }
    // apt knows the contents of a mirror only after reading its lists.
    apt::update(privilege, workspace)?;
    match known()? {
        Some(mirror) => Ok(mirror),
        None => bail!("this machine's apt is not configured for Debian's packages"),
    }
}

pub(super) fn known() -> Result<Option<String>> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", FORMAT, "Created-By: Packages"])
        .output()
        .context("could not start apt-get")?;
    Ok(first(&String::from_utf8_lossy(&output.stdout)))
}

/// The first mirror in lines such as `Debian http://mirror/debian/` that has Debian itself, and not
/// its security updates or another vendor's packages.
fn first(lines: &str) -> Option<String> {
    lines.lines().find_map(|line| line.strip_prefix("Debian ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn security_updates_and_other_vendors_are_no_mirror_of_debian() {
        let lines = "Debian-Security http://mirror/debian-security/\n\
                     Node http://example/node/\n\
                     Debian http://mirror/debian/\n\
                     Debian http://other/debian/\n";
        assert_eq!(first(lines).as_deref(), Some("http://mirror/debian/"));
        assert_eq!(first("Ubuntu http://mirror/ubuntu/\n"), None);
    }
}
