//! libsamplerate converts sound to a higher sampling rate.

use std::f64::consts::TAU;

use anyhow::{Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::subject;

omniglot::include_library!("samplerate");

subject! {
    SAMPLERATE: Samplerate = "libsamplerate" from "libsamplerate0-dev",
    does: "turns sound of 44.1 kHz into sound of 48 kHz",
    confirmed: "the same tone computed at 48 kHz, within 1e-5",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of it",
}

fn tone(len: usize, rate: f64) -> Vec<f32> {
    (0..len).map(|at| (0.5 * (TAU * 1000.0 * at as f64 / rate).sin()) as f32).collect()
}

fn input() -> Result<Vec<f32>> {
    Ok(tone(44_100, 44_100.0))
}

fn run<R: Runtime>(src: &mut Samplerate<R>, sound: &Vec<f32>) -> omniglot::Result<Vec<f32>> {
    src.scope(|src| {
        let (from, into) = (src.copy_in(sound)?, src.zeroed::<f32>(48_000)?);
        let data = src.value(SRC_DATA {
            data_in: from.as_ptr(),
            data_out: into.as_ptr(),
            input_frames: sound.len() as i64,
            output_frames: 48_000,
            src_ratio: 48_000.0 / 44_100.0,
            ..SRC_DATA::default()
        })?;
        let status = src.src_simple(data, SRC_SINC_BEST_QUALITY, 1)?;
        let count = src.read(data.field(SRC_DATA::OUTPUT_FRAMES_GEN))? as usize;
        let sound = into.range(0, count).filter(|_| status == 0);
        let sound = sound.ok_or(Error::Misuse("libsamplerate says no"))?;
        Ok(src.view_slice(sound)?.to_vec())
    })
}

fn confirm(_: &Vec<f32>, sound: &Vec<f32>) -> Result<()> {
    let expected = tone(48_000, 48_000.0);
    ensure!(sound.len() > 47_000, "{} samples", sound.len());
    // At both ends the silence next to the tone affects some samples.
    let pairs = sound.iter().zip(&expected).skip(2000).take(43_000);
    let off = pairs.map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
    ensure!(off < 1e-5, "{off}");
    Ok(())
}
