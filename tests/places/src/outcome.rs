//! What came of a run in a place.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::list::{Expected, Place};
use crate::scene::Scene;

/// How long a program may take in a place: under valgrind a start takes a hundred times longer.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a host saw, as the line that it prints: [`Outcome::GOOD`], or what went wrong.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Outcome {
    /// libpng decodes a picture.
    pub decode: String,
    /// A crash is an error of its call.
    pub crash: String,
    /// A call that never returns is ended.
    pub timeout: String,
    /// After a crash a reset makes the instance work again.
    pub reset: String,
}

impl Outcome {
    /// What stands for success.
    pub const GOOD: &str = "ok";

    /// The four parts, in order.
    #[must_use]
    pub fn parts(&self) -> [&str; 4] {
        [&self.decode, &self.crash, &self.timeout, &self.reset]
    }

    /// Whether all four parts succeeded.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.parts().iter().all(|part| *part == Self::GOOD)
    }

    /// The first error.
    fn error(&self) -> Option<&str> {
        self.parts().into_iter().find(|part| *part != Self::GOOD)
    }

    /// Checks that the host saw what its place is expected to do.
    ///
    /// # Errors
    /// If it saw something else.
    pub fn check(&self, expected: &Expected) -> Result<()> {
        check(expected, self.error()).with_context(|| format!("the host says {:?}", self.parts()))
    }
}

/// What was seen in a place.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the host printed.
    pub host: Outcome,
    /// The error that `omniglot doctor` prints; none if it says that libraries can be run.
    pub doctor: Option<String>,
}

impl Report {
    /// Checks that both programs saw what the place is expected to do.
    ///
    /// # Errors
    /// If one of them saw something else.
    pub fn check(&self, expected: &Expected) -> Result<()> {
        self.host.check(expected)?;
        check(expected, self.doctor.as_deref()).context("omniglot doctor says otherwise")
    }
}

fn check(expected: &Expected, error: Option<&str>) -> Result<()> {
    match (expected, error) {
        (Expected::Works, None) => Ok(()),
        (Expected::Says(text), Some(error)) if error.contains(text) => Ok(()),
        (Expected::Says(text), _) => bail!("{text:?} was expected, but {error:?}"),
        (Expected::Works, Some(error)) => bail!("it should work: {error}"),
    }
}

/// Runs both programs in a place.
///
/// # Errors
/// If the place cannot be entered, or a program prints something else than its line.
pub fn look(place: &Place, scene: &Scene) -> Result<Report> {
    let host = look_at_host(place, scene)?;
    let said = run(place.doctor(scene)?)?;
    let start = said.find('{').context("omniglot doctor printed no JSON")?;
    let mut values = serde_json::Deserializer::from_str(&said[start..]).into_iter::<Value>();
    let report = values.next().context("omniglot doctor printed no JSON")??;
    let doctor = report["trial"]["error"].as_str().map(str::to_owned);
    Ok(Report { host, doctor })
}

/// Runs the host alone in a place.
///
/// # Errors
/// As [`look`].
pub fn look_at_host(place: &Place, scene: &Scene) -> Result<Outcome> {
    let said = run(place.host(scene)?)?;
    let line = said.lines().find_map(|line| serde_json::from_str(line.trim()).ok());
    line.context("the host printed no line")
}

/// What a command prints; whatever its exit status, which debuggers replace by their own.
fn run(mut command: Command) -> Result<String> {
    let name = command.get_program().to_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().with_context(|| format!("could not start {}", name.display()))?;
    let (output, errors) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            bail!("{} ran longer than {PATIENCE:?}", name.display());
        }
        thread::sleep(Duration::from_millis(20));
    };
    let (output, errors) = (output.join(), errors.join());
    let (output, errors) = (output.unwrap_or_default(), errors.unwrap_or_default());
    if !output.contains('{') {
        let last: Vec<&str> = errors.trim().lines().rev().take(3).collect();
        bail!("{} printed nothing, {status}: {}", name.display(), last.join(" / "));
    }
    Ok(output)
}

/// Reads a pipe to its end, on a thread, so that no other pipe waits.
fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is all there is to tell.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
