//! Telling whether a continuous-integration service runs us.

use std::env;

/// Whether this is a job of a continuous-integration service, with nobody at the keyboard.
pub(crate) fn is_job() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
