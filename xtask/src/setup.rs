//! Set-up: the system packages that a command needs are there before it starts.
//!
//! When nothing is missing this says nothing, uses no network, and costs a few looks at the disk.

mod advice;
mod apt;
mod kernel;
mod libclang;
mod machine;
mod mirror;
mod packages;
mod roots;
mod vmlinux;

use anyhow::{Result, bail};

use self::apt::Way;
pub(crate) use self::kernel::kernel;
use self::machine::Machine;
pub(crate) use self::packages::Task;
use self::packages::{Package, lacks_riscv_target, missing};
pub(crate) use self::roots::{RELEASES, Release, Root, SEARCH_PATH};
use crate::riscv;

/// Makes sure that what `task` needs is installed; `asked` is whether the user said `--install`.
///
/// Returns whether the task can go on. If not, the user has been told what to do.
pub(crate) fn prepare(task: Task, asked: bool) -> Result<bool> {
    prepare_suites(task, &[], asked)
}

/// The same for a task that runs these suites of tests only, if there are any.
pub(crate) fn prepare_suites(task: Task, suites: &[String], asked: bool) -> Result<bool> {
    let machine = Machine::this();
    if lacks_riscv_target(task, suites, &machine) && Way::choose(&machine, asked).is_some() {
        riscv::add_target();
    }
    let lacking = missing(task, suites, &machine);
    if lacking.is_empty() {
        return Ok(true);
    }
    let Some(way) = Way::choose(&machine, asked) else {
        eprint!("{}", advice::text(&lacking, &machine));
        return Ok(false);
    };
    install(&lacking, way)?;
    confirm(&missing(task, suites, &machine))?;
    Ok(true)
}

/// Makes sure that there can be root directories of other systems; if not, the error says what is
/// missing.
///
/// `asked` is whether the user said `--install`.
pub(crate) fn prepare_roots(asked: bool) -> Result<()> {
    if !prepare(Task::Roots, asked)? {
        bail!("the packages named above are not installed");
    }
    roots::possible(asked)
}

/// Whether all is there that the corpus of real libraries takes.
pub(crate) fn has_libraries() -> bool {
    missing(Task::Libraries, &[], &Machine::this()).is_empty()
}

/// Makes sure that the corpus of real libraries can be built and run; if not, the error says so.
///
/// `asked` is whether the user said `--install`.
pub(crate) fn prepare_libraries(asked: bool) -> Result<()> {
    if !prepare(Task::Libraries, asked)? {
        bail!("the packages named above are not installed");
    }
    Ok(())
}

/// Installs `lacking`, having said what and why.
fn install(lacking: &[&Package], way: Way) -> Result<()> {
    eprint!("Installing system packages that are missing:\n\n{}\n", advice::reasons(lacking));
    apt::install(lacking, way)
}

/// Fails if packages are still missing, so that they are not installed again on every run.
fn confirm(lacking: &[&Package]) -> Result<()> {
    if lacking.is_empty() {
        return Ok(());
    }
    bail!("apt-get succeeded, but these are still not to be found: {}", advice::names(lacking));
}
