//! Empty: this package only pins where the demo's pictures come from.
