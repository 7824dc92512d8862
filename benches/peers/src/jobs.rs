//! The work, as requests and answers.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::inputs::Inputs;
use crate::native;

/// One operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Nothing.
    Empty,
    /// The sum of six integers.
    AddSix([i64; 6]),
    /// The hash of a message.
    Hash(ByteBuf),
    /// Text compressed with a quality, and decompressed again.
    RoundTrip(String, i32),
    /// Bytes decompressed, of which there are so many then.
    Decompress(ByteBuf, usize),
    /// A picture decoded, whose height and row size are these.
    Decode(ByteBuf, u32, usize),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Nothing.
    Done,
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(ByteBuf),
    /// It failed.
    Failed(String),
}

impl Job {
    /// A workload's job, and what plain FFI answers.
    pub(crate) fn find(inputs: &Inputs, name: &str, size: usize) -> Result<Option<(Self, Answer)>> {
        let round_trip = |quality| Ok(Self::RoundTrip(inputs.text(size)?, quality));
        let job: Result<Self> = match name {
            "empty_call" => Ok(Self::Empty),
            "six_arguments" => Ok(Self::AddSix([7, 1, 2, 3, 4, 5])),
            "libsodium" => Ok(Self::Hash(ByteBuf::from(crate::inputs::random_bytes(size)))),
            "brotli" => round_trip(11),
            "brotli_q5" => round_trip(5),
            "brotli_q1" => round_trip(1),
            "brotli_decompress" => compressed(&inputs.text(size)?),
            "libpng" => {
                let picture = inputs.picture(size)?;
                let file = ByteBuf::from(picture.file);
                Ok(Self::Decode(file, picture.height, picture.row_size))
            }
            _ => return Ok(None),
        };
        let job = job?;
        let answer = job.run();
        ensure!(!matches!(answer, Answer::Failed(_)), "plain FFI fails: {answer:?}");
        Ok(Some((job, answer)))
    }

    /// Does it by plain FFI.
    pub(crate) fn run(&self) -> Answer {
        self.try_run().unwrap_or_else(|error| Answer::Failed(format!("{error:#}")))
    }

    fn try_run(&self) -> Result<Answer> {
        match self {
            Self::Empty => {
                native::empty();
                Ok(Answer::Done)
            }
            Self::AddSix(numbers) => Ok(Answer::Number(native::add_six(*numbers))),
            Self::Hash(message) => {
                Ok(Answer::Bytes(ByteBuf::from(native::sodium::hash(message)?.to_vec())))
            }
            Self::RoundTrip(text, quality) => {
                let mut rooms = [vec![0; 2 * text.len()], vec![0; 2 * text.len()]];
                native::brotli::round_trip(text, *quality, &mut rooms)?;
                Ok(Answer::Done)
            }
            Self::Decompress(packed, size) => {
                let mut room = vec![0; *size];
                let len = native::brotli::decompress(packed, &mut room)?;
                room.truncate(len);
                Ok(Answer::Bytes(ByteBuf::from(room)))
            }
            Self::Decode(file, height, row_size) => {
                let mut decoder = native::png::Decoder::new(*height, *row_size);
                decoder.decode(file)?;
                Ok(Answer::Bytes(ByteBuf::from(decoder.pixels().to_vec())))
            }
        }
    }
}

fn compressed(text: &str) -> Result<Job> {
    let mut packed = vec![0; 2 * text.len()];
    let len = native::brotli::compress(text.as_bytes(), 5, &mut packed)?;
    packed.truncate(len);
    Ok(Job::Decompress(ByteBuf::from(packed), text.len()))
}
