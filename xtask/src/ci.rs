//! Detects continuous-integration services.

use std::env;

/// Returns true if this is a job of a continuous-integration service, without a user at a terminal.
pub(crate) fn is_job() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
