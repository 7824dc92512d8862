//! Tests the kernel from outside: at its console, over its network, on its disk.
//!
//! Results are printed as Rust's test harness does, so that the same reader counts them.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::files::Python;
use super::machine::{SMALLEST, make_disk};
use super::session::Session;
use crate::riscv::{self, Emulator};
use crate::workspace::Workspace;

/// The number of bytes sent in each direction.
const MANY: usize = 10_000_000;
/// The beginning of BLAKE2b of "abc" (RFC 7693, appendix A), as one line shows it.
const HASH: &str = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1";
/// The time limit for one read or write on a connection. It only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(300);
/// The libraries, each with a command that uses it, and the beginning of the answer.
const LIBRARIES: [(&str, &str, &str); 5] = [
    ("monocypher", "hash abc", "BLAKE2b: "),
    ("micro-ecc", "ecdsa abc", "public key: "),
    ("littlefs", "read greeting", "hello"),
    ("lwip", "ping 10.0.2.2", "10.0.2.2 is there"),
    ("zlib", "inflate", "x25519_test.json: "),
];

/// What a test needs.
struct Stage {
    program: PathBuf,
    /// The program that uses a single library.
    smallest: PathBuf,
    disk: PathBuf,
    python: Python,
}

type Test = (&'static str, fn(&Stage) -> Result<()>);

const TESTS: &[Test] = &[
    ("console::hash_is_as_published", hash),
    ("console::a_signature_is_made_and_checked", sign),
    ("files::survive_a_restart_of_the_machine", survive),
    ("files::are_read_by_another_implementation", read_by_another),
    ("files::of_another_implementation_are_read", read_of_another),
    ("domains::one_crashes_and_the_others_go_on", crash),
    ("network::another_host_answers", ping),
    ("network::dhcp_gives_an_address", dhcp),
    ("network::echo_10_mb_each_way", echo),
    ("network::http_page", page),
    ("network::http_10_mb", numbers),
    ("network::is_there_again_after_a_crash", network_again),
    ("smallest::a_signature_is_made_and_checked", smallest),
];

/// Runs all tests and prints their results. Returns true if all passed.
pub(super) fn run(workspace: &Workspace, program: &Path) -> Result<bool> {
    let disk = workspace.target("kernel").join("test.img");
    let smallest = riscv::build(workspace, Path::new(SMALLEST))?;
    let python = Python::set_up(workspace)?;
    let stage = Stage { program: program.to_owned(), smallest, disk, python };
    println!("     Running scenarios (with the kernel in QEMU)\n\nrunning {} tests", TESTS.len());
    let mut failed = Vec::new();
    for (name, test) in TESTS {
        let outcome = stage.new_disk().and_then(|()| test(&stage));
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        if let Err(error) = outcome {
            println!("  {error:#}");
            failed.push(*name);
        }
    }
    let (word, count) = (if failed.is_empty() { "ok" } else { "FAILED" }, failed.len());
    println!("\ntest result: {word}. {} passed; {count} failed; 0 ignored", TESTS.len() - count);
    Ok(failed.is_empty())
}

impl Stage {
    fn start(&self) -> Result<Session> {
        Session::start(&self.program, &self.disk)
    }

    /// Creates an empty disk, whatever the previous test did.
    fn new_disk(&self) -> Result<()> {
        if self.disk.exists() {
            fs::remove_file(&self.disk).context("could not remove the disk")?;
        }
        make_disk(&self.disk)
    }
}

/// Runs a command in the kernel, and checks its answer.
fn expect(kernel: &mut Session, command: &str, answer: &str) -> Result<()> {
    let found = kernel.command(command)?;
    ensure!(found == answer, "`{command}`: {found:?} instead of {answer:?}");
    Ok(())
}

/// As `expect`, for the beginning of the answer only.
fn expect_start(kernel: &mut Session, command: &str, answer: &str) -> Result<()> {
    let found = kernel.command(command)?;
    ensure!(found.starts_with(answer), "`{command}`: {found:?} does not start with {answer:?}");
    Ok(())
}

fn hash(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    expect_start(&mut kernel, "hash abc", &format!("BLAKE2b: {HASH}"))?;
    kernel.exit()
}

fn sign(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    for command in ["sign hello", "ecdsa hello"] {
        let answer = kernel.command(command)?;
        ensure!(answer.ends_with("checked: good"), "`{command}`: {answer}");
    }
    ensure!(kernel.command("seal hello")?.ends_with("opened again: the same"), "it is not");
    kernel.exit()
}

fn survive(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    expect_start(&mut kernel, "read greeting", "read: the library refused")?;
    expect(&mut kernel, "format", "")?;
    expect(&mut kernel, "write greeting hello", "")?;
    kernel.exit()?;
    let mut kernel = stage.start()?;
    expect(&mut kernel, "read greeting", "hello")?;
    kernel.exit()
}

fn read_by_another(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    expect(&mut kernel, "format", "")?;
    expect(&mut kernel, "write greeting hello, other one", "")?;
    kernel.exit()?;
    let found = stage.python.read(&stage.disk, "greeting")?;
    ensure!(found == b"hello, other one", "{:?}", String::from_utf8_lossy(&found));
    Ok(())
}

fn read_of_another(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    expect(&mut kernel, "format", "")?;
    kernel.exit()?;
    stage.python.write(&stage.disk, "answer", "hello, kernel")?;
    let mut kernel = stage.start()?;
    expect(&mut kernel, "read answer", "hello, kernel")?;
    kernel.exit()
}

fn crash(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    expect(&mut kernel, "format", "")?;
    expect(&mut kernel, "write greeting hello", "")?;
    for (crashed, ..) in LIBRARIES {
        let answer = kernel.command(&format!("crash {crashed}"))?;
        ensure!(answer.contains("forbidden memory access at 0x1000000"), "{crashed}: {answer}");
        let domains = kernel.command("domains")?;
        ensure!(domains.matches(" down ").count() == 1, "{domains}");
        for (library, command, answer) in LIBRARIES {
            // `ecdsa` hashes with monocypher first.
            let usable = library != crashed && (library, crashed) != ("micro-ecc", "monocypher");
            if usable {
                expect_start(&mut kernel, command, answer)?;
            }
        }
        expect(&mut kernel, &format!("restart {crashed}"), &format!("{crashed} runs again"))?;
        for (_, command, answer) in LIBRARIES {
            expect_start(&mut kernel, command, answer)?;
        }
    }
    kernel.exit()
}

fn ping(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    expect(&mut kernel, "ping 10.0.2.2", "10.0.2.2 is there")?;
    expect(&mut kernel, "ping 10.0.2.99", "10.0.2.99 does not answer")?;
    kernel.exit()
}

fn dhcp(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    expect(&mut kernel, "net", "10.0.2.15, 0 connections")?;
    expect(&mut kernel, "dhcp", "10.0.2.15 from DHCP, 0 connections")?;
    kernel.exit()
}

fn echo(stage: &Stage) -> Result<()> {
    let kernel = stage.start()?;
    echo_bytes(kernel.echo, MANY)?;
    kernel.exit()
}

fn network_again(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    echo_bytes(kernel.echo, 100_000)?;
    kernel.command("crash lwip")?;
    expect(&mut kernel, "restart lwip", "lwip runs again")?;
    echo_bytes(kernel.echo, 100_000)?;
    kernel.exit()
}

/// Connects to a port of this machine.
fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).context("could not connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends bytes, and checks that the same bytes come back, and then the end of the stream.
fn echo_bytes(port: u16, count: usize) -> Result<()> {
    let mut stream = connect(port)?;
    let mut back = stream.try_clone()?;
    let sent = noise(count);
    let sender = {
        let sent = sent.clone();
        thread::spawn(move || -> Result<()> {
            stream.write_all(&sent).context("could not send all")?;
            stream.shutdown(Shutdown::Write).context("could not end the connection")
        })
    };
    let mut received = Vec::new();
    back.read_to_end(&mut received).context("the connection broke")?;
    sender.join().unwrap_or_else(|_| bail!("the sender panicked"))?;
    compare(&sent, &received)
}

fn page(stage: &Stage) -> Result<()> {
    let mut kernel = stage.start()?;
    kernel.command("crash zlib")?;
    let (head, body) = get(kernel.http, "/")?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let body = String::from_utf8_lossy(&body).into_owned();
    ensure!(body.contains("lwip: running\n"), "{body}");
    ensure!(body.contains("zlib: foreign code faulted"), "{body}");
    let (head, _) = get(kernel.http, "/nothing")?;
    ensure!(head.starts_with("HTTP/1.1 404 "), "{head}");
    kernel.exit()
}

fn numbers(stage: &Stage) -> Result<()> {
    let kernel = stage.start()?;
    let (head, body) = get(kernel.http, &format!("/numbers/{MANY}"))?;
    ensure!(head.contains(&format!("Content-Length: {MANY}\r\n")), "{head}");
    let expected: Vec<u8> =
        (0..MANY).map(|position| (position ^ position >> 8 ^ position >> 16) as u8).collect();
    compare(&expected, &body)?;
    kernel.exit()
}

/// The header and body of a server's response.
fn get(port: u16, path: &str) -> Result<(String, Vec<u8>)> {
    let mut stream = connect(port)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: kernel\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("the connection broke")?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = answer.split_off(end.context("the answer has no body")? + 4);
    Ok((String::from_utf8_lossy(&answer).into_owned(), body))
}

/// Reports where two byte strings differ.
fn compare(expected: &[u8], found: &[u8]) -> Result<()> {
    let (wanted, got) = (expected.len(), found.len());
    ensure!(wanted == got, "{got} bytes instead of {wanted}");
    match expected.iter().zip(found).position(|(expected, found)| expected != found) {
        None => Ok(()),
        Some(position) => bail!("byte {position} differs"),
    }
}

/// Pseudo-random bytes: Marsaglia's xorshift.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Checks that the smallest program prints nothing, and ends the machine with its result as exit
/// status.
fn smallest(stage: &Stage) -> Result<()> {
    let mut said = String::new();
    let ended = Emulator::new(&stage.smallest).run(PATIENCE, |line| said.push_str(line))?;
    ensure!(ended.report(PATIENCE)? == ExitCode::SUCCESS && said.is_empty(), "it said: {said:?}");
    Ok(())
}
