//! Invalid images, and regions that do not fit.
#![allow(unsafe_code)]

use omniglot::{Description, Error, Library, Result};
use omniglot_pmp::{ForeignRegion, Pmp};

use crate::attacks::{Attacker, fresh};
use crate::board::{self, Board, hostile_region};
use crate::tally::Tally;

const GOOD: Description = Attacker::DESCRIPTION;

pub(crate) fn run(tally: &mut Tally) {
    for kept in [0, 1, 95, 96, 1000, GOOD.image.len() - 1] {
        let image = GOOD.image.get(..kept).unwrap_or(&[]);
        let name = format_args!("images::cut_off_after_{kept}_bytes");
        tally.result(name, is_refused(&Description { image, ..GOOD }));
    }
    let image = GOOD.image.get(1..).unwrap_or(&[]);
    tally.result("images::without_its_start", is_refused(&Description { image, ..GOOD }));
    let shims = GOOD.shims + 1;
    tally.result("images::of_other_bindings", is_refused(&Description { shims, ..GOOD }));
    // SAFETY: there is no domain now, and the token no longer exists when the next is made.
    let small = unsafe { ForeignRegion::new(0x8600_0000, 64 << 10) };
    tally.result("images::beyond_the_region", is_an_error(Pmp::start(Board, small, &GOOD)));
    // SAFETY: there is no domain now, and the previous token no longer exists.
    let elsewhere = unsafe { ForeignRegion::new(0x8700_0000, 128 << 10) };
    tally.result("images::in_another_region", is_an_error(Pmp::start(Board, elsewhere, &GOOD)));
}

/// The last test: an open entry that is locked stays open.
pub(crate) fn locked(tally: &mut Tally) {
    let good = fresh();
    board::lock_open_entry();
    let call = good.and_then(|mut library| library.echo(1));
    let refused = matches!(call, Err(Error::Unsupported { .. }));
    tally.result("protection::a_domain_stops_when_an_entry_is_locked_open", expect(refused));
    let refused = matches!(fresh(), Err(Error::Unsupported { .. }));
    tally.result("protection::locked_entries_that_open_are_refused", expect(refused));
}

fn expect(truth: bool) -> Result<(), &'static str> {
    if truth { Ok(()) } else { Err("it was let through, or refused otherwise") }
}

fn is_refused(description: &Description) -> Result<(), &'static str> {
    // SAFETY: there is no domain now.
    let region = unsafe { hostile_region() };
    is_an_error(Pmp::start(Board, region, description))
}

fn is_an_error(started: Result<Pmp<Board>>) -> Result<(), &'static str> {
    match started {
        Err(Error::Load(_)) => Ok(()),
        Err(error) => {
            crate::say!("  {error}");
            Err("another error than that it cannot be loaded")
        }
        Ok(_) => Err("it was taken"),
    }
}
