//! How much of the tests to run.

/// The scope of the run, and the user's consent to installing packages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// True if tests that take long were requested.
    pub(super) thorough: bool,
    /// True if all suites run, because none was named.
    pub(super) together: bool,
    /// True if the user passed `--install`.
    pub(super) asked: bool,
}
