//! What the host reads in place: on other threads and in system calls, and never writably.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;

use omniglot::{Error, Ptr, Result, Runtime};

use super::escape::{Api, Escape, escape};
use super::library::Place;
use crate::attacks::attack::{ACCESS, Must};

const SIZE: usize = 8192;

pub(crate) fn escapes<R: Runtime>() -> Vec<Escape<R>> {
    let read_only = Must::Fail(|error| matches!(error, Error::ReadOnly { .. }));
    vec![
        escape("views::written_to_a_file", Must::Pass, |api, _| {
            let bytes = filled(api)?;
            let view = api.view_slice(bytes)?;
            Ok(through_a_pipe(&view) != *view)
        }),
        escape("views::written_by_an_older_thread", Must::Pass, |api, _| {
            let bytes = filled(api)?;
            let view = api.view_slice(bytes)?;
            Ok(OLDER.with_borrow(|older| older.write(&view)) != *view)
        })
        .preceded_by(|| OLDER.with_borrow(|older| assert!(older.write(b"x") == b"x"))),
        escape("views::written_by_a_younger_thread", Must::Pass, |api, _| {
            let bytes = filled(api)?;
            let view = api.view_slice(bytes)?;
            let written = thread::scope(|scope| scope.spawn(|| through_a_pipe(&view)).join());
            Ok(written.ok().as_deref() != Some(&*view))
        }),
        escape("views::read_while_others_run", Must::Pass, |api, _| {
            let bytes = filled(api)?;
            let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            let view = api.view_slice(bytes)?;
            let expected = sum(&view);
            let sums = thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| sum(&view))).collect();
                threads.into_iter().all(|thread| thread.join().is_ok_and(|sum| sum == expected))
            });
            Ok(!sums)
        }),
        escape("views::the_library_writes_its_code", ACCESS, |api, _| {
            let code = api.place_of(Place::LANDING)?;
            api.poke(code, 0).map(|()| true)
        }),
        escape("views::the_library_writes_its_constants", ACCESS, |api, _| {
            let constant = api.place_of(Place::CONSTANT)?;
            api.poke(constant, 0).map(|()| true)
        }),
        escape("views::the_host_writes_code_for_it", read_only, |api, _| {
            let code = Ptr::<u64>::from_addr(api.place_of(Place::LANDING)? & !7);
            api.upgrade_mut(code).map(|_| true)
        }),
        escape("views::the_host_writes_constants_for_it", read_only, |api, _| {
            let constant = Ptr::<u8>::from_addr(api.place_of(Place::CONSTANT)?);
            api.upgrade_slice_mut(constant, 3).map(|_| true)
        }),
        escape("views::the_host_reads_its_code", Must::Pass, |api, _| {
            let code = Ptr::<u8>::from_addr(api.place_of(Place::UNDEFINED)?);
            Ok(*api.view_slice(api.upgrade_slice(code, 2)?)? != [0x0f, 0x0b])
        }),
    ]
}

/// Allocates library memory with known contents.
fn filled<R: Runtime>(api: &mut Api<R>) -> Result<omniglot::SliceMut<u8>> {
    let bytes = api.malloc::<u8>(SIZE)?;
    let pattern: Vec<u8> = (0..SIZE).map(|index| (index * 7 % 251) as u8).collect();
    api.write_slice(bytes, &pattern)?;
    Ok(bytes)
}

/// Returns what a pipe delivers if the kernel copies these bytes into it.
fn through_a_pipe(bytes: &[u8]) -> Vec<u8> {
    let Ok((mut reader, mut writer)) = std::io::pipe() else {
        return Vec::new();
    };
    let mut read = vec![0; bytes.len()];
    // Less than a pipe's capacity, so this does not block.
    let written = writer.write(bytes).unwrap_or(0);
    drop(writer);
    let length = reader.read(&mut read).unwrap_or(0);
    read.truncate(length.min(written));
    read
}

thread_local! {
    static OLDER: std::cell::RefCell<Older> = std::cell::RefCell::new(Older::start());
}

/// A thread that was started before any domain.
struct Older {
    orders: mpsc::Sender<&'static [u8]>,
    results: mpsc::Receiver<Vec<u8>>,
}

impl Older {
    fn start() -> Self {
        let (orders, ordered) = mpsc::channel::<&'static [u8]>();
        let (send, results) = mpsc::channel();
        thread::spawn(move || {
            for bytes in ordered {
                let _ = send.send(through_a_pipe(bytes));
            }
        });
        Self { orders, results }
    }

    /// Makes the thread write bytes, and waits.
    #[allow(unsafe_code)]
    fn write(&self, bytes: &[u8]) -> Vec<u8> {
        // SAFETY: the other thread uses the bytes before it answers, and this function waits for
        // the answer.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) };
        let _ = self.orders.send(bytes);
        self.results.recv().unwrap_or_default()
    }
}
