//! Formats figures for people.

use omniglot_turns::Unit;

/// Formats a number with three significant digits and its unit.
pub(crate) fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ns => scaled(value, 1000.0, &["ns", "µs", "ms", "s"]),
        Unit::Bytes => scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB"]),
        Unit::Instructions => format!("{value:.0} instr."),
    }
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or("");
    for larger in units {
        if value.abs() < step {
            break;
        }
        value /= step;
        unit = larger;
    }
    format!("{} {unit}", digits(value))
}

/// Formats a number with three significant digits.
fn digits(value: f64) -> String {
    let places = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}

/// Formats a ratio: as a factor, or as an overhead in percent if it is near one.
pub(crate) fn factor(ratio: f64) -> String {
    if (0.5..1.5).contains(&ratio) {
        format!("{:+.2} %", (ratio - 1.0) * 100.0)
    } else {
        format!("{} ×", digits(ratio))
    }
}

#[cfg(test)]
mod tests {
    use omniglot_turns::Unit;

    use super::{amount, factor};

    #[test]
    fn amounts_have_three_digits() {
        let shown = [13.74, 104.5, 10_722.0, 4.15e6].map(|value| amount(value, Unit::Ns));
        assert_eq!(shown, ["13.7 ns", "104 ns", "10.7 µs", "4.15 ms"]);
        assert_eq!(amount(2.0 * 1024.0 * 1024.0, Unit::Bytes), "2.00 MiB");
    }

    #[test]
    fn ratios_near_one_are_overheads() {
        assert_eq!([factor(1.0129), factor(0.99), factor(26.0)], ["+1.29 %", "-1.00 %", "26.0 ×"]);
    }
}
