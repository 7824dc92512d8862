//! Tests that run in other processes. These are this same program, started to serve tests by name.
//!
//! An attack that succeeds may crash its process. The client then reports that, and uses another
//! process for the next test.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;

/// The environment variable that makes this process a server.
const SERVING: &str = "OMNIGLOT_SERVES_TESTS";
/// The time after which a test has hung: much longer than any of them takes, even in an emulator.
const PATIENCE: Duration = Duration::from_secs(600);
/// The environment variable with another number of seconds, for tests that do more than usual.
const WAITED: &str = "OMNIGLOT_PATIENCE";

/// The code of a test.
pub(crate) type Body = Box<dyn FnOnce() -> Result<(), Failed> + Send>;

/// The tests that this process can serve.
static BODIES: LazyLock<Mutex<HashMap<String, Body>>> = LazyLock::new(Mutex::default);
/// Servers that wait for the next test.
static IDLE: Mutex<Vec<Server>> = Mutex::new(Vec::new());

/// Returns true if this process was started to serve tests.
pub(crate) fn is_serving() -> bool {
    env::var_os(SERVING).is_some()
}

/// Makes a test that runs in a server. With `alone`, the server is a fresh process.
pub(crate) fn isolated(name: &str, body: Body, alone: bool) -> Body {
    if is_serving() {
        locked(&BODIES).insert(name.to_owned(), body);
        return Box::new(|| Ok(()));
    }
    let name = name.to_owned();
    Box::new(move || ask(&name, alone))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ask(name: &str, alone: bool) -> Result<(), Failed> {
    let idle = if alone { None } else { locked(&IDLE).pop() };
    let mut server = idle.map_or_else(Server::start, Ok)?;
    let answer = server.run(name);
    match answer {
        Ok(verdict) => {
            if !alone {
                locked(&IDLE).push(server);
            }
            verdict.map_err(Failed::from)
        }
        Err(ending) => Err(format!("{}{ending}", server.end()).into()),
    }
}

fn patience() -> Duration {
    let named = env::var(WAITED).ok().and_then(|seconds| seconds.parse().ok());
    named.map_or(PATIENCE, Duration::from_secs)
}

/// A process that runs tests.
struct Server {
    process: Child,
    orders: ChildStdin,
    answers: mpsc::Receiver<String>,
}

impl Server {
    fn start() -> Result<Self, Failed> {
        let mut process = Command::new(env::current_exe()?)
            .env(SERVING, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take().ok_or("no pipe for orders")?;
        let output = process.stdout.take().ok_or("no pipe for answers")?;
        Ok(Self { process, orders, answers: read_lines(output) })
    }

    /// Runs a test. The outer error means that the process did not report an outcome.
    fn run(&mut self, name: &str) -> Result<Result<(), String>, &'static str> {
        writeln!(self.orders, "{name}").map_err(|_| "nobody took the test")?;
        let answer = self.answers.recv_timeout(patience()).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => "the host hangs",
            mpsc::RecvTimeoutError::Disconnected => "",
        })?;
        match answer.split_once(' ') {
            Some(("failed", text)) => Ok(Err(text.replace('\u{1}', "\n"))),
            _ => Ok(Ok(())),
        }
    }

    /// Ends the process, and returns how it had ended.
    fn end(&mut self) -> String {
        use std::os::unix::process::ExitStatusExt;
        thread::sleep(Duration::from_millis(50));
        let ended = self.process.try_wait().ok().flatten();
        let _ = self.process.kill();
        let _ = self.process.wait();
        match ended.map(|status| (status.signal(), status.code())) {
            Some((Some(signal), _)) => format!("the attack ended the host with signal {signal}"),
            Some((_, Some(code))) => format!("the attack ended the host with status {code}"),
            _ => String::new(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read_lines(output: ChildStdout) -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Runs the tests that the other process names, until it exits.
pub(crate) fn serve() -> ExitCode {
    for name in stdin().lines().map_while(Result::ok) {
        let body = locked(&BODIES).remove(&name);
        let answer = match body.map(run) {
            Some(Ok(())) => "passed ".to_owned(),
            Some(Err(text)) => format!("failed {}", text.replace('\n', "\u{1}")),
            None => "failed there is no such test".to_owned(),
        };
        let mut output = stdout().lock();
        if writeln!(output, "{answer}").and_then(|()| output.flush()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Runs a test on its own thread, as the test harness does.
fn run(body: Body) -> Result<(), String> {
    let thread = thread::spawn(|| catch_unwind(AssertUnwindSafe(body)));
    match thread.join() {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(failed))) => Err(failed.message().unwrap_or("failed").to_owned()),
        _ => Err("the test panicked".to_owned()),
    }
}
