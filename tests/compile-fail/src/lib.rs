//! A library as the generator would define it, for programs that must not compile.
#![forbid(unsafe_code)]

use omniglot::{Description, Escape, FnPtr, Frame, HEADER_SIZE, Ptr, Result, Signature};

const DESCRIPTION: Description = Description {
    name: "demo",
    image: &[],
    shims: 3,
    slots: 8,
    functions: &["malloc", "free", "run"],
};

omniglot::define_library! {
    /// A library.
    pub struct Demo, Api; DESCRIPTION; default omniglot::Linux
}

impl Api {
    /// A foreign function.
    ///
    /// # Errors
    /// If the call fails.
    pub fn run(&mut self, pointer: impl omniglot::AsPtr<u8>) -> Result<Ptr<u8>> {
        let pointer = self.address(pointer)?;
        let mut frame = Frame::<24>::new();
        frame.put(HEADER_SIZE, &pointer);
        omniglot::call(self, 2, frame.bytes_mut())?;
        frame.get(16)
    }
}

impl Api {
    /// C: `int put(const char *text)`.
    ///
    /// # Errors
    /// If the call fails.
    pub fn put(&mut self, text: impl omniglot::AsPtr<std::ffi::c_char>) -> Result<i32> {
        let text = self.address(text)?;
        let mut frame = Frame::<24>::new();
        frame.put(HEADER_SIZE, &text);
        omniglot::call(self, 2, frame.bytes_mut())?;
        frame.get(16)
    }

    /// C: `int sum(const uint32_t *numbers, uint64_t count)`.
    ///
    /// # Errors
    /// If the call fails.
    pub fn sum(&mut self, numbers: impl omniglot::AsPtr<u32>, count: u64) -> Result<i32> {
        let numbers = self.address(numbers)?;
        let mut frame = Frame::<32>::new();
        frame.put(HEADER_SIZE, &numbers);
        frame.put(16, &count);
        omniglot::call(self, 2, frame.bytes_mut())?;
        frame.get(24)
    }
}

impl Demo {
    /// An instance, for programs that only need to be compiled.
    ///
    /// # Errors
    /// Always, when it is run: there is no such library.
    pub fn assemble_for_tests() -> Result<Self> {
        omniglot::Builder::new().build()
    }
}

/// What a callback returns.
pub type Outcome = std::result::Result<(), Escape>;

/// `void callback(uint32_t)`.
#[derive(Debug)]
pub enum Callback {}

impl Signature for Callback {
    const NAME: &'static str = "callback";
    const FIRST_SLOT: u32 = 0;
    const SLOTS: u32 = 8;
    const CALLER: u32 = 2;
    type Arguments = u32;
    type Return = ();
    type Frame = Frame<24>;
    const RETURN_OFFSET: usize = 0;
    const RETURN_SIZE: usize = 0;
    fn arguments(frame: &Self::Frame) -> Result<u32> {
        frame.get(HEADER_SIZE)
    }
    fn put_return(_: &mut Self::Frame, (): &()) {}
    fn put_call(frame: &mut Self::Frame, function: FnPtr<Self>, value: &u32) {
        frame.put(HEADER_SIZE, value);
        frame.put(16, &function);
    }
    fn get_return(_: &Self::Frame) -> Result<()> {
        Ok(())
    }
}
