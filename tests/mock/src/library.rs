//! A library on that runtime, and what tests and examples do with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use omniglot_core::*;

use crate::{BASE, Foreigner, Mock, Step};

define_library! {
    /// A library that does what its script says.
    pub struct Scripted, Interface; DESCRIPTION; default Mock
}
const DESCRIPTION: Description =
    Description { name: "scripted", image: &[], shims: 8, slots: 80, functions: &["malloc"] };

pub type Script = Arc<Mutex<Foreigner>>;

/// Where callbacks' arguments are.
pub const FRAME: usize = BASE + 0x1000;
/// Foreign memory that nobody needs.
pub const ROOM: usize = BASE + 0x2000;

/// `uint32_t callback(uint32_t)`.
#[derive(Debug)]
pub enum Callback {}

impl Signature for Callback {
    const NAME: &'static str = "callback";
    const FIRST_SLOT: u32 = 1;
    const SLOTS: u32 = 8;
    const CALLER: u32 = 3;
    const FUNCTIONS: &'static [(&'static str, u32)] = &[("list_price", 4)];
    type Arguments = u32;
    type Return = u32;
    type Frame = Frame<24>;
    const RETURN_OFFSET: usize = 12;
    const RETURN_SIZE: usize = 4;
    fn arguments(frame: &Self::Frame) -> Result<u32> {
        frame.get(8)
    }
    fn put_return(frame: &mut Self::Frame, value: &u32) {
        frame.put(12, value);
    }
    fn put_call(frame: &mut Self::Frame, function: FnPtr<Self>, argument: &u32) {
        frame.put(8, argument);
        frame.put(16, &function);
    }
    fn get_return(frame: &Self::Frame) -> Result<u32> {
        frame.get(12)
    }
}

/// An instance whose foreign code takes these steps.
pub fn scripted(steps: impl IntoIterator<Item = Step>) -> (Scripted, Script) {
    let runtime = Mock::default();
    let script = Arc::clone(&runtime.foreign);
    script.lock().unwrap().script.extend(steps);
    (Scripted::from_runtime(runtime), script)
}

/// An instance whose foreign code just returns.
pub fn instance() -> Scripted {
    scripted([]).0
}

/// What foreign code does next.
pub fn then(script: &Script, steps: impl IntoIterator<Item = Step>) {
    script.lock().unwrap().script.extend(steps);
}

/// A call that only runs what the script says.
pub fn run(api: &mut Interface) -> Result<()> {
    let mut frame = Frame::<16>::new();
    call(api, 2, frame.bytes_mut())
}

/// Foreign code calls a slot with an argument.
pub fn calls_back(slot: u32, value: u32) -> [Step; 2] {
    [Step::Write(FRAME + 8, value.to_ne_bytes().to_vec()), Step::Callback(slot, FRAME)]
}

/// The slot whose trampoline this is.
pub fn slot_of<S: ?Sized>(function: FnPtr<S>) -> u32 {
    u32::try_from(function.addr() - 0x200).unwrap()
}

/// Whether the program panics.
pub fn panics<T>(program: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(program)).is_err()
}

/// Foreign bytes.
pub fn bytes_at(api: &Interface, address: usize, len: usize) -> Vec<u8> {
    let slice = api.upgrade_slice(Ptr::<u8>::from_addr(address), len).unwrap();
    api.view_slice(slice).unwrap().to_vec()
}

/// Runs an example of the documentation with an instance whose foreign code takes these steps.
pub fn example(
    steps: impl IntoIterator<Item = Step>,
    body: impl FnOnce(&mut Scripted) -> Result<()>,
) {
    body(&mut scripted(steps).0).unwrap();
}

/// The steps of a call that stores a value at an offset of its frame, and returns.
pub fn returns(offset: usize, value: impl Foreign) -> [Step; 2] {
    let mut bytes = vec![0; size_of_val(&value)];
    value.encode(&mut bytes);
    [Step::Result(offset, bytes), Step::Return]
}
