//! Figures as people read them: few digits, thousands apart, the unit never glued to the number.
//!
//! Columns of a table have one unit, which stands in their head, so that digits can be compared down the column; axes name the unit at
//! each tick, because they span decades. What is not a number is a dash.

/// Of what could not be measured.
pub const ABSENT: &str = "–";

/// Does not break: a number stays with its unit.
const SPACE: char = '\u{a0}';

/// Three digits that count, all digits of what is larger, thousands apart: `0.123`, `4.57`, `67.2`, `1,234`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    if value.abs() >= HUGE {
        return format!("{value:.2e}");
    }
    // Chosen after rounding, so that 9.996 is 10.0 and not 10.00.
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 || size == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.trim_matches(['-', '0', '.']).is_empty() {
        return "0".to_owned();
    }
    grouped(&text)
}

/// What is larger was not measured by anything; its digits would only break a table.
const HUGE: f64 = 1e15;

pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// With its sign, as a difference has: `+67.2`, `−3.10`, `0`.
pub fn signed(value: f64) -> String {
    let text = number(value);
    match text.strip_prefix('-') {
        Some(size) => format!("\u{2212}{size}"),
        None if value > 0.0 && text != "0" => format!("+{text}"),
        None => text,
    }
}

/// Microseconds in the unit that suits: `67.2 µs`, `1.23 ms`, `4.50 s`.
pub fn time(us: f64) -> String {
    in_units(us, &[(1e6, "s"), (1e3, "ms"), (1.0, "µs")], number)
}

/// Like [`time`], for ticks: without needless decimals.
pub fn time_tick(us: f64) -> String {
    in_units(us, &[(1e6, "s"), (1e3, "ms"), (1.0, "µs")], bare)
}

/// `500`, `2k`, `1.5M`.
pub fn count_tick(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{}M", bare(value / 1e6)),
        size if size >= 1e3 => format!("{}k", bare(value / 1e3)),
        _ => bare(value),
    }
}

pub fn mebibytes(bytes: f64) -> f64 {
    bytes / (1024.0 * 1024.0)
}

/// `12.3 MiB`.
pub fn memory(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    in_units(bytes, &[(KIB * KIB * KIB, "GiB"), (KIB * KIB, "MiB"), (KIB, "KiB"), (1.0, "B")], number)
}

/// `45 s`, `12 min 5 s`, `1 h 20 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return ABSENT.to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{}{SPACE}s", bare((seconds * 10.0).round() / 10.0)),
        60..3_600 => format!("{}{SPACE}min {}{SPACE}s", whole / 60, whole % 60),
        _ => format!("{}{SPACE}h {}{SPACE}min", whole / 3_600, whole % 3_600 / 60),
    }
}

fn in_units(value: f64, units: &[(f64, &str)], digits: impl Fn(f64) -> String) -> String {
    if !value.is_finite() {
        return ABSENT.to_owned();
    }
    // A value that rounds up to the next unit is shown in it.
    let unit = units.iter().find(|(size, _)| value.abs() >= size * 0.9995).or(units.last());
    match unit {
        Some((size, name)) => format!("{}{SPACE}{name}", digits(value / size)),
        None => digits(value),
    }
}

/// As few decimals as tell it apart at three digits.
pub fn bare(value: f64) -> String {
    let text = number(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn grouped(text: &str) -> String {
    let (sign, size) = text.strip_prefix('-').map_or(("", text), |size| ("-", size));
    let (whole, rest) = size.find('.').map_or((size, ""), |dot| size.split_at(dot));
    let mut grouped = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_their_thousands_apart() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.0004, "0"),
            (0.1234, "0.123"),
            (4.567, "4.57"),
            (9.996, "10.0"),
            (99.97, "100"),
            (1_234.4, "1,234"),
            (-1_234_567.0, "-1,234,567"),
            (-1e300, "-1.00e300"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected, "{value}");
        }
    }

    #[test]
    fn times_choose_their_unit_after_rounding() {
        let cases = [
            (0.0, "0\u{a0}µs"),
            (67.23, "67.2\u{a0}µs"),
            (999.4, "999\u{a0}µs"),
            (999.7, "1.00\u{a0}ms"),
            (12_345.0, "12.3\u{a0}ms"),
            (4_500_000.0, "4.50\u{a0}s"),
        ];
        for (us, expected) in cases {
            assert_eq!(time(us), expected, "{us}");
        }
        assert_eq!(time_tick(2_000.0), "2\u{a0}ms");
        assert_eq!(time_tick(0.5), "0.5\u{a0}µs");
    }

    #[test]
    fn other_units() {
        assert_eq!(signed(3.0), "+3.00");
        assert_eq!(signed(-3.0), "\u{2212}3.00");
        assert_eq!(signed(0.00001), "0");
        assert_eq!(count_tick(16_384.0), "16.4k");
        assert_eq!(count_tick(500.0), "500");
        assert_eq!(memory(1_572_864.0), "1.50\u{a0}MiB");
        assert_eq!(duration(9.96), "10\u{a0}s");
        assert_eq!(duration(725.0), "12\u{a0}min 5\u{a0}s");
        assert_eq!(duration(4_800.0), "1\u{a0}h 20\u{a0}min");
        assert_eq!(duration(f64::NAN), "–");
    }
}
