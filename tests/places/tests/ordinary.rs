//! The places that need nothing special, as tests: `cargo xtask places` has all of them.
//!
//! A place that this machine cannot make is ignored, with the reason. So are those for which hosts are
//! built in other ways, which takes minutes: `OMNIGLOT_PLACES=all` runs them, as `cargo xtask places` does.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use omniglot_places::{Place, Scene, all, look_at_host};

/// If set, everything is run, however long that takes.
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
    let places = all().filter(|place| place.is_ordinary || place.is_sampled);
    let trials = places.map(|place| trial(place, scene));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    scene.remove();
    conclusion.exit_code()
}

fn trial(place: &'static Place, scene: &'static Scene) -> Trial {
    let is_left_out = place.is_sampled && std::env::var_os(PLACES).is_none();
    let left_out = is_left_out.then(|| format!("{PLACES}=all runs it"));
    let obstacle = left_out.or_else(|| place.obstacle(scene));
    let name = match &obstacle {
        Some(lack) => format!("{} ({lack})", place.name),
        None => place.name.to_owned(),
    };
    Trial::test(name, move || passed(place, scene)).with_ignored_flag(obstacle.is_some())
}

fn passed(place: &Place, scene: &Scene) -> Result<(), Failed> {
    let host = look_at_host(place, scene).map_err(|error| format!("{error:#}"))?;
    Ok(host.check(&place.expected).map_err(|error| format!("{error:#}"))?)
}
