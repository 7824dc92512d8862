//! Empty: this package only pins the sources of headers.
