//! Empty: this package only pins the sources of the C libraries and of test data.
