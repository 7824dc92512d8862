//! Assigns addresses to all sections, applies relocations, and writes the image.

use std::collections::{BTreeMap, BTreeSet};

use object::elf;
use omniglot_verify::layout::{GATES, IMAGE_MAX, IMAGE_MIN};
use omniglot_verify::{LINE, Text, Uses, verify};

use crate::code::Code;
use crate::elf_file::{Export, File, Part};
use crate::error::{Error, Problem};
use crate::item::{Fix, Value};
use crate::labels::Labels;
use crate::layout::{PAGE, PROCESSOR};
use crate::linked::{Id, Linked, Target};
use crate::objects::{Kind, Relocation};
use crate::place::Placed;
use crate::processor::Processor;

const HLT: u8 = 0xf4;
const TOO_FAR: &str = "split the library: an image has less than 1 GiB";

/// A rewritten section of code.
pub(crate) struct Rewritten {
    pub(crate) code: Code,
    pub(crate) placed: Placed,
}

/// An image whose layout is known, but whose fields are not filled in yet.
pub(crate) struct Layout<'a> {
    linked: &'a Linked,
    texts: &'a [Rewritten],
    /// The start of each section.
    at: BTreeMap<Id, u64>,
    text_of: BTreeMap<Id, usize>,
    /// The words that hold addresses, with their own addresses.
    slots: BTreeMap<(bool, Target), u64>,
    /// The ends of text, constants, data in the file, and everything, rounded up to pages.
    text_end: u64,
    constants_end: u64,
    data_end: u64,
    end: u64,
    constructors: (u64, u64),
}

fn page_up(at: u64) -> u64 {
    at.next_multiple_of(PAGE)
}

impl<'a> Layout<'a> {
    pub(crate) fn new(
        linked: &'a Linked,
        reached: &BTreeSet<Id>,
        texts: &'a [Rewritten],
    ) -> Result<Self, Error> {
        let mut layout = Self {
            linked,
            texts,
            at: BTreeMap::new(),
            text_of: BTreeMap::new(),
            slots: BTreeMap::new(),
            text_end: 0,
            constants_end: 0,
            data_end: 0,
            end: 0,
            constructors: (0, 0),
        };
        let mut at = IMAGE_MIN;
        for (number, text) in texts.iter().enumerate() {
            at = at.next_multiple_of(LINE);
            layout.at.insert(text.code.id, at);
            layout.text_of.insert(text.code.id, number);
            at += text.placed.bytes.len() as u64;
        }
        // At least one byte is added, so that the last instruction is one that does not continue.
        layout.text_end = page_up(at + 1);
        at = layout.text_end;
        at = layout.sections(reached, Kind::Constructors, at);
        let first = reached.iter().find(|id| linked.section(**id).kind == Kind::Constructors);
        layout.constructors = (first.map_or(at, |id| layout.at[id]), at);
        at = layout.sections(reached, Kind::ReadOnly, at);
        at = layout.slots(at);
        layout.constants_end = page_up(at);
        at = layout.sections(reached, Kind::Data, layout.constants_end);
        layout.data_end = page_up(at);
        at = layout.sections(reached, Kind::Zero, at);
        layout.end = page_up(at).max(layout.data_end);
        if layout.end > IMAGE_MAX {
            let what = format!("the image would end at {:#x}", layout.end);
            return Err(Problem::of_object("the image", what, TOO_FAR).into());
        }
        Ok(layout)
    }

    /// Assigns addresses to all sections of a kind.
    fn sections(&mut self, reached: &BTreeSet<Id>, kind: Kind, mut at: u64) -> u64 {
        for &id in reached {
            let section = self.linked.section(id);
            if section.kind == kind {
                at = at.next_multiple_of(section.align);
                self.at.insert(id, at);
                at = at.saturating_add(section.size);
            }
        }
        at
    }

    /// Assigns addresses to the words that instructions load addresses from.
    fn slots(&mut self, at: u64) -> u64 {
        let mut at = at.next_multiple_of(8);
        for (_, fix) in self.texts.iter().flat_map(|text| &text.placed.fixes) {
            let key = match fix.value {
                Value::Slot(target) => (false, target),
                Value::ThreadSlot(target) => (true, target),
                Value::Address(_) | Value::FromThread(_) => continue,
            };
            self.slots.entry(key).or_insert_with(|| {
                at += 8;
                at - 8
            });
        }
        at
    }

    fn thread(&self) -> u64 {
        self.at.get(&self.linked.thread).copied().unwrap_or_default()
    }

    /// The value of a target as an address.
    fn address(&self, target: Target) -> Result<i64, &'static str> {
        self.address_of(target, false)
    }

    /// The address of a target, for a direct branch or for any other use.
    fn address_of(&self, target: Target, is_direct: bool) -> Result<i64, &'static str> {
        let (id, offset) = match target {
            Target::Absolute(number) => return Ok(number),
            Target::Constructors(offset) => {
                return Ok(self.constructors.0.cast_signed().wrapping_add(offset));
            }
            Target::ConstructorsEnd(offset) => {
                return Ok(self.constructors.1.cast_signed().wrapping_add(offset));
            }
            Target::Section(id, offset) => (id, offset),
        };
        let Some(start) = self.at.get(&id) else {
            return Err("it refers to a section that is not in the image");
        };
        let Some(text) = self.text_of.get(&id).and_then(|number| self.texts.get(*number)) else {
            return Ok(start.cast_signed().wrapping_add(offset));
        };
        let offset = u64::try_from(offset).ok();
        let is_end = offset == Some(self.linked.section(id).size);
        let number = match offset.and_then(|offset| text.code.index_of(offset)) {
            Some(number) => number,
            None if is_end => text.code.sources.len(),
            None => return Err("it refers to the inside of an instruction"),
        };
        let entry = text.placed.entries.get(&number).filter(|_| !is_direct);
        let offset = *entry.unwrap_or(&text.placed.starts[number]);
        Ok((start + offset as u64).cast_signed())
    }

    fn value(&self, value: Value) -> Result<i64, &'static str> {
        match value {
            Value::Address(target) => self.address(target),
            Value::FromThread(target) => {
                Ok(self.address(target)?.wrapping_sub(self.thread().cast_signed()))
            }
            Value::Slot(target) => Ok(self.slot(false, target)),
            Value::ThreadSlot(target) => Ok(self.slot(true, target)),
        }
    }

    fn slot(&self, is_thread: bool, target: Target) -> i64 {
        self.slots.get(&(is_thread, target)).copied().unwrap_or_default().cast_signed()
    }

    /// Writes the image.
    pub(crate) fn write(
        &self,
        labels: &Labels,
        processor: &Processor,
        exports: &[(Export, Target)],
        entry: Option<Target>,
    ) -> Result<(Vec<u8>, Uses), Error> {
        let mut problems = Vec::new();
        let mut memory = vec![0; (self.data_end - IMAGE_MIN) as usize];
        let text_length = (self.text_end - IMAGE_MIN) as usize;
        memory[..text_length].fill(HLT);
        for text in self.texts {
            self.text(text, &mut memory, &mut problems);
        }
        for (id, at) in &self.at {
            self.data(*id, *at, &mut memory, &mut problems);
        }
        self.tables(labels, &mut memory, &mut problems);
        let reported = self.thread() + PROCESSOR.cast_unsigned() - IMAGE_MIN;
        put(&mut memory, reported, &processor.words().map(u32::to_le_bytes).concat());
        for ((is_thread, target), at) in &self.slots {
            let address = self.address(*target).unwrap_or_default();
            let thread = if *is_thread { self.thread() } else { 0 };
            let value = address.wrapping_sub(thread.cast_signed());
            put(&mut memory, at - IMAGE_MIN, &value.to_le_bytes());
        }
        if !problems.is_empty() {
            return Err(Error { problems });
        }
        let text = Text { bytes: &memory[..text_length], at: IMAGE_MIN, gates: GATES };
        let uses = verify(&text).map_err(|refusal| self.refused(&refusal))?;
        let mut symbols = Vec::new();
        for (export, target) in exports {
            if let Ok(at) = self.address(*target) {
                let size = self.rewritten_size(export, *target, at);
                symbols.push(Export { at: at.cast_unsigned(), size, ..export.clone() });
            }
        }
        let entry = entry.and_then(|entry| self.address(entry).ok()).unwrap_or_default();
        let part = |start, file_end, end, may_write, may_execute| Part {
            start,
            file_end,
            end,
            may_write,
            may_execute,
        };
        let parts = [
            part(IMAGE_MIN, self.text_end, self.text_end, false, true),
            part(self.text_end, self.constants_end, self.constants_end, false, false),
            part(self.constants_end, self.data_end, self.end, true, false),
        ];
        let parts = parts.into_iter().filter(|part| part.start < part.end).collect();
        let file = File { memory: &memory, parts, symbols, entry: entry.cast_unsigned() };
        Ok((file.write(), uses))
    }

    /// The size that a symbol has in the image: of code it is another.
    fn rewritten_size(&self, export: &Export, target: Target, at: i64) -> u64 {
        let end = self.address_of(target.plus(export.size.cast_signed()), true);
        end.ok().and_then(|end| u64::try_from(end.wrapping_sub(at)).ok()).unwrap_or(export.size)
    }

    fn text(&self, text: &Rewritten, memory: &mut [u8], problems: &mut Vec<Problem>) {
        let Some(start) = self.at.get(&text.code.id) else { return };
        put(memory, start - IMAGE_MIN, &text.placed.bytes);
        for (item, fix) in &text.placed.fixes {
            let item = start + *item as u64;
            if let Err(what) = self.fill(item, fix, memory) {
                let number =
                    text.placed.origins.partition_point(|(at, _)| start + *at as u64 <= item);
                let source = text.placed.origins.get(number.saturating_sub(1));
                let source = source.and_then(|(_, source)| text.code.sources.get(*source));
                let offset = source.map_or(0, |source| source.instruction.ip());
                problems.push(self.linked.problem(text.code.id, offset, what, TOO_FAR));
            }
        }
    }

    fn fill(&self, item: u64, fix: &Fix, memory: &mut [u8]) -> Result<(), &'static str> {
        const LONG: &str = "an address does not fit into 32 bits";
        let value = match (fix.value, fix.end) {
            (Value::Address(target), Some(_)) => self.address_of(target, true)?,
            (value, _) => self.value(value)?,
        };
        let at = item + u64::from(fix.at) - IMAGE_MIN;
        if let Some(end) = fix.end {
            let distance = value.wrapping_sub((item + u64::from(end)).cast_signed());
            let distance = i32::try_from(distance).map_err(|_| LONG)?;
            put(memory, at, &distance.to_le_bytes());
        } else if fix.size == 8 {
            put(memory, at, &value.to_le_bytes());
        } else {
            let value = i32::try_from(value).map_err(|_| LONG)?;
            put(memory, at, &value.to_le_bytes());
        }
        Ok(())
    }

    fn data(&self, id: Id, at: u64, memory: &mut [u8], problems: &mut Vec<Problem>) {
        let section = self.linked.section(id);
        if matches!(section.kind, Kind::Code | Kind::Zero) {
            return;
        }
        put(memory, at - IMAGE_MIN, &section.bytes);
        for relocation in &section.relocations {
            if let Err(what) = self.relocate(id, at, relocation, memory) {
                let remedy = "compile with -mcmodel=small, as is usual";
                problems.push(self.linked.problem(id, relocation.offset, what, remedy));
            }
        }
    }

    fn relocate(
        &self,
        id: Id,
        at: u64,
        relocation: &Relocation,
        memory: &mut [u8],
    ) -> Result<(), String> {
        let name = || self.linked.name_of(id.object, relocation);
        let Some(symbol) = self.linked.resolve(id.object, relocation.symbol) else {
            return Err(format!("nobody defines {}", name()));
        };
        let target = symbol.plus(relocation.addend);
        let place = at + relocation.offset;
        let is_code =
            matches!(target, Target::Section(code, _) if self.text_of.contains_key(&code));
        let (value, size) = match relocation.kind {
            elf::R_X86_64_64 => (self.address(target)?, 8),
            elf::R_X86_64_32 | elf::R_X86_64_32S => (self.address(target)?, 4),
            // Jump tables are written separately.
            elf::R_X86_64_PC32 | elf::R_X86_64_PC64 if is_code => return Ok(()),
            elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 => {
                (self.address(target)?.wrapping_sub(place.cast_signed()), 4)
            }
            elf::R_X86_64_PC64 => (self.address(target)?.wrapping_sub(place.cast_signed()), 8),
            kind => return Err(format!("relocation {} of {} is not supported", kind.0, name())),
        };
        put(memory, place - IMAGE_MIN, &value.to_le_bytes()[..size]);
        Ok(())
    }

    fn tables(&self, labels: &Labels, memory: &mut [u8], problems: &mut Vec<Problem>) {
        for entry in &labels.entries {
            let Some(start) = self.at.get(&entry.section) else { continue };
            match self.address(entry.target) {
                Ok(address) => {
                    let table = start.cast_signed().wrapping_add(entry.table);
                    let distance = address.wrapping_sub(table) as i32;
                    put(memory, start + entry.offset - IMAGE_MIN, &distance.to_le_bytes());
                }
                Err(what) => {
                    let remedy = "compile with -fno-jump-tables, or -fno-pic -fno-pie";
                    let problem = self.linked.problem(entry.section, entry.offset, what, remedy);
                    problems.push(problem);
                }
            }
        }
    }

    /// Converts the verifier's refusal into an error that names the place in the original object.
    fn refused(&self, refusal: &omniglot_verify::Refusal) -> Error {
        let text = self
            .texts
            .iter()
            .rev()
            .find(|text| self.at.get(&text.code.id).is_some_and(|start| *start <= refusal.at));
        let Some(text) = text else {
            return Problem::of_object("the image", refusal.to_string(), "").into();
        };
        let start = self.at[&text.code.id];
        let offset = (refusal.at - start) as usize;
        let number = text.placed.origins.partition_point(|(at, _)| *at <= offset);
        let source = text.placed.origins.get(number.saturating_sub(1)).map_or(0, |origin| origin.1);
        let instruction = text.code.sources.get(source).map(|source| source.instruction);
        let at = instruction.map_or(0, |instruction| instruction.ip());
        let what = format!("the verifier refuses the rewritten code {refusal}");
        let mut problem = self.linked.problem(text.code.id, at, what, refusal.rule.remedy());
        problem.instruction = instruction.map(|instruction| instruction.to_string());
        problem.into()
    }
}

/// Copies bytes to an address, if they fit.
fn put(memory: &mut [u8], at: u64, bytes: &[u8]) {
    if let Some(place) = memory.get_mut(at as usize..at as usize + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
