//! Spans of time as Kubernetes' users write them: `60s`, `1h30m`.

use std::time::Duration;

/// The longest that is taken: a year. Longer ones are a slip of the pen.
pub(super) const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads numbers with the units `h`, `m`, `s` and `ms`, the larger first, each at most once; or `0`.
pub(super) fn parse(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut units, mut millis) = (text, &UNITS[..], 0u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let unit = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(unit);
        let index = units.iter().position(|(name, _)| *name == unit)?;
        millis = number.parse::<u64>().ok()?.checked_mul(units[index].1)?.checked_add(millis)?;
        (rest, units) = (tail, &units[index + 1..]);
    }
    Some(Duration::from_millis(millis)).filter(|span| !text.is_empty() && *span <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time_are_read_as_kubernetes_users_write_them() {
        for (text, seconds) in [
            ("0", 0.0),
            ("0s", 0.0),
            ("60s", 60.0),
            ("90m", 5400.0),
            ("24h", 86400.0),
            ("1h30m5s", 5405.0),
            ("1s500ms", 1.5),
            ("8784h", 31_622_400.0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in
            ["", "60", "s", "-1s", "1.5h", "1 h", "1d", "5s1h", "1s1s", "8785h", "99999999999999999999h", "1hour"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
