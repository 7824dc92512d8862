//! Tests of liveness and placement, on code that is written out here.

mod liveness;
mod placing;

use std::collections::BTreeSet;

use crate::code::{Code, read};
use crate::effects::Set;
use crate::error::Problem;
use crate::flow::{Liveness, analyse};
use crate::item::Item;
use crate::labels::{Labels, collect};
use crate::linked::{Id, Linked};
use crate::lower::{Lowered, Unknown, lower};
use crate::objects::{At, Binding, Kind, Object, Relocation, Section, Symbol};
use crate::place::{Placed, place};
use crate::processor::Processor;

/// An object with one code section, functions in it, and a table of code addresses.
pub(super) struct Sample {
    linked: Linked,
    codes: Vec<Code>,
    labels: Labels,
    liveness: Liveness,
}

const TEXT: Id = Id { object: 0, section: 1 };

fn symbol(name: &str, at: At, is_function: bool) -> Symbol {
    Symbol {
        name: name.to_owned(),
        at,
        size: 0,
        binding: Binding::Local,
        is_function,
        is_section: !is_function,
    }
}

impl Sample {
    /// Creates an object with functions at these offsets, and a table of places in the code.
    pub(super) fn new(code: &[u8], functions: &[u64], table: &[i64]) -> Self {
        let mut symbols =
            vec![symbol("", At::Absolute(0), false), symbol("", At::Section(1, 0), false)];
        let functions = functions.iter().enumerate();
        symbols
            .extend(functions.map(|(n, at)| symbol(&format!("f{n}"), At::Section(1, *at), true)));
        let relocation = |(number, at): (usize, &i64)| Relocation {
            offset: number as u64 * 8,
            kind: object::elf::R_X86_64_64,
            symbol: 1,
            addend: *at,
        };
        let section = |name: &str, kind, bytes: Vec<u8>, relocations| Section {
            name: name.to_owned(),
            kind,
            size: bytes.len() as u64,
            bytes,
            align: 16,
            relocations,
        };
        let relocations = table.iter().enumerate().map(relocation).collect();
        let object = Object {
            name: "sample.o".to_owned(),
            sections: vec![
                Section::NONE,
                section(".text", Kind::Code, code.to_vec(), Vec::new()),
                section(".rodata", Kind::ReadOnly, vec![0; table.len() * 8], relocations),
            ],
            symbols,
            groups: Vec::new(),
        };
        let linked = Linked::new(vec![object], &[]).expect("nothing is defined twice");
        let reached: BTreeSet<Id> = linked.ids().collect();
        let mut problems = Vec::new();
        let codes = vec![read(&linked, TEXT, &mut problems)];
        let labels = collect(&linked, &reached, &codes, &mut problems);
        assert_eq!(problems, []);
        let liveness = analyse(&linked, &codes, &labels);
        Self { linked, codes, labels, liveness }
    }

    /// The registers and flags that are live after the instruction at an offset.
    pub(super) fn live_after(&self, offset: u64) -> Set {
        let number = self.codes[0].index_of(offset).expect("an instruction begins there");
        self.liveness.live_after(TEXT)[number]
    }

    pub(super) fn number(&self, offset: u64) -> usize {
        self.codes[0].index_of(offset).expect("an instruction begins there")
    }

    pub(super) fn lowered(&self) -> Result<Lowered, Vec<Problem>> {
        let mut problems = Vec::new();
        let code = &self.codes[0];
        let mut processor = Processor::default();
        let lowered = lower(
            &self.linked,
            code,
            &self.liveness,
            Unknown::Refuse,
            &mut processor,
            &mut problems,
        );
        if problems.is_empty() { Ok(lowered) } else { Err(problems) }
    }

    pub(super) fn items(&self) -> Vec<Item> {
        self.lowered().expect("it can be rewritten").items
    }

    pub(super) fn placed(&self) -> Placed {
        let lowered = self.lowered().expect("it can be rewritten");
        place(&self.codes[0], &lowered, self.labels.taken.get(&TEXT))
    }
}
