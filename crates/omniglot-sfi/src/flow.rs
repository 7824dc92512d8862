//! Control flow and liveness: which registers and flags are live after each instruction of an
//! object.
//!
//! All code of an object forms one graph, since gcc moves rarely executed parts of a function to
//! another section, and keeps values in registers across the jump.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{FlowControl, Mnemonic, OpKind, Register};

use crate::code::{Code, Meaning, Source};
use crate::effects::{ARGUMENTS, CALLEE_SAVED, CALLER_SAVED, Effects, EffectsReader, RESULTS, Set};
use crate::labels::{Labels, branch_target};
use crate::linked::{Id, Linked, Target};
use crate::objects::At;

/// How control leaves an instruction. Nodes are instructions, numbered through the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transfer {
    Next,
    /// To this node, or to the next one.
    Branch(usize),
    Jump(usize),
    /// To code of another object, where registers hold what they hold at the start of a call.
    Leave,
    /// To code of another object, or to the next instruction.
    BranchAway,
    /// To an address in a register or memory: a place in the same function, or another function.
    Indirect,
    /// To an entry of a jump table: a place in the same function.
    Table,
    /// Call of a function of this object. The compiler may know which registers it changes.
    CallOwn(usize),
    Call,
    SystemCall,
    Return,
    Stop,
}

/// The registers and flags that are live after each instruction of an object.
pub(crate) struct Liveness {
    /// One set for each instruction, by section.
    sections: BTreeMap<Id, Vec<Set>>,
    /// Calls after which r11 is loaded from where the called function stored it.
    fetching: BTreeSet<(Id, usize)>,
    /// Targets of indirect jumps where flags from before the jumps are live.
    restoring: BTreeSet<(Id, usize)>,
    /// Targets of indirect jumps where r11 from before the jumps is live, and the jumps that save
    /// it.
    restoring_r11: BTreeSet<(Id, usize)>,
    keeping_r11: BTreeSet<(Id, usize)>,
}

/// Registers that a return may use, in order of preference: the caller-saved ones, except for those
/// of results.
pub(crate) const FOR_RETURNS: [u8; 7] = [R11, 1, 6, 7, 8, 9, 10];
/// Registers that a jump may load its target into, in order of preference.
pub(crate) const FOR_JUMPS: [u8; 15] = [R11, 10, 9, 8, 1, 6, 7, 2, 0, 3, 5, 12, 13, 14, 15];
/// The register that most sequences use for addresses: the psABI has no other use for it.
pub(crate) const R11: u8 = 11;

impl Liveness {
    /// The registers and flags that are live after each instruction of a section.
    pub(crate) fn live_after(&self, id: Id) -> &[Set] {
        self.sections.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Returns true if a call is to a function whose callers need all registers that a return could
    /// use, r11 included. Such a function stores r11 below the stack pointer.
    pub(crate) fn fetches(&self, id: Id, instruction: usize) -> bool {
        self.fetching.contains(&(id, instruction))
    }

    /// Returns true if an instruction is a target of an indirect jump, and flags are live there.
    pub(crate) fn restores(&self, id: Id, instruction: usize) -> bool {
        self.restoring.contains(&(id, instruction))
    }

    /// Returns true if an instruction is a target of an indirect jump that saves r11 in memory,
    /// because it needs a register and none is free.
    pub(crate) fn restores_r11(&self, id: Id, instruction: usize) -> bool {
        self.restoring_r11.contains(&(id, instruction))
    }

    /// Returns true if an indirect jump must save r11 in memory.
    pub(crate) fn keeps_r11(&self, id: Id, instruction: usize) -> bool {
        self.keeping_r11.contains(&(id, instruction))
    }
}

/// An instruction in the graph.
struct Node {
    transfer: Transfer,
    effects: Effects,
    /// True if it is a jump that loads its target from memory.
    loads_target: bool,
    /// The number of its function.
    function: usize,
}

struct Graph {
    nodes: Vec<Node>,
    /// By function: the places in it whose address is taken, except for its start.
    inner: Vec<Vec<usize>>,
    /// By function: the registers that its callers expect to be preserved, although the psABI does
    /// not require it. gcc relies on what it knows of a function that it compiled itself
    /// (-fipa-ra).
    expected: Vec<Set>,
    live_after: Vec<Set>,
}

/// Analyses one object.
pub(crate) fn analyse(linked: &Linked, codes: &[Code], labels: &Labels) -> Liveness {
    let mut graph = Graph::new(linked, codes, labels);
    graph.solve();
    let mut liveness = Liveness {
        sections: BTreeMap::new(),
        fetching: BTreeSet::new(),
        restoring: BTreeSet::new(),
        restoring_r11: BTreeSet::new(),
        keeping_r11: BTreeSet::new(),
    };
    let restoring = graph.restoring();
    let (keeping_r11, restoring_r11) = graph.keeping_r11();
    let mut first = 0;
    for code in codes {
        let nodes = first..first + code.sources.len();
        first = nodes.end;
        let fetching = nodes.clone().filter(|node| graph.fetches(*node));
        let fetching = fetching.map(|node| (code.id, node - nodes.start));
        liveness.fetching.extend(fetching);
        let own = |all: &BTreeSet<usize>| -> Vec<(Id, usize)> {
            all.range(nodes.clone()).map(|node| (code.id, node - nodes.start)).collect()
        };
        liveness.restoring.extend(own(&restoring));
        liveness.restoring_r11.extend(own(&restoring_r11));
        liveness.keeping_r11.extend(own(&keeping_r11));
        liveness.sections.insert(code.id, graph.live_after[nodes].to_vec());
    }
    liveness
}

impl Graph {
    fn new(linked: &Linked, codes: &[Code], labels: &Labels) -> Self {
        let mut firsts = BTreeMap::new();
        let mut first = 0;
        for code in codes {
            firsts.insert(code.id, (first, code));
            first += code.sources.len();
        }
        let node_of = |target: Target| {
            let Target::Section(id, offset) = target else { return None };
            let (first, code) = firsts.get(&id)?;
            Some(first + code.index_of(u64::try_from(offset).ok()?)?)
        };
        let mut functions = Functions::default();
        let mut reader = EffectsReader::new();
        let mut graph = Self {
            nodes: Vec::new(),
            inner: Vec::new(),
            expected: Vec::new(),
            live_after: Vec::new(),
        };
        for code in codes {
            let starts = functions.starts(linked, code.id);
            let mut starts = starts.into_iter().peekable();
            let mut function = functions.number(&format!("{:?}", code.id));
            let taken = labels.taken.get(&code.id);
            for source in &code.sources {
                let ip = source.instruction.ip();
                let mut is_start = false;
                while let Some((_, next)) = starts.next_if(|(start, _)| *start <= ip) {
                    function = next;
                    is_start = true;
                }
                let transfer = transfer(code.id, source, node_of);
                let effects = reader.effects(&source.instruction);
                if taken.is_some_and(|taken| taken.contains(&ip)) && !is_start {
                    graph.inner.resize(graph.inner.len().max(function + 1), Vec::new());
                    graph.inner[function].push(graph.nodes.len());
                }
                let loads_target = source.instruction.flow_control() == FlowControl::IndirectBranch
                    && source.instruction.op0_kind() == OpKind::Memory;
                graph.nodes.push(Node { transfer, effects, loads_target, function });
            }
        }
        graph.inner.resize(functions.0.len(), Vec::new());
        graph.expected.resize(functions.0.len(), Set::NONE);
        graph.live_after.resize(graph.nodes.len(), Set::NONE);
        graph
    }

    /// Iterates backwards over all nodes until nothing changes.
    fn solve(&mut self) {
        loop {
            let mut is_more = false;
            let indirect: Vec<Set> =
                self.inner.iter().map(|places| self.live_before_all(places)).collect();
            for node in (0..self.nodes.len()).rev() {
                let live_after = self.live_after_node(node, &indirect);
                is_more |= self.live_after[node] != live_after;
                self.live_after[node] = live_after;
                is_more |= self.expect(node);
            }
            if !is_more {
                return;
            }
        }
    }

    fn live_before_all(&self, nodes: &[usize]) -> Set {
        nodes.iter().fold(Set::NONE, |set, node| set.union(self.live_before(*node)))
    }

    /// The live set before a node. Nothing is live after the last node.
    fn live_before(&self, node: usize) -> Set {
        const SYSTEM_CALL: Set = Set::of(&[0, 2, 6, 7, 8, 9, 10]);
        let Some(Node { transfer, effects, .. }) = self.nodes.get(node) else { return Set::NONE };
        let live_after = self.live_after[node];
        let kept = match transfer {
            Transfer::Call => live_after.without(CALLER_SAVED).without(Set::FLAGS).union(ARGUMENTS),
            Transfer::CallOwn(_) => {
                live_after.without(RESULTS).without(Set::FLAGS).union(ARGUMENTS)
            }
            Transfer::SystemCall => live_after.without(Set::of(&[1, 11])).union(SYSTEM_CALL),
            _ => live_after.without(effects.kills),
        };
        kept.union(effects.reads)
    }

    fn live_after_node(&self, node: usize, indirect: &[Set]) -> Set {
        const AWAY: Set = ARGUMENTS.union(CALLEE_SAVED);
        let Node { transfer, function, .. } = self.nodes[node];
        let expected = self.expected[function];
        match transfer {
            Transfer::Next | Transfer::Call | Transfer::CallOwn(_) | Transfer::SystemCall => {
                self.live_before(node + 1)
            }
            Transfer::Branch(to) => self.live_before(node + 1).union(self.live_before(to)),
            Transfer::Jump(to) => self.live_before(to),
            Transfer::Leave => AWAY,
            Transfer::BranchAway => self.live_before(node + 1).union(AWAY),
            Transfer::Indirect => indirect[function].union(AWAY).union(expected),
            Transfer::Table => indirect[function],
            Transfer::Return => RESULTS.union(CALLEE_SAVED).union(expected),
            Transfer::Stop => Set::NONE,
        }
    }

    /// Places with live flags whose address is taken, in functions with indirect jumps.
    fn restoring(&self) -> BTreeSet<usize> {
        let jumps = self
            .nodes
            .iter()
            .filter(|node| matches!(node.transfer, Transfer::Indirect | Transfer::Table));
        let functions: BTreeSet<usize> = jumps.map(|node| node.function).collect();
        let inner = functions.iter().flat_map(|function| &self.inner[*function]);
        inner.copied().filter(|node| self.live_before(*node).has_flags()).collect()
    }

    /// Finds the functions in which a jump must load its target into a register, and none is free.
    /// Returns all their indirect jumps, and the possible targets where r11 is live.
    fn keeping_r11(&self) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let nodes = || self.nodes.iter().enumerate();
        let is_full =
            |node: usize| FOR_JUMPS.iter().all(|register| self.live_after[node].has(*register));
        let full = nodes().filter(|(number, node)| node.loads_target && is_full(*number));
        let functions: BTreeSet<usize> = full.map(|(_, node)| node.function).collect();
        let jumps = nodes().filter(|(_, node)| {
            matches!(node.transfer, Transfer::Indirect | Transfer::Table)
                && functions.contains(&node.function)
        });
        let inner = functions.iter().flat_map(|function| &self.inner[*function]);
        let restoring = inner.copied().filter(|node| self.live_before(*node).has(R11)).collect();
        (jumps.map(|(number, _)| number).collect(), restoring)
    }

    fn fetches(&self, node: usize) -> bool {
        let Transfer::CallOwn(to) = self.nodes[node].transfer else { return false };
        self.stores_r11(self.nodes[to].function) && self.live_after[node].has(R11)
    }

    /// Returns true if a function's returns have no register to use, and so store r11.
    fn stores_r11(&self, function: usize) -> bool {
        FOR_RETURNS.iter().all(|register| self.expected[function].has(*register))
    }

    /// Records which registers a call or a jump expects another function to preserve.
    fn expect(&mut self, node: usize) -> bool {
        let Node { transfer, function, .. } = self.nodes[node];
        match transfer {
            Transfer::CallOwn(to) => {
                let scratch = CALLER_SAVED.without(RESULTS);
                self.add(self.nodes[to].function, self.live_after[node].intersection(scratch))
            }
            Transfer::Jump(to) | Transfer::Branch(to) => {
                let to = self.nodes[to].function;
                let is_more = self.add(to, self.expected[function]);
                // A call of this function may return from that one. So its callers load r11, and its
                // own returns must store it, too.
                let all = if self.stores_r11(to) { Set::of(&FOR_RETURNS) } else { Set::NONE };
                self.add(function, all) || is_more
            }
            _ => false,
        }
    }

    fn add(&mut self, function: usize, set: Set) -> bool {
        let expected = &mut self.expected[function];
        let more = expected.union(set);
        let is_more = *expected != more;
        *expected = more;
        is_more
    }
}

/// The functions of an object by name. All parts of a function count as one.
#[derive(Default)]
struct Functions(BTreeMap<String, usize>);

impl Functions {
    fn number(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    /// The starts of functions in a section, in ascending order, with their numbers.
    fn starts(&mut self, linked: &Linked, id: Id) -> Vec<(u64, usize)> {
        let symbols = linked.objects[id.object].symbols.iter();
        let own = symbols.filter_map(|symbol| match symbol.at {
            At::Section(section, offset) if section == id.section && symbol.is_function => {
                Some((offset, symbol.name.as_str()))
            }
            _ => None,
        });
        let mut own: Vec<_> = own.collect();
        own.sort_unstable();
        let whole = |name: &str| name.split_once(".cold").map_or(name, |(name, _)| name).to_owned();
        own.into_iter().map(|(offset, name)| (offset, self.number(&whole(name)))).collect()
    }
}

fn transfer(id: Id, source: &Source, node_of: impl Fn(Target) -> Option<usize>) -> Transfer {
    let to = branch_target(id, source).and_then(node_of);
    match source.instruction.flow_control() {
        FlowControl::Next => Transfer::Next,
        FlowControl::UnconditionalBranch => to.map_or(Transfer::Leave, Transfer::Jump),
        FlowControl::ConditionalBranch => to.map_or(Transfer::BranchAway, Transfer::Branch),
        FlowControl::IndirectBranch if is_table(source) => Transfer::Table,
        FlowControl::IndirectBranch => Transfer::Indirect,
        FlowControl::Call if source.instruction.mnemonic() == Mnemonic::Syscall => {
            Transfer::SystemCall
        }
        FlowControl::Call => to.map_or(Transfer::Call, Transfer::CallOwn),
        FlowControl::IndirectCall => Transfer::Call,
        FlowControl::Return => Transfer::Return,
        // HLT has `FlowControl::Next`. INT3 and UD2 end here.
        FlowControl::Interrupt | FlowControl::Exception | FlowControl::XbeginXabortXend => {
            Transfer::Stop
        }
    }
}

/// `jmp *table(,%reg,8)`.
fn is_table(source: &Source) -> bool {
    let instruction = &source.instruction;
    matches!(source.displacement, Some(Meaning::Address(_)))
        && instruction.op0_kind() == OpKind::Memory
        && instruction.memory_base() == Register::None
        && instruction.memory_index_scale() == 8
}
