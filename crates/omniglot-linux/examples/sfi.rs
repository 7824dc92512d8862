//! What calls, callbacks and instances of verified code cost, beside the same without protection
//! and a plain call: `cargo run --release -p omniglot-linux --example sfi`.
//!
//! The images are those of this crate's tests. Each figure is the least of many batches, which
//! take turns; quote ratios.
#![allow(unsafe_code, missing_docs)]

#[cfg(in_process)]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(in_process)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    measure::all()
}

#[cfg(not(in_process))]
fn main() {}

#[cfg(in_process)]
mod measure {
    use std::error::Error;
    use std::hint::black_box;
    use std::path::Path;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use omniglot_core::{Description, Event, Reply, Runtime, SANDBOXED, Session};
    use omniglot_linux::{Options, Sfi, Unprotected};

    use crate::support::{Shim, start};

    type Outcome<T> = Result<T, Box<dyn Error>>;

    const ROUNDS: usize = 200;
    const BATCH: u32 = 2000;

    pub(crate) fn all() -> Outcome<()> {
        let verified = verified()?;
        calls(&verified)?;
        instances(&verified)
    }

    /// The assembler's sample: its first shims are `add` and `call_back`.
    fn verified() -> Outcome<Description> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sfi");
        let script = format!("-Wl,-T,{}", root.join("image.ld").display());
        let flags = [
            "-Wa,-n",
            "-static",
            "-nostdlib",
            "-no-pie",
            "-Wl,--build-id=none,-z,max-page-size=4096",
        ];
        let mut image = compile(&root.join("sample.S"), &[&flags[..], &[&script]].concat())?;
        image.extend((image.len() as u64).to_le_bytes());
        image.extend(SANDBOXED);
        let image = image.leak();
        Ok(Description { name: "verified", image, shims: 21, slots: 1, functions: &[] })
    }

    fn compile(source: &Path, flags: &[&str]) -> Outcome<Vec<u8>> {
        let directory = tempfile::tempdir()?;
        let output = directory.path().join("image");
        let done = Command::new("cc").args(flags).arg("-o").arg(&output).arg(source).status()?;
        if !done.success() {
            return Err(format!("{} does not compile", source.display()).into());
        }
        Ok(std::fs::read(output)?)
    }

    #[inline(never)]
    extern "C" fn add(frame: &mut [u64; 4]) {
        frame[3] = frame[1] + frame[2];
    }

    fn call<R: Runtime>(session: &mut Session<R>, shim: u32) -> Outcome<()> {
        let frame = session.exchange().0;
        let entry = session.shim(shim).ok_or("no such shim")?;
        let mut event = session.enter(entry, frame)?;
        while event != Event::Returned {
            event = session.resume(Reply::Return)?;
        }
        Ok(())
    }

    /// The least time of an operation.
    #[derive(Clone, Copy)]
    struct Least(f64);

    impl Least {
        fn note(&mut self, time: Duration, count: u32) {
            self.0 = self.0.min(time.as_nanos() as f64 / f64::from(count));
        }
    }

    fn calls(verified: &Description) -> Outcome<()> {
        let mut sfi = Session::new(Sfi::start(verified, &Options::default())?);
        let mut limited = Session::new(Sfi::start(verified, &Options::default())?);
        limited.set_timeout(Some(Duration::from_secs(1)));
        let mut unprotected = start::<Unprotected>();
        let mut least = [Least(f64::MAX); 6];
        let entries: [extern "C" fn(&mut [u64; 4]); 1] = [add];
        for _ in 0..ROUNDS {
            let mut frame = [0, 1, 2, 0];
            let since = Instant::now();
            for _ in 0..BATCH {
                black_box(entries)[0](black_box(&mut frame));
            }
            least[0].note(since.elapsed(), BATCH);
            least[1].note(batch(&mut sfi, 0)?, BATCH);
            least[2].note(batch(&mut unprotected, Shim::Add as u32)?, BATCH);
            least[3].note(batch(&mut limited, 0)?, BATCH);
            least[4].note(batch(&mut sfi, 1)?, BATCH);
            least[5].note(batch(&mut unprotected, Shim::CallBack as u32)?, BATCH);
        }
        let names = [
            "call through a pointer",
            "call, verified",
            "call, unprotected",
            "call, verified, with a limit",
            "call with a callback, verified",
            "call with a callback, unprotected",
        ];
        for (name, Least(time)) in names.into_iter().zip(least) {
            println!("{name:<36} {time:>8.1} ns  {:>6.2} x unprotected call", time / least[2].0);
        }
        Ok(())
    }

    fn batch<R: Runtime>(session: &mut Session<R>, shim: u32) -> Outcome<Duration> {
        let since = Instant::now();
        for _ in 0..BATCH {
            call(session, shim)?;
        }
        Ok(since.elapsed())
    }

    fn instances(verified: &Description) -> Outcome<()> {
        const MANY: usize = 1000;
        let mut least = [Least(f64::MAX); 4];
        for _ in 0..ROUNDS {
            let since = Instant::now();
            let mut session = Session::new(Sfi::start(verified, &Options::default())?);
            least[0].note(since.elapsed(), 1);
            call(&mut session, 0)?;
            let since = Instant::now();
            session.reset()?;
            least[1].note(since.elapsed(), 1);
            call(&mut session, 0)?;
            session.write(session.exchange().0, &vec![1; 1 << 20])?;
            let since = Instant::now();
            session.reset()?;
            least[2].note(since.elapsed(), 1);
            let since = Instant::now();
            drop(session);
            least[3].note(since.elapsed(), 1);
        }
        let names = ["create", "reset after a call", "reset after 1 MiB", "drop"];
        for (name, Least(time)) in names.into_iter().zip(least) {
            println!("{name:<36} {:>8.1} us", time / 1000.0);
        }
        let before = memory()?;
        let mut all = Vec::new();
        for _ in 0..MANY {
            let mut session = Session::new(Sfi::start(verified, &Options::default())?);
            call(&mut session, 0)?;
            all.push(session);
        }
        let after = memory()?;
        let each = |index: usize| (after[index] - before[index]) / MANY as f64;
        println!(
            "memory of {MANY}, each after a call:  {:.1} KiB of pages, {:.1} KiB of tables",
            each(0),
            each(1)
        );
        Ok(())
    }

    /// Resident pages and page tables, in KiB (proc_pid_status(5)).
    fn memory() -> Outcome<[f64; 2]> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| -> Outcome<f64> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such field")?;
            Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
        };
        Ok([field("VmRSS:")?, field("VmPTE:")?])
    }
}
