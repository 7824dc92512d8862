use std::fmt;
use serde::Serialize;
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Published { pub(crate) workload: &'static str }
impl fmt::Display for Published { fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result { write!(out, "{}", self.workload) } }
pub(crate) const KEY_WRITES: [Published; 0] = [];
