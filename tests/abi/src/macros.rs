//! The macros that the generated lines invoke.

/// The arguments of a signature's closures: a single one as it is, none or several as a tuple.
macro_rules! arguments {
    ($one:tt) => { $one };
    ($($argument:tt),*) => { ($($argument),*) };
}

/// One case per signature, in which Rust calls C.
macro_rules! plain {
    ($index:literal $name:ident ($($argument:ident: $ty:ty),*) -> $result:ty) => {
        fn $name<R: Runtime>(api: &mut lib::Api<R>, seed: u64) -> Result<Outcome> {
            let (mut state, mut sent) = (State(seed), Hash($index));
            $(let $argument: $ty = Mix::make(&mut state);)*
            $(sent.add(&$argument);)*
            let result: $result = api.$name($($argument),*)?;
            Ok(mix::check(stringify!($name), sent, api.plain_last()?, &result))
        }
    };
}

/// Cases in which C calls Rust.
macro_rules! calling {
    ($index:literal $name:ident $callback:ident
     ($($argument:ident: $ty:ty),*) -> $result:ty) => {
        fn $name<R: Runtime>(api: &mut lib::Api<R>, seed: u64) -> Result<Outcome> {
            let (mut state, mut sent) = (State(seed), Hash($index));
            $(sent.add(&<$ty as Mix>::make(&mut state));)*
            let mut seen = None;
            let mut closure = |_: &mut lib::Api<R>, received: arguments!($($ty),*)| {
                let arguments!($($argument),*) = received;
                let mut hash = Hash($index);
                $(hash.add(&$argument);)*
                seen = Some(hash);
                Ok(hash.make::<$result>())
            };
            let end = api.with_callback::<lib::$callback, _>(&mut closure, |api, function| {
                api.$name(function, seed)
            })??;
            Ok(mix::check_callback::<$result>(stringify!($name), sent, seen, end))
        }
    };
}

/// Cases in which Rust calls C through a function's address.
macro_rules! pointer {
    ($index:literal $name:ident ($($argument:ident: $ty:ty),*) -> $result:ty) => {
        fn $name<R: Runtime>(api: &mut lib::Api<R>, seed: u64) -> Result<Outcome> {
            let (mut state, mut sent) = (State(seed), Hash($index));
            $(let $argument: $ty = Mix::make(&mut state);)*
            $(sent.add(&$argument);)*
            let function = api.$name()?;
            let result: $result = api.call_pointer(function, arguments!($($argument),*))?;
            Ok(mix::check(stringify!($name), sent, api.plain_last()?, &result))
        }
    };
}

/// The table of a library's cases.
macro_rules! cases {
    ($($case:expr),*) => {
        /// Returns every case, in the order of the signatures.
        fn cases<R: Runtime>() -> [fn(&mut lib::Api<R>, u64) -> Result<Outcome>; crate::CASES] {
            [$($case),*]
        }
    };
}

macro_rules! mix_struct {
    ($name:ident: $($field:ident),*) => {
        impl Mix for lib::$name {
            fn make(state: &mut State) -> Self {
                Self { $($field: Mix::make(state)),* }
            }
            fn fold(&self, hash: &mut Hash) {
                // Copied, since a packed field cannot be referenced.
                $(let field = self.$field; hash.add(&field);)*
            }
        }
    };
}

macro_rules! mix_union {
    ($name:ident: $size:literal) => {
        impl Mix for lib::$name {
            fn make(state: &mut State) -> Self {
                Self::from_ne_bytes(<[u8; $size]>::make(state))
            }
            fn fold(&self, hash: &mut Hash) {
                hash.add(&self.to_ne_bytes());
            }
        }
    };
}

/// A number with which only C can compute. In every `$unit` bytes, C uses the first `$used`.
macro_rules! mix_bytes {
    ($name:ident: $size:literal, $unit:literal, $used:literal) => {
        impl Mix for lib::$name {
            fn make(state: &mut State) -> Self {
                let mut bytes = [0; $size];
                let used = bytes.chunks_mut($unit).flat_map(|unit| &mut unit[..$used]);
                used.for_each(|byte| *byte = Mix::make(state));
                Self::from_ne_bytes(bytes)
            }
            fn fold(&self, hash: &mut Hash) {
                let bytes = self.to_ne_bytes();
                let used = bytes.chunks($unit).flat_map(|unit| &unit[..$used]);
                used.for_each(|byte| hash.add(byte));
            }
        }
    };
}

macro_rules! mix_enum {
    ($name:ident: $($variant:ident),*) => {
        impl Mix for lib::$name {
            fn make(state: &mut State) -> Self {
                let all = [$(Self::$variant),*];
                all[(state.draw() % all.len() as u64) as usize]
            }
            fn fold(&self, hash: &mut Hash) {
                hash.add(&(*self as u64));
            }
        }
    };
}
