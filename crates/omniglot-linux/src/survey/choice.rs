//! What `Isolation::Auto` chooses.

use omniglot_core::IsolationKind;

use super::Machine;

/// Whether this crate has a runtime for protection keys that `Isolation::Auto` may choose. This is
/// the one place where it is switched on.
const PROTECTION_KEY_RUNTIME: bool = true;

/// A runtime, and why it was chosen.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The runtime; none if there is none for this machine.
    pub isolation: Option<IsolationKind>,
    /// Why, in a sentence.
    pub reason: String,
}

impl Machine {
    /// What `Isolation::Auto` stands for on this machine: protection keys where there is everything
    /// that they need, else a process.
    #[must_use]
    pub fn choice(&self) -> Choice {
        self.choice_if(PROTECTION_KEY_RUNTIME)
    }

    fn choice_if(&self, keys_exist: bool) -> Choice {
        let chosen = |isolation, reason| Choice { isolation, reason };
        let lacking = self.names_of_missing(IsolationKind::Process);
        if !lacking.is_empty() {
            return chosen(None, format!("no runtime works without: {}", lacking.join("; ")));
        }
        let process = Some(IsolationKind::Process);
        let lacking = self.names_of_missing(IsolationKind::ProtectionKeys);
        if !lacking.is_empty() {
            let reason = format!("protection keys cannot be used without: {}", lacking.join("; "));
            return chosen(process, reason);
        }
        if !keys_exist {
            let reason = "the machine has all that protection keys need, but this version of \
                          Omniglot does not use them yet";
            return chosen(process, reason.to_owned());
        }
        let reason = "the machine has all that protection keys need".to_owned();
        chosen(Some(IsolationKind::ProtectionKeys), reason)
    }

    fn names_of_missing(&self, runtime: IsolationKind) -> Vec<&'static str> {
        self.missing(runtime).iter().map(|requirement| requirement.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::requirement::tests::full;
    use super::*;

    #[test]
    fn keys_are_chosen_where_they_exist_and_nothing_is_missing() {
        let keys = full().choice_if(true);
        assert_eq!(keys.isolation, Some(IsolationKind::ProtectionKeys));
        let later = full().choice_if(false);
        assert_eq!(later.isolation, Some(IsolationKind::Process));
        assert!(later.reason.contains("does not use them yet"));
    }

    #[test]
    fn a_process_is_chosen_where_keys_lack_something_and_the_reason_names_it() {
        let mut machine = full();
        machine.processor.pku = false;
        machine.kernel.version = (6, 1);
        let choice = machine.choice_if(true);
        assert_eq!(choice.isolation, Some(IsolationKind::Process));
        for part in ["PKU", "Linux 6.12"] {
            assert!(choice.reason.contains(part), "{}", choice.reason);
        }
    }

    #[test]
    fn nothing_is_chosen_where_processes_lack_something() {
        let mut machine = full();
        machine.mechanisms.seccomp = false;
        let choice = machine.choice_if(true);
        assert_eq!(choice.isolation, None);
        assert!(choice.reason.contains("seccomp filters"), "{}", choice.reason);
    }
}
