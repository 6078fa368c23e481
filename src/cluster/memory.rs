//! The ConfigMap `landfall-memory`: which addresses rest after their release, and whose they were.
//!
//! One line each, `198.51.100.7 1795521600 shop/web`: the address, the second since 1970 of its release, the Service. A line
//! that is not understood is left out: it costs one Service the way back to its address, and nothing else.

use landfall_core::alloc::{Rest, ServiceKey};
use std::{fmt::Write, time::Duration};

/// A ConfigMap holds at most 1 MiB, names and quotes included.
const BYTES: usize = 900_000;

/// The text for these, the latest first; of too many the oldest are left out.
pub fn encode(rests: impl IntoIterator<Item = Rest>) -> String {
    let mut text = String::new();
    for Rest { address, key, since } in rests {
        let before = text.len();
        // Rounded up: nothing rests for less than it should.
        let seconds = since.as_secs() + u64::from(since.subsec_nanos() > 0);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{address} {seconds} {key}");
        if text.len() > BYTES {
            text.truncate(before);
            break;
        }
    }
    text
}

/// What a text says.
pub fn decode(text: &str) -> Vec<Rest> {
    text.lines().filter_map(decode_line).collect()
}

fn decode_line(line: &str) -> Option<Rest> {
    let mut words = line.split_whitespace();
    let address = words.next()?.parse().ok()?;
    let since = Duration::from_secs(words.next()?.parse().ok()?);
    let (namespace, name) = words.next()?.split_once('/')?;
    Some(Rest { address, key: ServiceKey::new(namespace, name), since })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(address: &str, millis: u64, name: &str) -> Rest {
        let key = ServiceKey::new("shop", name);
        Rest { address: address.parse().unwrap(), key, since: Duration::from_millis(millis) }
    }

    #[test]
    fn what_is_written_is_read_to_the_second() {
        let rests = [rest("198.51.100.7", 5000, "web"), rest("2001:db8::7", 4001, "api")];
        let text = encode(rests);
        assert_eq!(text, "198.51.100.7 5 shop/web\n2001:db8::7 5 shop/api\n");
        assert_eq!(decode(&text), [rest("198.51.100.7", 5000, "web"), rest("2001:db8::7", 5000, "api")]);
    }

    #[test]
    fn a_line_that_is_not_understood_is_left_out() {
        let text = "198.51.100.7 5 shop/web\n\nnonsense\n198.51.100.8 x shop/web\n198.51.100.9 5 web\n2001:db8::7 6 shop/api\n";
        assert_eq!(decode(text), [rest("198.51.100.7", 5000, "web"), rest("2001:db8::7", 6000, "api")]);
    }

    #[test]
    fn of_too_many_the_oldest_are_left_out() {
        let long = "x".repeat(63);
        let text = encode((0..20_000).map(|_| rest("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 5000, &long)));
        assert!(text.len() <= BYTES && text.len() > BYTES - 200 && text.ends_with('\n'), "{}", text.len());
    }
}
