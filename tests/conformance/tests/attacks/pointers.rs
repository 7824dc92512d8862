//! Addresses that are no addresses, for the host to walk into.

use omniglot::{Error, Ptr, Result, Runtime};

use super::attack::{Api, Attack, Must, attack, window};
use super::canaries::Targets;

/// What a struct of address and length claims, and what is wrong with it.
type Claim = fn(&Api, &Targets) -> (usize, usize);

/// Claims that start outside.
const OUTSIDE: [(&str, Claim); 10] = [
    ("null", |_, _| (0, 16)),
    ("host_heap", |_, targets| (targets.heap, 16)),
    ("host_stack", |_, targets| (targets.stack, 16)),
    ("host_data", |_, targets| (targets.data, 1)),
    ("host_code", |_, targets| (targets.code, 16)),
    ("kernel", |_, _| (0xffff_8000_0000_0000, 16)),
    ("one_before", |api, _| (window(api) - 1, 1)),
    ("across_the_start", |api, _| (window(api) - 1, 16)),
    ("one_after", |api, _| (end(api), 1)),
    ("wrapping", |_, _| (usize::MAX - 7, 16)),
];

/// Claims that start inside and leave.
const LEAVING: [(&str, Claim); 2] = [
    ("across_the_end", |api, _| (end(api) - 15, 16)),
    ("around_everything", |api, _| (end(api) - 1, isize::MAX as usize)),
];

fn end(api: &Api) -> usize {
    window(api) + api.runtime().window().len()
}

pub(crate) fn attacks() -> Vec<Attack> {
    let mut all = Vec::new();
    for (name, claim) in OUTSIDE.into_iter().chain(LEAVING) {
        all.extend(blobs(name, claim));
    }
    all.extend(OUTSIDE.into_iter().map(|(name, claim)| text(name, claim)));
    all.extend(inside());
    all.extend(strings());
    all
}

fn blobs(name: &str, claim: Claim) -> [Attack; 2] {
    [
        attack(format!("pointers::read_blob_{name}"), Must::BeOutside, move |api, targets| {
            let (address, size) = claim(api, targets);
            let blob = api.blob_of(address, size)?;
            let bytes = api.upgrade_slice(blob.data, blob.size)?;
            api.view_slice(bytes).map(|_| true)
        }),
        attack(format!("pointers::write_blob_{name}"), Must::BeOutside, move |api, targets| {
            let (address, size) = claim(api, targets);
            let blob = api.blob_of(address, size)?;
            let bytes = api.upgrade_slice_mut(blob.data, blob.size)?;
            api.write(bytes.get(0).ok_or(Error::WrongInstance)?, 0).map(|()| true)
        }),
    ]
}

fn text(name: &str, claim: Claim) -> Attack {
    attack(format!("pointers::read_text_{name}"), Must::BeOutside, move |api, targets| {
        let (address, size) = claim(api, targets);
        let text = api.text_at(address)?;
        api.read_cstr(text, size).map(|_| true)
    })
}

fn inside() -> Vec<Attack> {
    vec![
        attack(
            "pointers::misaligned",
            Must::Fail(|error| matches!(error, Error::Misaligned { .. })),
            |api, _| {
                let place = window(api) + 1;
                api.upgrade(Ptr::<u64>::from_addr(place)).map(|_| true)
            },
        ),
        attack(
            "pointers::too_large",
            Must::Fail(|error| matches!(error, Error::TooLarge { .. })),
            |api, _| {
                let blob = api.blob_of(window(api), usize::MAX)?;
                api.upgrade_slice(blob.data.cast::<u64>(), blob.size).map(|_| true)
            },
        ),
        attack("pointers::everything_inside_can_be_read", Must::Pass, |api, _| {
            // Holes, guard pages and code: the host reads them all without a fault.
            let mut at = window(api);
            while at < end(api) {
                api.read(api.upgrade(Ptr::<u8>::from_addr(at))?)?;
                at += 4096;
            }
            Ok(false)
        }),
        attack("pointers::overlapping_copies", Must::Pass, |api, _| {
            let bytes = api.malloc::<u8>(10_000)?;
            let part = |start| bytes.range(start, 9000).ok_or(Error::WrongInstance);
            for (from, into) in [(0, 1000), (1000, 0), (0, 1), (500, 500)] {
                api.noise_into(bytes, 10_000, 5)?;
                let before = read(api, part(from)?)?;
                api.copy_within(part(from)?, part(into)?)?;
                if read(api, part(into)?)? != before {
                    return Ok(true);
                }
            }
            Ok(false)
        }),
    ]
}

fn read(api: &Api, bytes: omniglot::SliceMut<u8>) -> Result<Vec<u8>> {
    Ok(api.view_slice(bytes)?.to_vec())
}

fn strings() -> Vec<Attack> {
    let unterminated = Must::Fail(|error| matches!(error, Error::Unterminated { .. }));
    vec![
        attack("pointers::endless_text", unterminated, |api, _| {
            let text = api.endless_text(1 << 20)?;
            api.read_cstr(text, 1 << 20).map(|_| true)
        }),
        attack("pointers::text_to_the_end_of_memory", unterminated, |api, _| {
            let last = api.upgrade_mut(Ptr::<u8>::from_addr(end(api) - 1))?;
            let before = api.read(last)?;
            api.write(last, b'x')?;
            let text = api.text_at(end(api) - 1)?;
            let outcome = api.read_cstr(text, usize::MAX).map(|_| true);
            api.write(last, before)?;
            outcome
        }),
        attack("pointers::text_of_noise", Must::EndSomehow, |api, _| {
            let bytes = api.malloc::<u8>(1000)?;
            for seed in 0..200 {
                api.noise_into(bytes, 1000, seed)?;
                match api.read_str(bytes.as_ptr().cast(), 1000) {
                    Ok(text) if std::str::from_utf8(text.as_bytes()).is_err() => return Ok(true),
                    Ok(_) | Err(Error::InvalidUtf8 { .. } | Error::Unterminated { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(false)
        }),
    ]
}
