//! The workloads, and how each is measured.

mod brotli;
mod build_time;
mod callback;
mod clearing;
mod empty_call;
mod instructions;
mod jansson;
mod jpeg_rows;
mod libpng;
mod libsodium;
mod lua;
mod memory;
mod pingpong;
mod process_start;
mod published;
mod reset;
mod sqlite;
mod start;
mod upgrade;
mod validate;
mod verification;
mod zlib;

use anyhow::{Result, bail};
use omniglot_turns::{Record, Settings, Workload};

use crate::inputs::Inputs;

pub(crate) use pingpong::{answer, is_partner};
pub(crate) use published::{KEY_WRITES, PAPER, Paper, Published};

/// A workload's name, its sizes, and how it is measured.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// A description of one operation, for the report.
    pub(crate) about: &'static str,
    sizes: Sizes,
    pub(crate) measure: Measure,
}

/// The sizes of a workload.
#[derive(Clone, Copy)]
enum Sizes {
    /// These.
    Of(&'static [usize]),
    /// All pictures, by their indices.
    Pictures,
}

/// How a workload is measured.
#[derive(Clone, Copy)]
pub(crate) enum Measure {
    /// By running batches of operations.
    Batches(fn(&Inputs, usize) -> Result<Workload>),
    /// As batches. The variants on a runtime also run in a build without checks, and the
    /// alternatives to Omniglot run too.
    Compared(fn(&Inputs, usize) -> Result<Workload>),
    /// By a function of its own.
    Own(fn(Settings) -> Result<Vec<Record>>),
    /// Not measured here: published figures.
    Published,
}

/// The size of workloads that have none.
const ONE: Sizes = Sizes::Of(&[0]);

/// All workloads, in the order in which they are measured.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        name: "empty_call",
        about: "a call of a C function that does nothing (the paper's `invoke`)",
        sizes: ONE,
        measure: Measure::Compared(empty_call::empty),
    },
    Entry {
        name: "instructions",
        about: "the instructions of such a call",
        sizes: ONE,
        measure: Measure::Own(instructions::calls),
    },
    Entry {
        name: "clearing",
        about: "the gate clears all registers of the vector units",
        sizes: ONE,
        measure: Measure::Batches(clearing::clearing),
    },
    Entry {
        name: "key_writes",
        about: "a write of the register that protection keys are in",
        sizes: ONE,
        measure: Measure::Published,
    },
    Entry {
        name: "six_arguments",
        about: "a call with six integers, and their sum",
        sizes: Sizes::Of(&[48]),
        measure: Measure::Compared(empty_call::six_arguments),
    },
    Entry {
        name: "batch",
        about: "one of several such calls in one crossing, by how many there are",
        sizes: Sizes::Of(&[10, 1000]),
        measure: Measure::Compared(empty_call::batches),
    },
    Entry {
        name: "upgrade",
        about: "the check of an address, by how many allocations live",
        sizes: Sizes::Of(&[1, 8, 64, 4096]),
        measure: Measure::Compared(upgrade::upgrade),
    },
    Entry {
        name: "callback",
        about: "out of the library, through a Rust closure and back, by how many are registered",
        sizes: Sizes::Of(&[1, 8, 64]),
        measure: Measure::Compared(callback::callback),
    },
    Entry {
        name: "callback_instructions",
        about: "the instructions of such a callback",
        sizes: ONE,
        measure: Measure::Own(instructions::callbacks),
    },
    Entry {
        name: "validate_u8",
        about: "a view of bytes, of which any are valid",
        sizes: Sizes::Of(&[64, 8192]),
        measure: Measure::Compared(validate::bytes),
    },
    Entry {
        name: "validate_str",
        about: "a view of text, by its random characters of about four bytes each",
        sizes: Sizes::Of(&[64, 8224, 1 << 20]),
        measure: Measure::Compared(validate::text),
    },
    Entry {
        name: "validate_bool",
        about: "a view of bools, by bytes",
        sizes: Sizes::Of(&[64, 8192, 1 << 20]),
        measure: Measure::Compared(validate::bools),
    },
    Entry {
        name: "validate_enum",
        about: "a view of enums of one byte, by bytes",
        sizes: Sizes::Of(&[64, 8192, 1 << 20]),
        measure: Measure::Compared(validate::enums),
    },
    Entry {
        name: "validate_struct",
        about: "a view of structs with a bool and an enum in each, by bytes",
        sizes: Sizes::Of(&[64, 8192, 1 << 20]),
        measure: Measure::Compared(validate::structs),
    },
    Entry {
        name: "libsodium",
        about: "the hash of a message, by its bytes",
        sizes: Sizes::Of(&[64, 512, 4096, 32_768]),
        measure: Measure::Compared(libsodium::libsodium),
    },
    Entry {
        name: "brotli",
        about: "text compressed with quality 11, decompressed and compared, by its bytes",
        sizes: Sizes::Of(&[8, 64, 128, 256, 512, 1024]),
        measure: Measure::Compared(brotli::best),
    },
    Entry {
        name: "brotli_q5",
        about: "the same with quality 5",
        sizes: Sizes::Of(&[1024, 65_536, 1 << 20]),
        measure: Measure::Compared(brotli::middle),
    },
    Entry {
        name: "brotli_q1",
        about: "the same with quality 1",
        sizes: Sizes::Of(&[1024, 65_536, 1 << 20]),
        measure: Measure::Compared(brotli::fast),
    },
    Entry {
        name: "brotli_decompress",
        about: "text decompressed, by its bytes",
        sizes: Sizes::Of(&[1024, 65_536, 1 << 20]),
        measure: Measure::Compared(brotli::decompression),
    },
    Entry {
        name: "libpng",
        about: "a picture decoded, by the bytes of its pixels",
        sizes: Sizes::Pictures,
        measure: Measure::Compared(libpng::libpng),
    },
    Entry {
        name: "zlib",
        about: "text compressed with level 6, decompressed and compared, by its bytes",
        sizes: Sizes::Of(&[1024, 65_536, 1 << 20]),
        measure: Measure::Compared(zlib::zlib),
    },
    Entry {
        name: "sqlite",
        about: "a table in memory filled and queried, by its rows",
        sizes: Sizes::Of(&[100, 5000]),
        measure: Measure::Compared(sqlite::sqlite),
    },
    Entry {
        name: "lua",
        about: "a program in Lua that calls a closure in Rust and sorts what it answers, by its calls",
        sizes: Sizes::Of(&[5000]),
        measure: Measure::Batches(lua::lua),
    },
    Entry {
        name: "jansson",
        about: "a document in JSON parsed and asked for its numbers one by one, by the calls for them",
        sizes: Sizes::Of(&[75_000]),
        measure: Measure::Batches(jansson::jansson),
    },
    Entry {
        name: "jpeg_rows",
        about: "a picture decoded by libjpeg-turbo, row by row, by the bytes of its pixels",
        sizes: Sizes::Of(&[768_000]),
        measure: Measure::Batches(jpeg_rows::jpeg_rows),
    },
    Entry {
        name: "verification",
        about: "the proof that libpng's image stays in its memory, by the bytes of its code",
        sizes: ONE,
        measure: Measure::Batches(verification::verification),
    },
    Entry {
        name: "start",
        about: "an instance of a small library, loaded and ready, and dropped again",
        sizes: ONE,
        measure: Measure::Batches(start::small),
    },
    Entry {
        name: "start_libpng",
        about: "the same of libpng",
        sizes: ONE,
        measure: Measure::Batches(start::libpng),
    },
    Entry {
        name: "process_start",
        about: "a program that makes an instance and calls an empty function, spawned until it exited",
        sizes: ONE,
        measure: Measure::Batches(process_start::process_start),
    },
    Entry {
        name: "reset",
        about: "an instance brought back to the state after loading",
        sizes: ONE,
        measure: Measure::Batches(reset::reset),
    },
    Entry {
        name: "memory",
        about: "the memory of a further idle instance of the same library",
        sizes: ONE,
        measure: Measure::Own(memory::memory),
    },
    Entry {
        name: "build_time",
        about: "bindings of all of png.h, generated and compiled",
        sizes: ONE,
        measure: Measure::Own(build_time::build_time),
    },
];

impl Entry {
    /// Returns the sizes to measure. If `few` is set, these are at most three, including the
    /// smallest and the largest.
    pub(crate) fn sizes(&self, inputs: &Inputs, few: bool) -> Result<Vec<usize>> {
        let all = match self.sizes {
            Sizes::Of(sizes) => sizes.to_vec(),
            Sizes::Pictures => (0..inputs.pictures()?).collect(),
        };
        if !few || all.len() <= 3 {
            return Ok(all);
        }
        let chosen = [0, all.len() / 2, all.len() - 1];
        Ok(chosen.iter().filter_map(|index| all.get(*index)).copied().collect())
    }
}

/// A name for several workloads: those that show what software fault isolation costs, which its
/// goals are about.
const SFI: (&str, &[&str]) = (
    "sfi",
    &[
        "empty_call",
        "instructions",
        "callback",
        "callback_instructions",
        "libsodium",
        "brotli_q5",
        "libpng",
        "zlib",
        "sqlite",
        "lua",
        "jansson",
        "jpeg_rows",
        "verification",
        "start",
        "start_libpng",
        "reset",
        "memory",
    ],
);

/// Returns the workloads with these names, or all if there are no names.
pub(crate) fn selected(only: &[String]) -> Result<Vec<Entry>> {
    let (group, names) = SFI;
    let named = |name: &String| -> Vec<String> {
        if name == group {
            names.iter().map(|&name| name.to_owned()).collect()
        } else {
            vec![name.clone()]
        }
    };
    let only: Vec<String> = only.iter().flat_map(named).collect();
    for name in &only {
        if !ENTRIES.iter().any(|entry| entry.name == name) {
            let names: Vec<_> = ENTRIES.iter().map(|entry| entry.name).collect();
            bail!("there is no workload {name}; there are: {}, and {group}", names.join(", "));
        }
    }
    let wanted = |entry: &&Entry| only.is_empty() || only.iter().any(|name| name == entry.name);
    Ok(ENTRIES.iter().filter(wanted).copied().collect())
}

/// Sets up a workload for a process that [serves](omniglot_turns::serve()) it.
pub(crate) fn find(inputs: &Inputs, name: &str, size: usize) -> Result<Option<Workload>> {
    let Some(entry) = ENTRIES.iter().find(|entry| entry.name == name) else { return Ok(None) };
    match entry.measure {
        Measure::Batches(set_up) | Measure::Compared(set_up) => set_up(inputs, size).map(Some),
        Measure::Own(_) | Measure::Published => Ok(None),
    }
}
