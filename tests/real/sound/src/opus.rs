//! libopus decodes a stream.

use std::io::Cursor;

use anyhow::{Context as _, Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::{subject, tool};

use crate::{RATE, encoded, nearness, samples};

omniglot::include_library!("opus");

subject! {
    OPUS: Opus = "opus" from "libopus-dev",
    does: "decodes a second of sound",
    confirmed: "ffmpeg's own decoder, within -40 dB",
    builder: |_input| [],
}

struct Input {
    file: Vec<u8>,
    packets: Vec<Vec<u8>>,
    skip: usize,
}

fn input() -> Result<Input> {
    let file = encoded("libopus", "ogg")?;
    let mut reader = ogg::PacketReader::new(Cursor::new(&file));
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_packet()? {
        packets.push(packet.data);
    }
    // The first two packets are headers. The first has the number of samples to skip (RFC 7845).
    let skip = packets.first().context("no packets")?.get(10..12).context("no header")?;
    let skip = usize::from(u16::from_le_bytes([skip[0], skip[1]]));
    packets.drain(..2);
    Ok(Input { file, packets, skip })
}

fn run<R: Runtime>(opus: &mut Opus<R>, input: &Input) -> omniglot::Result<Vec<i16>> {
    /// The longest packet has 120 ms.
    const ROOM: i32 = RATE as i32 / 1000 * 120;
    let mut sound = Vec::new();
    opus.scope(|opus| {
        let error = opus.out::<i32>()?;
        let decoder = opus.opus_decoder_create(RATE as i32, 2, error)?;
        let room = opus.zeroed::<i16>(2 * ROOM as usize)?;
        for packet in &input.packets {
            let bytes = opus.copy_in(packet)?;
            let count = opus.opus_decode(decoder, bytes, packet.len() as i32, room, ROOM, 0)?;
            let part = room.range(0, 2 * count as usize).ok_or(Error::Misuse("opus says no"))?;
            sound.extend_from_slice(&opus.view_slice(part)?);
        }
        opus.opus_decoder_destroy(decoder)
    })?;
    Ok(sound)
}

fn confirm(input: &Input, sound: &Vec<i16>) -> Result<()> {
    let options = ["-v", "error", "-c:a", "opus", "-i", "-", "-f", "s16le", "-"];
    let expected = samples(&tool("ffmpeg", &options, &input.file)?);
    let sound = sound.get(2 * input.skip..).context("too little sound")?;
    let nearness = nearness(&expected, sound);
    ensure!(nearness > 40.0 && expected.len() > 90_000, "{nearness} dB, {}", expected.len());
    Ok(())
}
