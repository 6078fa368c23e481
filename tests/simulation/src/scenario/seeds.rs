//! Which seeds each scenario is run with: those for tuning and those for the verdict are kept apart in files.

/// Which seeds each scenario is run with.
#[derive(Debug)]
pub struct Seeds(Vec<(String, std::ops::Range<u64>)>);

impl Seeds {
    /// Reads lines of a scenario's name, its first seed, and how many; `#` begins a comment.
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            let name = words.next()?.to_owned();
            let first: u64 = words.next()?.parse().ok()?;
            let count: u64 = words.next()?.parse().ok()?;
            Some((name, first..first + count))
        };
        lines.map(line).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The seeds of one scenario.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u64> + 'a {
        self.0.iter().filter(move |(of, _)| of == name).flat_map(|(_, seeds)| seeds.clone())
    }
}
