//! Part 3: a library that tries to harm its host in many ways.

mod attacks;

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};
use omniglot::Error;
use omniglot_demo::{Decoder, Picture};

use crate::canaries::Canaries;
use crate::libpng::Input;
use crate::report::{Report, words};
use attacks::{Attack, Outcome};

pub(crate) fn show(report: &mut Report, input: &Input) -> Result<()> {
    report.part("3. A hostile library: what it tries, and which error the host gets");
    let canaries = Canaries::new();
    let listener = listen()?;
    let port = listener.local_addr().context("cannot find the listener's port")?.port();
    for attack in attacks::all(&canaries, port) {
        show_attack(report, &attack)?;
    }
    show_canaries(report, &canaries);
    show_connections(report, &listener);
    show_fresh_instance(report, input)
}

/// Opens a listening socket of the host.
fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .context("cannot listen on this machine's own address")?;
    listener.set_nonblocking(true).context("cannot poll for connections")?;
    Ok(listener)
}

fn show_connections(report: &mut Report, listener: &TcpListener) {
    let connections = std::iter::from_fn(|| listener.accept().ok()).count();
    report.check("connections that reached the host", connections, "0", connections == 0);
}

fn show_canaries(report: &mut Report, canaries: &Canaries) {
    let unchanged = canaries.are_unchanged();
    let outcome = if unchanged { "unchanged" } else { "CHANGED" };
    let what = "the host's canaries on stack, heap and in static data";
    report.check(what, outcome, "unchanged", unchanged);
}

fn show_attack(report: &mut Report, attack: &Attack) -> Result<()> {
    let mut library = attacks::start().context("cannot start the hostile library")?;
    let outcome = (attack.run)(&mut library);
    let afterwards = library.hostile_add(2, 3);
    let (state, consistent) = state(&outcome, &afterwards);
    let passed = matches!(&outcome, Err(error) if (attack.expects)(error)) && consistent;
    let outcome = match outcome {
        Ok(got) => format!("GOT THROUGH: {got}"),
        Err(error) => error.to_string(),
    };
    report.check(&attack.what, format_args!("{outcome}; {state}"), attack.expected, passed);
    Ok(())
}

/// Returns the instance's state, and whether it matches the error.
fn state(outcome: &Outcome, afterwards: &omniglot::Result<u32>) -> (String, bool) {
    let poisons = outcome.as_ref().err().and_then(Error::poisons);
    match afterwards {
        Ok(5) => ("the instance goes on".to_owned(), poisons.is_none()),
        Err(Error::Poisoned { by }) => {
            ("the instance is given up".to_owned(), poisons == Some(*by))
        }
        other => (format!("afterwards 2 + 3 gave {other:?}"), false),
    }
}

fn show_fresh_instance(report: &mut Report, input: &Input) -> Result<()> {
    let mut decoder = Decoder::new().context("cannot start libpng's worker again")?;
    let picture = decoder.decode(&input.bytes);
    let outcome = words(&picture.as_ref().map(|_| "decoded"));
    let reference = Picture::reference(&input.bytes).ok();
    let same = picture.is_ok_and(|picture| Some(picture) == reference);
    report.check("the PNG of part 2 in a fresh instance", outcome, "the same pixels", same);
    Ok(())
}
