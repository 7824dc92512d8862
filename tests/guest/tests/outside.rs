//! Tests a guest's output, its exit status, and the messages when something goes wrong.
#![forbid(unsafe_code)]
#![allow(missing_docs)]
// Functions that tests share may panic, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::env;
use std::io::Write;
use std::process::{Command, ExitCode, Output, Stdio};
use std::thread;

use libtest_mimic::{Arguments, Failed, Trial};

/// The exit status if the machine failed.
const MACHINE_FAILED: i32 = 125;

type Test = fn();

const TESTS: &[(&str, Test)] = &[
    ("the_exit_status_is_the_programs", the_exit_status_is_the_programs),
    ("every_byte_gets_through_in_both_directions", every_byte_gets_through_in_both_directions),
    ("words_and_variables_arrive_as_they_are", words_and_variables_arrive_as_they_are),
    ("files_that_were_named_are_there", files_that_were_named_are_there),
    ("a_signal_ends_the_program_and_what_it_left_behind", a_signal_ends_the_program),
    ("a_program_that_never_ends_is_stopped", a_program_that_never_ends_is_stopped),
    ("a_panic_of_the_kernel_is_named", a_panic_of_the_kernel_is_named),
    ("a_machine_that_is_switched_off_has_no_exit_status", a_machine_that_is_switched_off),
    ("what_was_typed_wrongly_is_said", what_was_typed_wrongly_is_said),
    ("a_kernel_that_is_none_is_refused", a_kernel_that_is_none_is_refused),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let possible = guests_can_be_had();
    if let Err(why) = &possible {
        eprintln!("SKIPPED: all tests of the guest, since none can be had: {why}");
    }
    let trials = TESTS.iter().map(|&(name, test)| {
        // A job of a continuous-integration service must not skip tests unnoticed.
        let is_job = env::var_os("CI").is_some_and(|value| value == "true" || value == "1");
        let failure = possible.clone().err().filter(|_| is_job);
        Trial::test(name, move || match failure {
            Some(why) => Err(Failed::from(why)),
            None => {
                test();
                Ok(())
            }
        })
        .with_ignored_flag(possible.is_err() && !is_job)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn guests_can_be_had() -> Result<(), String> {
    let output = xtask(&["--check"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Returns the command `cargo xtask guest` with these arguments.
fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["run", "--quiet", "--locked", "--package", "xtask", "--", "guest"])
        .args(arguments);
    command
}

fn guest(arguments: &[&str]) -> Output {
    xtask(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Checks that the machine fails, and returns the message.
#[track_caller]
fn failure(arguments: &[&str]) -> String {
    let output = guest(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(MACHINE_FAILED), "{said}");
    assert!(said.contains("error: "), "{said}");
    said
}

fn the_exit_status_is_the_programs() {
    let output = guest(&["--", "/bin/sh", "-c", "grep pku /proc/cpuinfo; exit 7"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert!(text(&output.stdout).lines().count() >= 2, "{}", text(&output.stdout));
}

fn every_byte_gets_through_in_both_directions() {
    let input: Vec<u8> = (0..1_000_000_u64).map(|number| ((number * number) >> 7) as u8).collect();
    let mut command = xtask(&["--stdin", "--", "/bin/sh", "-c", "tee /dev/stderr"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = input.clone();
    let writer = thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stdout == input, "{} bytes on standard output", output.stdout.len());
    assert!(output.stderr == input, "{} bytes on standard error", output.stderr.len());
}

fn words_and_variables_arrive_as_they_are() {
    let words = ["it's", "a \"b\"", "$HOME", "", "--", "two\nlines"];
    let mut arguments = vec!["--env", "A=x'y z", "--env", "CARGO", "--"];
    arguments.extend(["sh", "-c", "printf '%s|' \"$@\" >&2; printf %s\"|$CARGO\" \"$A\"", "sh"]);
    arguments.extend(words);
    let output = guest(&arguments);
    assert_eq!(text(&output.stderr), "it's|a \"b\"|$HOME||--|two\nlines|");
    assert_eq!(text(&output.stdout), format!("x'y z|{}", env::var("CARGO").unwrap()));
}

fn files_that_were_named_are_there() {
    let script = "ls tests Cargo.toml; readlink -f /usr/lib/x86_64-linux-gnu/libpng16.so.16";
    let named = ["--file", "tests", "--file", "Cargo.toml", "--file", "libpng16.so.16"];
    let output = guest(&[&named[..], &["--", "/bin/sh", "-c", script]].concat());
    let said = text(&output.stdout);
    for name in ["Cargo.toml", "inside.rs", "outside.rs", "libpng16.so.16."] {
        assert!(said.contains(name), "{name}: {said}{}", text(&output.stderr));
    }
}

fn a_signal_ends_the_program() {
    // The background process keeps the program's output open, which must not keep the machine
    // running.
    let script = "echo before; sleep 100000 & kill -SEGV $$";
    let output = guest(&["--", "/bin/sh", "-c", script]);
    assert_eq!(output.status.code(), Some(128 + 11), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "before\n");
}

fn a_program_that_never_ends_is_stopped() {
    let said = failure(&["--timeout", "1", "--", "sleep", "100000"]);
    assert!(said.contains("did not end within 1 s"), "{said}");
}

fn a_panic_of_the_kernel_is_named() {
    let said = failure(&["--", "/bin/sh", "-c", "echo c >/proc/sysrq-trigger"]);
    assert!(said.contains("the guest's kernel panicked: Kernel panic"), "{said}");
}

fn a_machine_that_is_switched_off() {
    let said = failure(&["--", "/bin/sh", "-c", "poweroff -f"]);
    assert!(said.contains("the guest ended before its program did"), "{said}");
}

fn what_was_typed_wrongly_is_said() {
    for (arguments, part) in [
        (&["--", "no-such-program"][..], "there is no program called no-such-program"),
        (&["--", "./Cargo.toml"], "Cargo.toml is not an executable file"),
        (&["--file", "nowhere/at/all", "--", "true"], "nowhere"),
        (&["--kernel", "nowhere", "--", "true"], "could not open"),
        (&["--env", "NO_SUCH_VARIABLE", "--", "true"], "no variable NO_SUCH_VARIABLE"),
    ] {
        let said = failure(arguments);
        assert!(said.contains(part), "{said}");
    }
}

fn a_kernel_that_is_none_is_refused() {
    let said = failure(&["--kernel", "Cargo.toml", "--timeout", "60", "--", "true"]);
    assert!(said.contains("QEMU failed") && said.contains("qemu"), "{said}");
}
