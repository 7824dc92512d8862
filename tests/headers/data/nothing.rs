//! Empty: this package only pins where these headers come from.
