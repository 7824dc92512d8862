//! Our side of the protocol with a process that runs variants.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::Variant;

/// A process that [serves](crate::serve()) variants. It exits when this and all of its variants are
/// dropped.
#[derive(Debug, Clone)]
pub struct Remote(Rc<RefCell<Connection>>);

#[derive(Debug)]
struct Connection {
    child: Child,
    /// `None` only during the drop.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Remote {
    /// Starts the process.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("a process without a pipe")?);
        Ok(Self(Rc::new(RefCell::new(Connection { child, questions, answers }))))
    }

    /// Returns the process's variants of a workload. They are valid until the next call.
    ///
    /// # Errors
    /// If the process has exited, or cannot set the workload up.
    pub fn variants(&self, workload: &str, size: usize) -> Result<Vec<Variant>> {
        let answer = self.ask(&format!("workload {workload} {size}"), "variants")?;
        let variants = answer.split_whitespace().enumerate().map(|(index, variant)| {
            let (name, most) = variant.split_once(':').context("a variant without a limit")?;
            let remote = self.clone();
            let turn = move |count| remote.turn(index, count);
            Ok(Variant::timed(name, turn).at_most(most.parse()?))
        });
        variants.collect()
    }

    fn turn(&self, index: usize, count: u32) -> Result<Duration> {
        let took = self.ask(&format!("turn {index} {count}"), "took")?;
        Ok(Duration::from_nanos(took.trim().parse().context("not a time")?))
    }

    /// Sends a question, and returns the rest of the answer after `expected`.
    fn ask(&self, question: &str, expected: &str) -> Result<String> {
        let mut connection = self.0.borrow_mut();
        let questions = connection.questions.as_mut().context("the process is being dropped")?;
        writeln!(questions, "{question}").context("the process does not listen any more")?;
        let mut answer = String::new();
        connection.answers.read_line(&mut answer)?;
        match answer.strip_prefix(expected) {
            Some(rest) => Ok(rest.to_owned()),
            None if answer.is_empty() => bail!("the process ended when asked {question:?}"),
            None => bail!("asked {question:?}, the process says: {}", answer.trim()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.questions = None;
        // An error needs no handling: without questions, the process exits.
        let _ = self.child.wait();
    }
}
