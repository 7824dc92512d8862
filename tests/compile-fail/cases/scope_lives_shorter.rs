//! A scope's environment lifetime cannot be shortened to let a closure borrow for less time.
#![forbid(unsafe_code)]
use omniglot::Scope;
use omniglot_compile_fail::Api;

fn shorten<'s, 'scope, 'long: 'short, 'short>(
    scope: &'s mut Scope<'scope, 'long, Api>,
) -> &'s mut Scope<'scope, 'short, Api> {
    scope
}

fn lengthen<'s, 'scope, 'long: 'short, 'short>(
    scope: &'s mut Scope<'scope, 'short, Api>,
) -> &'s mut Scope<'scope, 'long, Api> {
    scope
}

fn main() {
    let _ = (shorten, lengthen);
}
