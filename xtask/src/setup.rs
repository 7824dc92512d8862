//! Set-up: checks before a command starts that the system packages it needs are installed.
//!
//! If nothing is missing, this prints nothing, uses no network, and only checks some files.

mod advice;
mod apt;
mod arm64;
mod kernel;
mod libclang;
mod machine;
mod mirror;
mod packages;
mod roots;
mod targets;
mod vmlinux;

use anyhow::{Result, bail};

use self::apt::Privilege;
pub(crate) use self::arm64::{
    TARGET as ARM64_TARGET, build_environment as arm64_build_environment, root as arm64_root,
    write_script,
};
pub(crate) use self::kernel::kernel;
use self::machine::Machine;
pub(crate) use self::packages::Task;
use self::packages::{Package, lacks_riscv_target, missing};
pub(crate) use self::roots::{RELEASES, Release, Root, SEARCH_PATH};
pub(crate) use self::targets::prepare_target;
use crate::riscv;

/// Installs what `task` needs, if it may. `asked` is true if the user passed `--install`.
///
/// Returns true if the task can continue. If not, the user has been told what to do.
pub(crate) fn prepare(task: Task, asked: bool) -> Result<bool> {
    prepare_suites(task, &[], asked)
}

/// The same for a task that runs only these suites of tests, or all of them if the list is empty.
pub(crate) fn prepare_suites(task: Task, suites: &[String], asked: bool) -> Result<bool> {
    let machine = Machine::this();
    if lacks_riscv_target(task, suites, &machine) && Privilege::choose(&machine, asked).is_some() {
        riscv::add_target();
    }
    let lacking = missing(task, suites, &machine);
    if lacking.is_empty() {
        return Ok(true);
    }
    let Some(privilege) = Privilege::choose(&machine, asked) else {
        eprint!("{}", advice::text(&lacking, &machine));
        return Ok(false);
    };
    install(&lacking, privilege)?;
    confirm(&missing(task, suites, &machine))?;
    Ok(true)
}

/// Checks that root directories of other systems can be created. If not, the error says what is
/// missing.
///
/// `asked` is true if the user passed `--install`.
pub(crate) fn prepare_roots(asked: bool) -> Result<()> {
    if !prepare(Task::Roots, asked)? {
        bail!("the packages named above are not installed");
    }
    roots::possible(asked)
}

/// Returns true if everything for the corpus of real libraries is installed.
pub(crate) fn has_libraries() -> bool {
    missing(Task::Libraries, &[], &Machine::this()).is_empty()
}

/// Checks that the corpus of real libraries can be built and run. If not, the error says so.
///
/// `asked` is true if the user passed `--install`.
pub(crate) fn prepare_libraries(asked: bool) -> Result<()> {
    if !prepare(Task::Libraries, asked)? {
        bail!("the packages named above are not installed");
    }
    Ok(())
}

/// The target of hosts that are linked against musl.
pub(crate) const MUSL_TARGET: &str = "x86_64-unknown-linux-musl";

/// The targets of other systems, for which the crates must compile.
const OTHER_TARGETS: &str = include_str!("../../tests/places/systems.txt");

/// Checks that the places in which a host runs can be made. If not, the error says what is missing.
///
/// `asked` is true if the user passed `--install`.
pub(crate) fn prepare_places(asked: bool) -> Result<()> {
    if !prepare(Task::Places, asked)? {
        bail!("the packages named above are not installed");
    }
    // A test whose target is missing says so.
    targets::add_targets(&OTHER_TARGETS.lines().chain([MUSL_TARGET]).collect::<Vec<_>>());
    prepare_target(MUSL_TARGET)
}

/// Installs the packages in `lacking`, after printing which and why.
fn install(lacking: &[&Package], privilege: Privilege) -> Result<()> {
    eprint!("Installing system packages that are missing:\n\n{}\n", advice::reasons(lacking));
    apt::install(lacking, privilege)
}

/// Fails if packages are still missing, so that they are not installed again on every run.
fn confirm(lacking: &[&Package]) -> Result<()> {
    if lacking.is_empty() {
        return Ok(());
    }
    bail!("apt-get succeeded, but these are still missing: {}", advice::names(lacking));
}
