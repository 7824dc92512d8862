//! The table of callback slots: which closure a slot calls, and whether it is running.
//!
//! A slot's closure is moved out while it runs, so that it cannot be entered twice and can be
//! removed meanwhile. Slots carry a generation, so that a late removal never affects a newer
//! closure.
//!
//! The C address of a slot has no generation, so a slot that was freed goes to the back of the
//! queue. Foreign code that kept the address then calls nothing, instead of a closure that it was
//! never given. There are more slots than closures can exist, so the queue is never empty.
//!
//! With an allocator the table has a place for every slot of the image. Without one it has
//! [`FIXED_PLACES`] places, each for whichever slot is in use. Closures are borrowed there, one for
//! each [`with_callback`](crate::with_callback) in progress. So there are no more of them than
//! calls nest, however many slots an image has.
#![allow(unsafe_code)]

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, vec::Vec};
use core::ptr::NonNull;

use crate::domain::KeptResult;
use crate::error::{Error, Result};
use crate::runtime::Reply;

/// The type of every closure in the table: it gets the address of the callback's frame and answers
/// the callback.
pub(crate) type Erased<'a, A> = dyn FnMut(&mut A, usize) -> KeptResult<Reply> + 'a;

/// How many callbacks can exist at a time in a host without an allocator: a place takes 28 bytes of
/// an instance on a 32-bit machine.
#[cfg(not(feature = "alloc"))]
const FIXED_PLACES: usize = 32;
/// How many freed slots a host without an allocator remembers.
#[cfg(not(feature = "alloc"))]
const RECENT: usize = 16;

/// The slots of one signature.
#[derive(Clone, Copy)]
pub(crate) struct Among {
    pub(crate) first: u32,
    pub(crate) count: u32,
    /// How many of them can be in use.
    pub(crate) limit: u32,
}

/// A closure in a slot.
pub(crate) enum Closure<A: ?Sized + 'static> {
    /// Borrowed from an outer stack frame (invariant 6).
    Borrowed(NonNull<Erased<'static, A>>),
    /// Owned by the table.
    #[cfg(feature = "alloc")]
    Owned(Box<Erased<'static, A>>),
}

impl<A: ?Sized + 'static> Closure<A> {
    /// Borrows a closure for the table.
    ///
    /// # Safety
    /// The caller removes it from the table before `closure`'s borrow ends,
    /// however it is left (invariant 6).
    pub(crate) unsafe fn borrowed<'a>(closure: &'a mut Erased<'a, A>) -> Self {
        let pointer = NonNull::from(closure);
        // SAFETY: only the lifetime changes, in the pointee's vtable bound; the pointer
        // is used only while the borrow lasts, as the caller promises (invariant 6).
        let pointer = unsafe {
            core::mem::transmute::<NonNull<Erased<'a, A>>, NonNull<Erased<'static, A>>>(pointer)
        };
        Self::Borrowed(pointer)
    }

    /// Owns a closure that may borrow for `'a`.
    ///
    /// # Safety
    /// The caller removes it from the table before `'a` ends, however it is left
    /// (invariant 6).
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn owned<'a>(closure: Box<Erased<'a, A>>) -> Self {
        // SAFETY: only the lifetime bound changes; the closure is dropped before it ends,
        // as the caller promises (invariant 6).
        let closure =
            unsafe { core::mem::transmute::<Box<Erased<'a, A>>, Box<Erased<'static, A>>>(closure) };
        Self::Owned(closure)
    }

    /// Runs the closure.
    pub(crate) fn run(&mut self, api: &mut A, frame: usize) -> KeptResult<Reply> {
        match self {
            Self::Borrowed(pointer) => {
                // SAFETY: the closure is in the table, so its borrow lasts (invariant 6), and
                // this is its only user: it was moved out of its slot to run.
                let closure = unsafe { pointer.as_mut() };
                closure(api, frame)
            }
            #[cfg(feature = "alloc")]
            Self::Owned(closure) => closure(api, frame),
        }
    }
}

enum Occupant<A: ?Sized + 'static> {
    Nobody,
    Waiting(Closure<A>),
    Running,
}

struct Slot<A: ?Sized + 'static> {
    generation: u64,
    /// How many slots had been freed before this one.
    #[cfg(feature = "alloc")]
    freed: u64,
    occupant: Occupant<A>,
}

impl<A: ?Sized + 'static> Default for Slot<A> {
    fn default() -> Self {
        Self {
            generation: 0,
            #[cfg(feature = "alloc")]
            freed: 0,
            occupant: Occupant::Nobody,
        }
    }
}

impl<A: ?Sized + 'static> Slot<A> {
    /// Ends an occupancy; the caller drops the closure that was in the slot.
    fn vacate(&mut self) -> Option<Closure<A>> {
        self.generation += 1;
        match core::mem::replace(&mut self.occupant, Occupant::Nobody) {
            Occupant::Waiting(closure) => Some(closure),
            Occupant::Nobody | Occupant::Running => None,
        }
    }
}

/// A slot, by its place in the table, and the generation that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotId {
    place: usize,
    generation: u64,
}

/// All slots of an instance.
pub(crate) struct Slots<A: ?Sized + 'static> {
    #[cfg(feature = "alloc")]
    slots: Vec<Slot<A>>,
    /// How many slots have been freed.
    #[cfg(feature = "alloc")]
    freed: u64,
    #[cfg(not(feature = "alloc"))]
    slots: [Slot<A>; FIXED_PLACES],
    #[cfg(not(feature = "alloc"))]
    places: Places,
    /// How many closures there have been, so that no two have the same generation.
    #[cfg(not(feature = "alloc"))]
    occupied: u64,
}

/// Finds slots: each is at its own number.
#[cfg(feature = "alloc")]
impl<A: ?Sized + 'static> Slots<A> {
    pub(crate) fn new(count: u32) -> Self {
        Self { slots: (0..count).map(|_| Slot::default()).collect(), freed: 0 }
    }

    /// The slot that has been free for longest, unless the maximum number is in use.
    pub(crate) fn free(&self, among: Among) -> Option<u32> {
        let end = among.first.saturating_add(among.count) as usize;
        let slots = self.slots.get(among.first as usize..end.min(self.slots.len()))?;
        let numbered = (among.first..).zip(slots);
        let free = numbered.filter(|(_, slot)| matches!(slot.occupant, Occupant::Nobody));
        let used = slots.len() - free.clone().count();
        let longest = free.min_by_key(|(_, slot)| slot.freed).map(|(index, _)| index);
        longest.filter(|_| used < among.limit as usize)
    }

    /// Whether there is such a slot, and it is empty.
    pub(crate) fn is_free(&self, index: u32) -> bool {
        let slot = self.slots.get(index as usize);
        slot.is_some_and(|slot| matches!(slot.occupant, Occupant::Nobody))
    }

    /// The place of a slot, if there is such a slot.
    const fn place_of(&self, index: u32) -> Option<usize> {
        let _ = self;
        Some(index as usize)
    }

    /// A place for the content of a free slot.
    fn place_for(&mut self, index: u32) -> Option<usize> {
        self.place_of(index)
    }

    /// Moves a slot to the back of the queue; it keeps its place.
    fn give_up(&mut self, place: usize) {
        self.freed += 1;
        if let Some(slot) = self.slots.get_mut(place) {
            slot.freed = self.freed;
        }
    }
}

/// Finds slots: each is at any place that has its number.
#[cfg(not(feature = "alloc"))]
impl<A: ?Sized + 'static> Slots<A> {
    pub(crate) fn new(count: u32) -> Self {
        let slots = core::array::from_fn(|_| Slot::default());
        Self { slots, places: Places::new(count), occupied: 0 }
    }

    /// A slot that was not freed recently, or else the one that has been free for longest, unless
    /// the maximum number is in use.
    pub(crate) fn free(&self, among: Among) -> Option<u32> {
        self.places.free(among)
    }

    /// Whether there is such a slot, and it is empty.
    pub(crate) fn is_free(&self, index: u32) -> bool {
        index < self.places.count && self.places.of(index).is_none()
    }

    fn place_of(&self, index: u32) -> Option<usize> {
        self.places.of(index)
    }

    /// A free place. Its generation is new wherever it is, so handles of earlier occupants are
    /// stale.
    fn place_for(&mut self, index: u32) -> Option<usize> {
        let place = self.places.take(index)?;
        self.slots.get_mut(place)?.generation = self.occupied;
        self.occupied += 1;
        Some(place)
    }

    fn give_up(&mut self, place: usize) {
        self.places.give_up(place);
    }
}

/// Which slot each place is for. Not generic, so that it is compiled once, not for each library.
#[cfg(not(feature = "alloc"))]
struct Places {
    slots: [u32; FIXED_PLACES],
    /// The recently freed slots, a ring whose oldest entry is at `freed`.
    recent: [u32; RECENT],
    freed: usize,
    /// How many places have been used: the others are free, and are not searched.
    used: usize,
    /// How many slots the image has.
    count: u32,
}

#[cfg(not(feature = "alloc"))]
impl Places {
    /// No slot has this number.
    const FREE: u32 = u32::MAX;

    const fn new(count: u32) -> Self {
        Self {
            slots: [Self::FREE; FIXED_PLACES],
            recent: [Self::FREE; RECENT],
            freed: 0,
            used: 0,
            count,
        }
    }

    /// The place of a slot, whose number may be attacker-controlled.
    #[inline(always)]
    fn of(&self, slot: u32) -> Option<usize> {
        if slot < self.count { self.position(slot) } else { None }
    }

    /// The first place that is for a slot. (A plain loop: of `position` the compiler makes four
    /// times as much code, for a handful of places.)
    #[inline(never)]
    fn position(&self, slot: u32) -> Option<usize> {
        let mut place = 0;
        while place < self.used {
            if self.slots.get(place) == Some(&slot) {
                return Some(place);
            }
            place += 1;
        }
        None
    }

    #[inline(never)]
    fn free(&self, Among { first, count, limit }: Among) -> Option<u32> {
        let range = first..first.saturating_add(count).min(self.count);
        let used = self.slots.iter().take(self.used).filter(|slot| range.contains(slot)).count();
        let has_place = self.used < FIXED_PLACES || self.position(Self::FREE).is_some();
        if !has_place || used >= limit as usize {
            return None;
        }
        let (mut longest, mut least) = (None, usize::MAX);
        for slot in range {
            let rank = if self.position(slot).is_none() { self.rank(slot) } else { usize::MAX };
            if rank < least {
                (longest, least) = (Some(slot), rank);
            }
            if rank == 0 {
                break;
            }
        }
        longest
    }

    /// How recently a slot was freed: 0 if long ago, or never.
    fn rank(&self, slot: u32) -> usize {
        let mut rank = RECENT;
        while rank > 0 && self.recent.get((self.freed + rank - 1) % RECENT) != Some(&slot) {
            rank -= 1;
        }
        rank
    }

    /// Assigns a free place to a slot.
    #[inline(never)]
    fn take(&mut self, slot: u32) -> Option<usize> {
        let free = self.position(Self::FREE).unwrap_or(self.used);
        *self.slots.get_mut(free)? = slot;
        self.used = self.used.max(free + 1);
        Some(free)
    }

    /// Frees a place, and shrinks the used range if the last places are free, too.
    #[inline(never)]
    fn give_up(&mut self, place: usize) {
        if let Some(here) = self.slots.get_mut(place) {
            let slot = core::mem::replace(here, Self::FREE);
            if let Some(oldest) = self.recent.get_mut(self.freed % RECENT) {
                *oldest = slot;
            }
            self.freed = (self.freed + 1) % RECENT;
        }
        while let Some(last) = self.used.checked_sub(1)
            && self.slots.get(last) == Some(&Self::FREE)
        {
            self.used = last;
        }
    }
}

impl<A: ?Sized + 'static> Slots<A> {
    /// Puts a closure into a free slot.
    pub(crate) fn insert(&mut self, index: u32, closure: Closure<A>) -> Option<SlotId> {
        let place = self.place_for(index)?;
        let slot = self.slots.get_mut(place)?;
        slot.generation += 1;
        slot.occupant = Occupant::Waiting(closure);
        Some(SlotId { place, generation: slot.generation })
    }

    /// Empties a slot, unless it has a newer occupant. The caller drops the closure; one that is
    /// running is dropped when it returns.
    pub(crate) fn remove(&mut self, id: SlotId) -> Option<Closure<A>> {
        let slot = self.slots.get_mut(id.place)?;
        if slot.generation != id.generation {
            return None;
        }
        let closure = slot.vacate();
        self.give_up(id.place);
        closure
    }

    /// Empties all slots; the caller drops the closures. No slot gets an earlier generation again,
    /// so pending removals have no effect. Foreign code no longer has the addresses, so the queue
    /// is as it was at first.
    #[cfg(feature = "alloc")]
    pub(crate) fn clear(&mut self) -> Vec<Closure<A>> {
        self.slots.iter_mut().for_each(|slot| slot.freed = 0);
        self.slots.iter_mut().filter_map(Slot::vacate).collect()
    }

    /// Empties all slots. Without an allocator they only ever hold borrowed closures, of which
    /// nothing has to be dropped.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn clear(&mut self) -> core::marker::PhantomData<fn(&A)> {
        self.places = Places::new(self.places.count);
        core::marker::PhantomData
    }

    /// Moves a closure out of its slot, to run it.
    pub(crate) fn take(&mut self, index: u32) -> Result<(SlotId, Closure<A>)> {
        let absent = Error::NoSuchCallback { slot: index };
        let place = self.place_of(index).ok_or(absent)?;
        let slot = self.slots.get_mut(place).ok_or(absent)?;
        let id = SlotId { place, generation: slot.generation };
        match core::mem::replace(&mut slot.occupant, Occupant::Running) {
            Occupant::Waiting(closure) => Ok((id, closure)),
            Occupant::Running => Err(Error::CallbackBusy),
            Occupant::Nobody => {
                slot.occupant = Occupant::Nobody;
                Err(absent)
            }
        }
    }

    /// Puts a closure back after it ran; returns it to the caller to drop if it was removed
    /// meanwhile.
    pub(crate) fn put_back(&mut self, id: SlotId, closure: Closure<A>) -> Option<Closure<A>> {
        let Some(slot) = self.slots.get_mut(id.place) else {
            return Some(closure);
        };
        if slot.generation != id.generation {
            return Some(closure);
        }
        slot.occupant = Occupant::Waiting(closure);
        None
    }
}
