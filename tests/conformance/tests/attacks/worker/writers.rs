//! A library that reports the end of a call, and continues to run. What the host holds must stay as
//! it was validated.

use std::hint::black_box;
use std::time::Duration;

use omniglot::zerocopy::IntoBytes;
use omniglot::{Error, Linux, Ptr, Result, SliceMut};

use crate::attacks::attack::{self, Attack, Must, attack, limit, window};
use crate::attacks::hostile::Lamp;

type Api = attack::Api<Linux>;

/// The number of bytes that are written all the time.
const SIZE: usize = 512;
/// So few bytes that they often all have the same state, although the writer never pauses.
const FEW: usize = 8;
/// The largest number of looks by the host, and how often it must see each state.
const LOOKS: u32 = 10_000;
const ENOUGH: u32 = 20;
/// How often the host sleeps to let the writer run before it gives up.
const PATIENCE: u32 = 100_000;

pub(crate) fn attacks() -> Vec<Attack<Linux>> {
    let flips = |name: &str, one, other, look: Look| {
        attack(format!("writers::{name}"), Must::TimeOut, move |api, _| {
            let bytes = api.malloc::<u8>(SIZE)?;
            api.flip_after_answer(window(api), bytes, SIZE, one, other)?;
            watch(api, bytes, look)
        })
    };
    vec![
        attack("writers::views_stay", Must::TimeOut, |api, _| {
            let bytes = api.malloc::<u8>(SIZE)?;
            let words = Ptr::<u64>::from_addr(bytes.as_ptr().addr());
            api.write_after_answer(window(api), words, SIZE / 8)?;
            watch(api, bytes, view_bytes)
        }),
        flips("copies_are_the_hosts", 0x11, 0x22, copy_bytes),
        flips("bools_stay_bools", 1, 2, view_bools),
        flips("enums_stay_enums", 0, 3, view_lamps),
        flips("text_stays_terminated", b'x', 0, view_text),
        attack("writers::answers_of_noise", Must::Pass, |api, _| noisy_calls(api, 1)),
        attack("writers::answers_of_other_noise", Must::Pass, |api, _| noisy_calls(api, 77)),
    ]
}

/// What the host saw in two looks.
enum Seen {
    /// The value that it held changed.
    Broken,
    /// It got a value in one of two states.
    Held(bool),
}

/// Looks once at the memory that is being written.
type Look = fn(&Api, SliceMut<u8>) -> Result<Seen>;

/// Looks until each state was seen often, which shows that the writer was at work. After that no
/// call can succeed.
fn watch(api: &mut Api, bytes: SliceMut<u8>, look: Look) -> Result<bool> {
    let mut counts = [0; 2];
    for _ in 0..LOOKS {
        match look(api, bytes)? {
            Seen::Broken => return Ok(true),
            Seen::Held(state) => counts[usize::from(state)] += 1,
        }
        if counts.iter().all(|count| *count >= ENOUGH) {
            limit(api);
            return api.add(2, 3).map(|_| true);
        }
    }
    Err(Error::Misuse("nobody wrote"))
}

/// Waits until the memory has changed, so that what is held could have changed too.
fn wait_for_writer(api: &Api, bytes: SliceMut<u8>) -> Result<()> {
    let first = bytes.get(0).ok_or(Error::WrongInstance)?;
    let before = api.read(first)?;
    for _ in 0..PATIENCE {
        if api.read(first)? != before {
            return Ok(());
        }
        // Yielding is not enough if both share a processor.
        std::thread::sleep(Duration::from_micros(100));
    }
    Err(Error::Misuse("nobody writes"))
}

/// Returns `Broken` if what is held is invalid.
fn held(sound: bool, state: bool) -> Seen {
    if sound { Seen::Held(state) } else { Seen::Broken }
}

/// Nothing is held. Every look waits once, so that the next one sees the other state.
fn refused(api: &Api, bytes: SliceMut<u8>) -> Result<Seen> {
    wait_for_writer(api, bytes)?;
    Ok(Seen::Held(false))
}

fn view_bytes(api: &Api, bytes: SliceMut<u8>) -> Result<Seen> {
    let view = api.view_slice(bytes)?;
    let seen = view.to_vec();
    wait_for_writer(api, bytes)?;
    let odd = seen.first().is_some_and(|byte| byte % 2 == 1);
    Ok(held(*black_box(&*view) == *seen, odd))
}

fn copy_bytes(api: &Api, bytes: SliceMut<u8>) -> Result<Seen> {
    let mut copy = [0; SIZE];
    api.read_into(bytes, &mut copy)?;
    let kept = api.copy_unvalidated(bytes.get(0).ok_or(Error::WrongInstance)?)?;
    let (before, value) = (copy, kept.validate()?);
    wait_for_writer(api, bytes)?;
    Ok(held(black_box(copy) == before && kept.validate()? == value, value == 0x11))
}

fn view_bools(api: &Api, bytes: SliceMut<u8>) -> Result<Seen> {
    let flags = api.upgrade_slice(bytes.as_ptr().cast::<bool>(), FEW)?;
    let view = match api.view_slice(flags) {
        Ok(view) => view,
        Err(Error::InvalidValue(_)) => return refused(api, bytes),
        Err(error) => return Err(error),
    };
    wait_for_writer(api, bytes)?;
    Ok(held(black_box(view.as_bytes()).iter().all(|byte| *byte <= 1), true))
}

fn view_lamps(api: &Api, bytes: SliceMut<u8>) -> Result<Seen> {
    let lamps = api.upgrade_slice(bytes.as_ptr().cast::<Lamp>(), FEW / size_of::<Lamp>())?;
    let view = match api.view_slice(lamps) {
        Ok(view) => view,
        Err(Error::InvalidValue(_)) => return refused(api, bytes),
        Err(error) => return Err(error),
    };
    wait_for_writer(api, bytes)?;
    Ok(held(black_box(&*view).iter().all(|lamp| *lamp as u32 <= 2), true))
}

/// A string that was terminated when it was read still ends at the same place.
fn view_text(api: &Api, bytes: SliceMut<u8>) -> Result<Seen> {
    let text = match api.read_cstr(bytes.as_ptr().cast(), SIZE) {
        Ok(text) => text,
        Err(Error::Unterminated { .. }) => return refused(api, bytes),
        Err(error) => return Err(error),
    };
    let seen = text.to_bytes_with_nul().to_vec();
    wait_for_writer(api, bytes)?;
    Ok(held(black_box(&*text).to_bytes_with_nul() == seen, true))
}

/// The numbers of forged answers that were valid and invalid.
#[derive(Default)]
struct Counts {
    valid: u32,
    invalid: u32,
}

impl Counts {
    fn add<T>(&mut self, outcome: Result<T>, is_sound: impl Fn(T) -> bool) -> Result<()> {
        match outcome {
            Ok(value) => {
                assert!(is_sound(black_box(value)), "a value that passed validation is none");
                self.valid += 1;
            }
            Err(Error::InvalidValue(_)) => self.invalid += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Every answer is forged: valid ones arrive, the others are errors.
fn noisy_calls(api: &mut Api, seed: u32) -> Result<bool> {
    const ROUNDS: u32 = 300;
    api.answer_noise(window(api), seed)?;
    let mut counts = Counts::default();
    for _ in 0..ROUNDS {
        counts.add(api.add(1, 1), |_| true)?;
        counts.add(api.lamp_of_bits(1), |lamp| lamp as u32 <= 2)?;
        counts.add(api.flag_of_bits(1), |flag| u8::from(flag) <= 1)?;
        counts.add(api.spoiled_panel(0, 1), |panel| panel.lamp as u32 <= 2)?;
        counts.add(api.blob_of(0, 0), |_| true)?;
    }
    // Nearly all random enums and bools are invalid.
    Ok(counts.valid < 2 * ROUNDS || counts.invalid < 2 * ROUNDS)
}
