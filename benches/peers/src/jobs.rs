//! The jobs, as requests and answers that can be serialised.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::inputs::Inputs;
use crate::native;

/// One operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Does nothing.
    Empty,
    /// Adds six integers.
    AddSix([i64; 6]),
    /// Hashes a message.
    Hash(ByteBuf),
    /// Compresses text with this quality, and decompresses it again.
    RoundTrip(String, i32),
    /// Decompresses bytes to this many.
    Decompress(ByteBuf, usize),
    /// Decodes a picture with this height and row size.
    Decode(ByteBuf, u32, usize),
}

/// The answer to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Nothing.
    Done,
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(ByteBuf),
    /// The job failed.
    Failed(String),
}

impl Job {
    /// Returns a workload's job, and the answer by plain FFI.
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

    /// Does the job by plain FFI.
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
                native::sodium::init()?; // from the second time on, nothing but a lock
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
