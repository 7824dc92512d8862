//! Tests that run in a process of their own: this program, started for one of them.

use std::env;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

/// Names the test that a process was started for.
const ONLY: &str = "OMNIGLOT_ONLY_TEST";
/// When a test hangs: long after any of them would be done, even in an emulator.
const PATIENCE: Duration = Duration::from_secs(240);

/// Runs a test, in another process unless this is the one.
pub(crate) fn isolated(name: &str, run: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
    if env::var_os(ONLY).is_some_and(|only| only == name) {
        return run().inspect_err(|failed| {
            eprintln!("{}", failed.message().unwrap_or("failed"));
        });
    }
    let mut child = Command::new(env::current_exe()?)
        .args(["--exact", name, "--test-threads", "1"])
        .env(ONLY, name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut errors = child.stderr.take().ok_or("no pipe for errors")?;
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let status = wait(&mut child)?;
    let said = reader.join().unwrap_or_default();
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{} {said}", ending(status)).into()),
        None => Err(format!("the host hangs: {said}").into()),
    }
}

/// Waits for a child; `None` if that took too long, and it was ended.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>, Failed> {
    let start = Instant::now();
    let mut nap = Duration::from_millis(1);
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => format!("the attack ended the host with signal {signal}:"),
        None => String::new(),
    }
}
