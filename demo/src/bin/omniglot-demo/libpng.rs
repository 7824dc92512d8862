//! Part 2: the system's libpng decodes a real picture, valid and damaged.

mod files;

use anyhow::{Context, Result, anyhow};
use omniglot_demo::{DecodeError, Decoder, Picture, damage};

pub(crate) use files::{Input, Output};

use crate::report::{Report, words};
use crate::timing::{self, Times};

/// The goal for the ratio to native time.
const GOAL: f64 = 1.3;

pub(crate) fn show(report: &mut Report, input: &Input, output: Output) -> Result<()> {
    report.part("2. The system's libpng, unmodified, decodes a real picture in a worker");
    let mut decoder = Decoder::new().context("cannot start libpng's worker")?;
    report.note(format_args!("libpng     {}", decoder.version()?));
    report.note(format_args!("picture    {}", input.origin));
    report.note(format_args!("SHA-256    {}", input.digest()));
    let picture = decoder.decode(&input.bytes).map_err(|error| cannot_decode(input, &error))?;
    show_picture(report, &decoder, &picture);
    let same = show_comparison(report, input, &picture);
    show_output(report, output, &picture)?;
    if same {
        show_times(report, &mut decoder, input)?;
    }
    show_broken(report, &mut decoder, input, &picture)
}

fn cannot_decode(input: &Input, error: &DecodeError) -> anyhow::Error {
    let advice = match error {
        DecodeError::Libpng(_) => "name a PNG file that is whole",
        _ => "name another PNG file",
    };
    anyhow!("cannot decode {}: {error}; {advice}", input.origin)
}

fn show_picture(report: &mut Report, decoder: &Decoder, picture: &Picture) {
    let Picture { width, height, rgba } = picture;
    let megapixels = f64::from(*width) * f64::from(*height) / 1e6;
    report.note(format_args!(
        "decoded    {width} x {height} pixels ({megapixels:.1} megapixels), {} bytes of RGBA",
        rgba.len()
    ));
    for warning in decoder.warnings() {
        report.note(format_args!("warning    libpng says: {warning}"));
    }
}

fn show_comparison(report: &mut Report, input: &Input, picture: &Picture) -> bool {
    let reference = Picture::reference(&input.bytes);
    let (outcome, same) = match &reference {
        Ok(reference) => compare(picture, reference),
        Err(error) => (format!("it refuses the file: {error}"), false),
    };
    report.check("the same pixels as the Rust crate png", outcome, "no difference", same);
    same
}

fn compare(picture: &Picture, reference: &Picture) -> (String, bool) {
    let size = |picture: &Picture| (picture.width, picture.height, picture.rgba.len());
    if size(picture) != size(reference) {
        return (format!("its size is {} x {}", reference.width, reference.height), false);
    }
    let pairs = picture.rgba.iter().zip(&reference.rgba);
    let different = pairs.filter(|(ours, theirs)| ours != theirs).count();
    (format!("{different} of {} bytes differ", picture.rgba.len()), different == 0)
}

fn show_output(report: &mut Report, mut output: Output, picture: &Picture) -> Result<()> {
    let written = output.write(picture)?;
    let same = Picture::reference(&written).is_ok_and(|read| read == *picture);
    let path = output.path().display();
    report.check("the picture, written as PNG and read again", path, "the same pixels", same);
    Ok(())
}

fn show_times(report: &mut Report, decoder: &mut Decoder, input: &Input) -> Result<()> {
    let start = timing::start().context("cannot start another worker")?;
    let times = timing::decode(decoder, &input.bytes).context("cannot decode it again")?;
    let Times { native, sandboxed } = times;
    report.note(format_args!("start-up   {start:.1?} for a worker with libpng loaded, once"));
    report.note(format_args!(
        "time       native {native:.1?}, sandboxed {sandboxed:.1?} with all copies (medians of {} \
         interleaved runs)",
        timing::RUNS
    ));
    report.note(format_args!(
        "           both read the file {} bytes at a time",
        omniglot_demo::PIECE
    ));
    let ratio = times.ratio();
    let verdict = if ratio <= GOAL { "within the goal of" } else { "MISSES the goal of" };
    report.note(format_args!("ratio      {ratio:.2} x native, {verdict} {GOAL}"));
    Ok(())
}

/// Damaged copies give errors of libpng's own. The same instance then decodes the valid file.
fn show_broken(
    report: &mut Report,
    decoder: &mut Decoder,
    input: &Input,
    picture: &Picture,
) -> Result<()> {
    let file = &input.bytes;
    let checksum = damage::with_wrong_checksum(file).context("the file has no image data")?;
    let changed = damage::with_changed_data(file).context("the file has no image data")?;
    let short = damage::cut_short(file).context("the file has no image data")?;
    show_refused(report, decoder, "a copy with a wrong checksum", &checksum, "CRC error");
    show_refused(report, decoder, "a copy with changed image data", &changed, "");
    show_refused(report, decoder, "a copy that is cut short", &short, "the file ends too early");
    let again = decoder.decode(file);
    let same = again.as_ref() == Ok(picture);
    let outcome = words(&again.map(|_| "decoded"));
    report.check("the good file after these, same instance", outcome, "the same pixels", same);
    Ok(())
}

fn show_refused(report: &mut Report, decoder: &mut Decoder, what: &str, file: &[u8], says: &str) {
    let outcome = decoder.decode(file).map(|_| "decoded");
    let passed = matches!(&outcome, Err(DecodeError::Libpng(message)) if message.contains(says));
    let expected = format!("an error of libpng's that says {says:?}");
    report.check(what, words(&outcome), &expected, passed);
}
