//! What is generated from: a checked model.

use crate::error::Problem;
use crate::layout::Layouts;
use crate::model::Model;
use crate::options::Options;
use crate::scalar::Target;
use crate::shims;

/// A checked model, with what generation of Rust and C needs to know.
#[derive(Debug)]
pub(crate) struct Bindings {
    pub(crate) options: Options,
    pub(crate) target: Target,
    pub(crate) model: Model,
    pub(crate) problems: Vec<Problem>,
}

impl Bindings {
    pub(crate) fn layouts(&self) -> Layouts<'_> {
        Layouts { types: &self.model.types, target: &self.target }
    }

    /// The name of the image's file; `None` where none is made.
    pub(crate) fn image(&self) -> Option<String> {
        let is_flat = self.target.is_bare() && self.options.region().is_some();
        let ending = if is_flat { "image" } else { "so" };
        (is_flat || self.target.is_compiled()).then(|| format!("{}.{ending}", self.options.name))
    }

    /// How many callback slots the image has.
    pub(crate) fn slot_count(&self) -> u32 {
        let signatures = shims::bound_signatures(&self.model).count();
        u32::try_from(signatures).unwrap_or(0).saturating_mul(self.addresses())
    }

    /// How many slots each signature has: as many again as closures can exist, so that the
    /// address of one that is gone is not the next one's.
    pub(crate) fn addresses(&self) -> u32 {
        self.options.callback_slots.saturating_mul(2)
    }
}
