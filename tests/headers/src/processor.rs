//! The processor time of this process and of the compilers that it has started.

use std::fs;

/// Returns the time in seconds, or 0 if it is unknown.
pub(crate) fn seconds() -> f64 {
    // proc_pid_stat(5): fields 14 to 17, in hundredths of seconds, after the name in brackets.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u32 = fields.skip(11).take(4).filter_map(|field| field.parse::<u32>().ok()).sum();
    f64::from(ticks) / 100.0
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_does_not_go_back() {
        let before = super::seconds();
        assert!(super::seconds() >= before);
    }
}
