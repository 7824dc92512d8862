//! Invalid addresses, which the host then uses.

use std::ops::Range;

use omniglot::{Error, Ptr, Result, Runtime};

use super::attack::{Api, Attack, Must, attack, bounds};
use super::canaries::Targets;

/// The address and length that a struct claims, in relation to the library's memory.
type Claim = fn(Range<usize>, &Targets) -> (usize, usize);

/// Ranges that start outside.
const OUTSIDE: [(&str, Claim); 10] = [
    ("null", |_, _| (0, 16)),
    ("host_heap", |_, targets| (targets.heap, 16)),
    ("host_stack", |_, targets| (targets.stack, 16)),
    ("host_data", |_, targets| (targets.data, 1)),
    ("host_code", |_, targets| (targets.code, 16)),
    ("kernel", |_, _| (0xffff_8000_0000_0000, 16)),
    ("one_before", |window, _| (window.start - 1, 1)),
    ("across_the_start", |window, _| (window.start - 1, 16)),
    ("one_after", |window, _| (window.end, 1)),
    ("wrapping", |_, _| (usize::MAX - 7, 16)),
];

/// Ranges that start inside and end outside.
const LEAVING: [(&str, Claim); 2] = [
    ("across_the_end", |window, _| (window.end - 15, 16)),
    ("around_everything", |window, _| (window.end - 1, isize::MAX as usize)),
];

pub(crate) fn attacks<R: Runtime>() -> Vec<Attack<R>> {
    let mut all = Vec::new();
    for (name, claim) in OUTSIDE.into_iter().chain(LEAVING) {
        all.extend(blobs(name, claim));
    }
    all.extend(OUTSIDE.into_iter().map(|(name, claim)| text(name, claim)));
    all.extend(inside());
    all.extend(strings());
    all
}

fn blobs<R: Runtime>(name: &str, claim: Claim) -> [Attack<R>; 2] {
    [
        attack(format!("pointers::read_blob_{name}"), Must::BeOutside, move |api, targets| {
            let (address, size) = claim(bounds(api), targets);
            let blob = api.blob_of(address, size)?;
            let bytes = api.upgrade_slice(blob.data, blob.size)?;
            api.view_slice(bytes).map(|_| true)
        }),
        attack(format!("pointers::write_blob_{name}"), Must::BeOutside, move |api, targets| {
            let (address, size) = claim(bounds(api), targets);
            let blob = api.blob_of(address, size)?;
            let bytes = api.upgrade_slice_mut(blob.data, blob.size)?;
            api.write(bytes.get(0).ok_or(Error::WrongInstance)?, 0).map(|()| true)
        }),
    ]
}

fn text<R: Runtime>(name: &str, claim: Claim) -> Attack<R> {
    attack(format!("pointers::read_text_{name}"), Must::BeOutside, move |api, targets| {
        let (address, size) = claim(bounds(api), targets);
        let text = api.text_at(address)?;
        api.read_cstr(text, size).map(|_| true)
    })
}

fn inside<R: Runtime>() -> Vec<Attack<R>> {
    vec![
        attack(
            "pointers::misaligned",
            Must::Fail(|error| matches!(error, Error::Misaligned { .. })),
            |api, _| {
                let place = bounds(api).start + 1;
                api.upgrade(Ptr::<u64>::from_addr(place)).map(|_| true)
            },
        ),
        attack(
            "pointers::too_large",
            Must::Fail(|error| matches!(error, Error::TooLarge { .. })),
            |api, _| {
                let blob = api.blob_of(bounds(api).start, usize::MAX)?;
                api.upgrade_slice(blob.data.cast::<u64>(), blob.size).map(|_| true)
            },
        ),
        attack("pointers::everything_inside_can_be_read", Must::Pass, |api, _| {
            // Holes, guard pages and code: the host reads all of them without a fault.
            let mut at = bounds(api).start;
            while at < bounds(api).end {
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

fn read<R: Runtime>(api: &Api<R>, bytes: omniglot::SliceMut<u8>) -> Result<Vec<u8>> {
    Ok(api.view_slice(bytes)?.to_vec())
}

fn strings<R: Runtime>() -> Vec<Attack<R>> {
    let unterminated = Must::Fail(|error| matches!(error, Error::Unterminated { .. }));
    vec![
        attack("pointers::endless_text", unterminated, |api, _| {
            let text = api.endless_text(1 << 20)?;
            api.read_cstr(text, 1 << 20).map(|_| true)
        }),
        attack("pointers::text_to_the_end_of_memory", unterminated, |api, _| {
            let last = api.upgrade_mut(Ptr::<u8>::from_addr(bounds(api).end - 1))?;
            let before = api.read(last)?;
            api.write(last, b'x')?;
            let text = api.text_at(bounds(api).end - 1)?;
            let outcome = api.read_cstr(text, usize::MAX).map(|_| true);
            api.write(last, before)?;
            outcome
        })
        .in_process(Must::Fail(|error| {
            matches!(error, Error::Unterminated { .. } | Error::ReadOnly { .. })
        })),
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
