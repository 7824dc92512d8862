//! How many names of one kind are bound, and why the others are not.

use std::collections::BTreeMap;

/// The names of one kind, such as a header's functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The number of names.
    pub total: usize,
    /// The number of bound names.
    pub bound: usize,
    /// The names that are not bound, by reason.
    pub left_out: BTreeMap<String, Vec<String>>,
}

impl Coverage {
    /// Sorts names. `why_not` returns the reason for a name that is not bound.
    pub fn of<'a>(
        names: impl IntoIterator<Item = &'a String>,
        why_not: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let mut coverage = Self::default();
        for name in names {
            coverage.total += 1;
            match why_not(name) {
                None => coverage.bound += 1,
                Some(reason) => coverage.left_out.entry(reason).or_default().push(name.clone()),
            }
        }
        coverage
    }

    /// Returns how many names are left out for an accepted reason.
    #[must_use]
    pub fn excused(&self, is_accepted: impl Fn(&str) -> bool) -> usize {
        let accepted = self.left_out.iter().filter(|(reason, _)| is_accepted(reason));
        accepted.map(|(_, names)| names.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Coverage;

    #[test]
    fn names_are_sorted_by_reason() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let coverage = Coverage::of(&names, |name| (name != "b").then(|| format!("no {name}")));
        assert_eq!((coverage.total, coverage.bound), (3, 1));
        assert_eq!(coverage.left_out["no c"], ["c"]);
        assert_eq!(coverage.excused(|reason| reason == "no a"), 1);
    }
}
