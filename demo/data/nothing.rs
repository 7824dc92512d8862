//! Empty: this package only pins the sources of the demo's pictures.
