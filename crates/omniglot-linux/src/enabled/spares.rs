//! Warm spares: loaded workers that are ready to replace one that is no longer used.
//!
//! A reset takes a worker that has never served a call, since copying memory back would not remove
//! an attacker from the registers of a running one. All instances of one library with the same
//! options share their spares. A thread makes new ones and reaps dead ones; it runs only while
//! there is work. Spares that wait are stopped processes, so waiting costs nothing, whatever the
//! library is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use omniglot_core::Result;

use super::generation;
use super::load_spec::LoadSpec;
use super::start::{Started, start};

/// How many killed workers may wait to be reaped by the thread.
const MOST_DEAD: usize = 2;
/// How many spares there are from the first reset on, unless the user chose a number.
const DEFAULT: usize = 1;

/// The spares of one load spec; dropped with its last instance.
#[derive(Debug)]
pub(super) struct Spares {
    spec: Arc<LoadSpec>,
    /// A forked child must neither use nor end its parent's.
    generation: u64,
    wanted: usize,
    stock: Mutex<Stock>,
}

#[derive(Debug, Default)]
struct Stock {
    ready: Vec<Started>,
    /// Killed, not reaped yet.
    dead: Vec<Started>,
    /// Whether the thread is running.
    tended: bool,
}

/// The thread's next task.
enum Task {
    Bury(Vec<Started>),
    Start,
    Nothing,
}

static KINDS: Mutex<Vec<Weak<Spares>>> = Mutex::new(Vec::new());

impl Spares {
    /// The spares for such a load spec in this process.
    pub(super) fn of(spec: &Arc<LoadSpec>) -> Result<Arc<Self>> {
        let generation = generation::current()?;
        // Never locked for long: a forked child finds a lock as it was.
        let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.retain(|kind| kind.strong_count() > 0);
        let known: Vec<_> = kinds.iter().filter_map(Weak::upgrade).collect();
        if let Some(known) = known.iter().find(|known| known.fits(spec, generation)) {
            return Ok(Arc::clone(known));
        }
        let fresh = Arc::new(Self {
            spec: Arc::clone(spec),
            generation,
            wanted: spec.options.spares.unwrap_or(DEFAULT),
            stock: Mutex::default(),
        });
        kinds.push(Arc::downgrade(&fresh));
        Ok(fresh)
    }

    fn fits(&self, spec: &LoadSpec, generation: u64) -> bool {
        self.generation == generation && self.spec.is_like(spec)
    }

    fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are ready.
    pub(super) fn ready(&self) -> usize {
        self.stock().ready.len()
    }

    /// A worker that is loaded, if one is.
    pub(super) fn take(&self) -> Option<Started> {
        loop {
            let spare = self.stock().ready.pop()?;
            // A spare that was killed meanwhile, such as by the OOM killer, is skipped.
            if !spare.worker.has_ended() {
                spare.worker.go_on();
                return Some(spare);
            }
        }
    }

    /// Kills a worker at once, and has it reaped later.
    pub(super) fn bury(self: &Arc<Self>, old: Started) {
        old.worker.kill();
        let mut stock = self.stock();
        if stock.dead.len() < MOST_DEAD {
            stock.dead.push(old);
        } else {
            drop(stock);
            drop(old);
        }
    }

    /// Starts the maintenance thread if there is work.
    pub(super) fn tend(self: &Arc<Self>) {
        let mut stock = self.stock();
        if stock.tended || (stock.dead.is_empty() && stock.ready.len() >= self.wanted) {
            return;
        }
        stock.tended = true;
        drop(stock);
        let (spares, spec) = (Arc::downgrade(self), Arc::clone(&self.spec));
        let thread = thread::Builder::new().name("omniglot-spares".to_owned());
        if thread.spawn(move || run(&spares, &spec)).is_err() {
            // Without a thread resets are slower, and otherwise the same.
            self.rest();
        }
    }

    /// The thread is gone; dead workers are reaped here.
    fn rest(&self) {
        let mut stock = self.stock();
        stock.tended = false;
        let dead = std::mem::take(&mut stock.dead);
        drop(stock);
        drop(dead);
    }

    /// The thread's next task. If there is none, the thread must end.
    fn next(&self) -> Task {
        let mut stock = self.stock();
        if !stock.dead.is_empty() {
            return Task::Bury(std::mem::take(&mut stock.dead));
        }
        if stock.ready.len() < self.wanted {
            return Task::Start;
        }
        stock.tended = false;
        Task::Nothing
    }
}

/// The thread. It holds no spares for long, so that they can be dropped with their last user.
fn run(spares: &Weak<Spares>, spec: &LoadSpec) {
    while let Some(task) = spares.upgrade().map(|spares| spares.next()) {
        match task {
            Task::Bury(dead) => drop(dead),
            Task::Start => match start(spec) {
                Ok(fresh) => keep(spares, fresh),
                // The next reset starts a worker by itself and reports what is wrong.
                Err(_) => return spares.upgrade().map_or((), |spares| spares.rest()),
            },
            Task::Nothing => return,
        }
    }
}

/// Keeps a worker, unless no instance is left that could use it: then it ends here.
///
/// It is stopped until it is used. Otherwise a worker that reported in a constructor that it had
/// loaded, and then loops, would keep a processor busy for as long as it waits.
fn keep(spares: &Weak<Spares>, fresh: Started) {
    fresh.worker.pause();
    if let Some(spares) = spares.upgrade() {
        spares.stock().ready.push(fresh);
    }
}
