//! Where this machine gets Debian's packages from.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt::{self, Way};
use crate::workspace::Workspace;

/// What apt is to tell about each list of packages that it has.
const FORMAT: &str = "$(LABEL) $(REPO_URI)";

/// The address of the mirror of Debian that this machine's apt is set up with.
///
/// It has all releases, whichever is installed here.
pub(super) fn of_debian(way: Way, workspace: &Workspace) -> Result<String> {
    if let Some(mirror) = known()? {
        return Ok(mirror);
    }
    // apt knows what a mirror has only once it has read the lists.
    apt::update(way, workspace)?;
    match known()? {
        Some(mirror) => Ok(mirror),
        None => bail!("this machine's apt gets no packages from Debian"),
    }
}

fn known() -> Result<Option<String>> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", FORMAT, "Created-By: Packages"])
        .output()
        .context("could not start apt-get")?;
    Ok(first(&String::from_utf8_lossy(&output.stdout)))
}

/// The first of the mirrors in lines like `Debian http://mirror/debian/` that has Debian itself,
/// rather than its security updates or another vendor's packages.
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
