//! The places that need nothing special, as tests. `cargo xtask test --only places` sets a variable that
//! makes tests of all places; in each, `omniglot doctor` then runs, too.
//!
//! A place that this machine cannot make is ignored, with the reason.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use omniglot_places::{Place, Scene, all, look, look_at_host};

/// If set, all places are tested, however long that takes. The command `omniglot` must be built, too.
const PLACES: &str = "OMNIGLOT_PLACES";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let scene = match Scene::new() {
        Ok(scene) => &*Box::leak(Box::new(scene)),
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    let places = all().filter(|place| place.is_ordinary || has_all());
    let trials = places.map(|place| trial(place, scene));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    scene.remove();
    conclusion.exit_code()
}

fn has_all() -> bool {
    std::env::var_os(PLACES).is_some()
}

fn trial(place: &'static Place, scene: &'static Scene) -> Trial {
    let obstacle = place.obstacle(scene);
    let name = match &obstacle {
        Some(lack) => format!("{} ({lack})", place.name),
        None => place.name.to_owned(),
    };
    Trial::test(name, move || passed(place, scene)).with_ignored_flag(obstacle.is_some())
}

fn passed(place: &Place, scene: &Scene) -> Result<(), Failed> {
    let seen = if has_all() {
        look(place, scene).and_then(|report| report.check(&place.expected))
    } else {
        look_at_host(place, scene).and_then(|host| host.check(&place.expected))
    };
    Ok(seen.map_err(|error| format!("{error:#}"))?)
}
