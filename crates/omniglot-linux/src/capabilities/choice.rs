//! What `Isolation::Auto` chooses.

use omniglot_core::IsolationKind;

use super::machine::Machine;

/// Why protection keys are only used if they are asked for by name.
const EXPERIMENTAL: &str = "protection keys are experimental, since they were tested on emulated \
                            processors only, and are used where Isolation::ProtectionKeys asks \
                            for them by name";

/// A runtime, and why it was chosen.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The runtime; none if there is none for this machine.
    pub isolation: Option<IsolationKind>,
    /// Why, in a sentence.
    pub reason: String,
    /// The runtime for a library that was built for [`Isolation::Sfi`](crate::Isolation::Sfi).
    pub sandboxed: Option<IsolationKind>,
}

impl Machine {
    /// What `Isolation::Auto` stands for on this machine: a process, also where there is
    /// everything that protection keys need; and verified code for a library that was built for it.
    ///
    /// ```
    /// let choice = omniglot_linux::Machine::this().choice();
    /// if choice.isolation.is_none() {
    ///     eprintln!("libraries cannot be isolated here: {}", choice.reason);
    /// }
    /// ```
    #[must_use]
    pub fn choice(&self) -> Choice {
        let sandboxed = self.missing(IsolationKind::Sfi).is_empty().then_some(IsolationKind::Sfi);
        let chosen = |isolation: Option<IsolationKind>, reason| Choice {
            isolation,
            reason,
            sandboxed: sandboxed.or(isolation),
        };
        let lacking = self.names_of_missing(IsolationKind::Process);
        if !lacking.is_empty() {
            return chosen(None, format!("no runtime works without: {}", lacking.join("; ")));
        }
        let lacking = self.names_of_missing(IsolationKind::ProtectionKeys);
        let reason = if lacking.is_empty() {
            format!("{EXPERIMENTAL}; this machine has all that they need")
        } else {
            format!("{EXPERIMENTAL}; this machine lacks for them: {}", lacking.join("; "))
        };
        chosen(Some(IsolationKind::Process), reason)
    }

    fn names_of_missing(&self, runtime: IsolationKind) -> Vec<&'static str> {
        self.missing(runtime).iter().map(|requirement| requirement.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::requirement::tests::full;

    #[test]
    fn a_process_is_chosen_also_where_nothing_is_missing_for_keys() {
        let choice = full().choice();
        assert_eq!(choice.isolation, Some(IsolationKind::Process));
        for part in ["experimental", "Isolation::ProtectionKeys", "has all that they need"] {
            assert!(choice.reason.contains(part), "{}", choice.reason);
        }
    }

    #[test]
    fn a_library_that_was_built_for_it_runs_as_verified_code_where_it_can() {
        let mut machine = full();
        let can = machine.missing(IsolationKind::Sfi).is_empty();
        assert_eq!(machine.choice().sandboxed == Some(IsolationKind::Sfi), can);
        machine.processor.fsgsbase = false;
        assert_eq!(machine.choice().sandboxed, Some(IsolationKind::Process));
    }

    #[test]
    fn the_reason_names_what_is_missing_for_keys() {
        let mut machine = full();
        machine.processor.pku = false;
        machine.kernel.version = (6, 1);
        let choice = machine.choice();
        assert_eq!(choice.isolation, Some(IsolationKind::Process));
        for part in ["PKU", "Linux 6.12"] {
            assert!(choice.reason.contains(part), "{}", choice.reason);
        }
    }

    #[test]
    fn nothing_is_chosen_where_processes_lack_something() {
        let mut machine = full();
        machine.mechanisms.seccomp = false;
        let choice = machine.choice();
        assert_eq!(choice.isolation, None);
        assert!(choice.reason.contains("seccomp filters"), "{}", choice.reason);
    }
}
