//! Where control goes in an object, and which registers and flags are still needed where.
//!
//! All code of an object is one graph: gcc moves rarely executed parts of a function to another
//! section, with whatever is in registers on the way.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{FlowControl, Mnemonic, OpKind, Register};

use crate::code::{Code, Meaning, Source};
use crate::effects::{ARGUMENTS, CALLEE_SAVED, CALLER_SAVED, Effects, RESULTS, Set, Teller};
use crate::labels::{Labels, branch_target};
use crate::linked::{Id, Linked, Target};
use crate::objects::At;

/// How control leaves an instruction; nodes are instructions, numbered through an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Next,
    /// Also to the next one.
    Branch(usize),
    Jump(usize),
    /// To code of another object, whose registers are those of a call's beginning.
    Leave,
    /// A conditional one of these.
    BranchAway,
    /// To whatever a register or memory says: places in the same function, or another function.
    Indirect,
    /// To an entry of a table: places in the same function.
    Table,
    /// Of a function of this object, of which the compiler may know which registers it changes.
    CallOwn(usize),
    Call,
    SystemCall,
    Return,
    Stop,
}

/// What is needed behind each instruction of an object.
pub(crate) struct Liveness {
    /// By section: one for each instruction.
    sections: BTreeMap<Id, Vec<Set>>,
    /// Calls behind which r11 is to be fetched from where the function put it.
    fetching: BTreeSet<(Id, usize)>,
    /// Places that indirect jumps lead to, where flags from before these are needed.
    restoring: BTreeSet<(Id, usize)>,
    /// The same of r11, and the jumps that keep it.
    restoring_r11: BTreeSet<(Id, usize)>,
    keeping_r11: BTreeSet<(Id, usize)>,
}

/// Registers that a return may use, the best first: of those that functions may change, all but
/// the results'.
pub(crate) const FOR_RETURNS: [u8; 7] = [R11, 1, 6, 7, 8, 9, 10];
/// Registers that a jump may load its target into, the best first.
pub(crate) const FOR_JUMPS: [u8; 15] = [R11, 10, 9, 8, 1, 6, 7, 2, 0, 3, 5, 12, 13, 14, 15];
/// The register that carries most addresses: the psABI has no other use for it.
pub(crate) const R11: u8 = 11;

impl Liveness {
    /// What is needed behind each instruction of a section.
    pub(crate) fn behind(&self, id: Id) -> &[Set] {
        self.sections.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Whether a call is of a function whose callers need all registers that a return could use,
    /// r11 among them. Such a function leaves r11 below the stack.
    pub(crate) fn fetches(&self, id: Id, instruction: usize) -> bool {
        self.fetching.contains(&(id, instruction))
    }

    /// Whether an instruction is where an indirect jump may lead that keeps flags, which are
    /// needed there.
    pub(crate) fn restores(&self, id: Id, instruction: usize) -> bool {
        self.restoring.contains(&(id, instruction))
    }

    /// Whether an instruction is where an indirect jump may lead that keeps r11 in memory, since
    /// it needs a register and none is free.
    pub(crate) fn restores_r11(&self, id: Id, instruction: usize) -> bool {
        self.restoring_r11.contains(&(id, instruction))
    }

    /// Whether an indirect jump is to keep r11 in memory.
    pub(crate) fn keeps_r11(&self, id: Id, instruction: usize) -> bool {
        self.keeping_r11.contains(&(id, instruction))
    }
}

/// An instruction, as the analysis needs it.
struct Node {
    way: Way,
    effects: Effects,
    /// Whether it is a jump to where memory says.
    loads_target: bool,
    /// Of its function, by number.
    function: usize,
}

struct Graph {
    nodes: Vec<Node>,
    /// By function: the places in it that are reached by their address, its beginning aside.
    inner: Vec<Vec<usize>>,
    /// By function: the registers that its callers expect back although the psABI says nothing of
    /// the kind. gcc relies on what it knows of a function that it compiled itself (-fipa-ra).
    expected: Vec<Set>,
    behind: Vec<Set>,
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
        liveness.sections.insert(code.id, graph.behind[nodes].to_vec());
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
        let mut teller = Teller::new();
        let mut graph =
            Self { nodes: Vec::new(), inner: Vec::new(), expected: Vec::new(), behind: Vec::new() };
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
                let way = way(code.id, source, node_of);
                let effects = teller.effects(&source.instruction);
                if taken.is_some_and(|taken| taken.contains(&ip)) && !is_start {
                    graph.inner.resize(graph.inner.len().max(function + 1), Vec::new());
                    graph.inner[function].push(graph.nodes.len());
                }
                let loads_target = source.instruction.flow_control() == FlowControl::IndirectBranch
                    && source.instruction.op0_kind() == OpKind::Memory;
                graph.nodes.push(Node { way, effects, loads_target, function });
            }
        }
        graph.inner.resize(functions.0.len(), Vec::new());
        graph.expected.resize(functions.0.len(), Set::NONE);
        graph.behind.resize(graph.nodes.len(), Set::NONE);
        graph
    }

    /// Goes backwards through all, until nothing more is found to be needed.
    fn solve(&mut self) {
        loop {
            let mut is_more = false;
            let indirect: Vec<Set> =
                self.inner.iter().map(|places| self.before_all(places)).collect();
            for node in (0..self.nodes.len()).rev() {
                let behind = self.behind_node(node, &indirect);
                is_more |= self.behind[node] != behind;
                self.behind[node] = behind;
                is_more |= self.expect(node);
            }
            if !is_more {
                return;
            }
        }
    }

    fn before_all(&self, nodes: &[usize]) -> Set {
        nodes.iter().fold(Set::NONE, |set, node| set.and(self.before(*node)))
    }

    /// What is needed before a node. Behind the last one nothing comes.
    fn before(&self, node: usize) -> Set {
        const SYSTEM_CALL: Set = Set::of(&[0, 2, 6, 7, 8, 9, 10]);
        let Some(Node { way, effects, .. }) = self.nodes.get(node) else { return Set::NONE };
        let behind = self.behind[node];
        let kept = match way {
            Way::Call => behind.without(CALLER_SAVED).without(Set::FLAGS).and(ARGUMENTS),
            Way::CallOwn(_) => behind.without(RESULTS).without(Set::FLAGS).and(ARGUMENTS),
            Way::SystemCall => behind.without(Set::of(&[1, 11])).and(SYSTEM_CALL),
            _ => behind.without(effects.kills),
        };
        kept.and(effects.reads)
    }

    fn behind_node(&self, node: usize, indirect: &[Set]) -> Set {
        const AWAY: Set = ARGUMENTS.and(CALLEE_SAVED);
        let Node { way, function, .. } = self.nodes[node];
        let expected = self.expected[function];
        match way {
            Way::Next | Way::Call | Way::CallOwn(_) | Way::SystemCall => self.before(node + 1),
            Way::Branch(to) => self.before(node + 1).and(self.before(to)),
            Way::Jump(to) => self.before(to),
            Way::Leave => AWAY,
            Way::BranchAway => self.before(node + 1).and(AWAY),
            Way::Indirect => indirect[function].and(AWAY).and(expected),
            Way::Table => indirect[function],
            Way::Return => RESULTS.and(CALLEE_SAVED).and(expected),
            Way::Stop => Set::NONE,
        }
    }

    /// Places in functions with indirect jumps, reached by their address, that need flags.
    fn restoring(&self) -> BTreeSet<usize> {
        let jumps = self.nodes.iter().filter(|node| matches!(node.way, Way::Indirect | Way::Table));
        let functions: BTreeSet<usize> = jumps.map(|node| node.function).collect();
        let inner = functions.iter().flat_map(|function| &self.inner[*function]);
        inner.copied().filter(|node| self.before(*node).has_flags()).collect()
    }

    /// In functions where a jump needs a register to load its target into, and none is free: all
    /// indirect jumps, and the places they may lead to that need r11.
    fn keeping_r11(&self) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let nodes = || self.nodes.iter().enumerate();
        let is_full =
            |node: usize| FOR_JUMPS.iter().all(|register| self.behind[node].has(*register));
        let full = nodes().filter(|(number, node)| node.loads_target && is_full(*number));
        let functions: BTreeSet<usize> = full.map(|(_, node)| node.function).collect();
        let jumps = nodes().filter(|(_, node)| {
            matches!(node.way, Way::Indirect | Way::Table) && functions.contains(&node.function)
        });
        let inner = functions.iter().flat_map(|function| &self.inner[*function]);
        let restoring = inner.copied().filter(|node| self.before(*node).has(R11)).collect();
        (jumps.map(|(number, _)| number).collect(), restoring)
    }

    fn fetches(&self, node: usize) -> bool {
        let Way::CallOwn(to) = self.nodes[node].way else { return false };
        let expected = self.expected[self.nodes[to].function];
        FOR_RETURNS.iter().all(|register| expected.has(*register)) && self.behind[node].has(R11)
    }

    /// Notes what a call or a jump expects back of another function.
    fn expect(&mut self, node: usize) -> bool {
        let Node { way, function, .. } = self.nodes[node];
        let (to, set) = match way {
            Way::CallOwn(to) => {
                let scratch = CALLER_SAVED.without(RESULTS);
                (to, self.behind[node].common(scratch))
            }
            Way::Jump(to) | Way::Branch(to) => (to, self.expected[function]),
            _ => return false,
        };
        let expected = &mut self.expected[self.nodes[to].function];
        let more = expected.and(set);
        let is_more = *expected != more;
        *expected = more;
        is_more
    }
}

/// Functions of an object by name: the parts of one are one.
#[derive(Default)]
struct Functions(BTreeMap<String, usize>);

impl Functions {
    fn number(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    /// Where functions begin in a section, in order, and their numbers.
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

fn way(id: Id, source: &Source, node_of: impl Fn(Target) -> Option<usize>) -> Way {
    let to = branch_target(id, source).and_then(node_of);
    match source.instruction.flow_control() {
        FlowControl::Next => Way::Next,
        FlowControl::UnconditionalBranch => to.map_or(Way::Leave, Way::Jump),
        FlowControl::ConditionalBranch => to.map_or(Way::BranchAway, Way::Branch),
        FlowControl::IndirectBranch if is_table(source) => Way::Table,
        FlowControl::IndirectBranch => Way::Indirect,
        FlowControl::Call if source.instruction.mnemonic() == Mnemonic::Syscall => Way::SystemCall,
        FlowControl::Call => to.map_or(Way::Call, Way::CallOwn),
        FlowControl::IndirectCall => Way::Call,
        FlowControl::Return => Way::Return,
        // HLT is Next; INT3 and UD2 end.
        FlowControl::Interrupt | FlowControl::Exception | FlowControl::XbeginXabortXend => {
            Way::Stop
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
