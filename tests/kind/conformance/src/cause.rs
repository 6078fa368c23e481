//! A case can fail for what is not Landfall's. Which does is known by proof, written down once, and holds only in the
//! environment that it was proven for; a failure elsewhere, or of another case, remains one.
//!
//! The file has a paragraph for each: the end of the case's name, the fact of the run it needs (`NAME=VALUE`), then the text.

use crate::report::Case;
use anyhow::{Context, Result, ensure};

/// Why a case fails.
#[derive(Debug, PartialEq)]
pub struct Cause {
    case: String,
    fact: (String, String),
    /// The proof, for the page.
    pub text: String,
}

/// Reads the file.
///
/// # Errors
/// Which paragraph lacks what.
pub fn parse(text: &str) -> Result<Vec<Cause>> {
    let body: String = text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let paragraphs = body.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    paragraphs
        .map(|paragraph| {
            let mut lines = paragraph.lines();
            let case = lines.next().unwrap_or_default().to_owned();
            let fact = lines.next().and_then(|line| line.split_once('='));
            let fact = fact.with_context(|| format!("`{case}` has no line NAME=VALUE"))?;
            let text = lines.collect::<Vec<_>>().join(" ");
            ensure!(!text.is_empty(), "`{case}` has no text");
            Ok(Cause { case, fact: (fact.0.to_owned(), fact.1.to_owned()), text })
        })
        .collect()
}

/// The known cause of a failed case, in a run of these facts.
pub fn of<'a>(case: &Case, facts: &[(String, String)], causes: &'a [Cause]) -> Option<&'a Cause> {
    case.failure.as_ref()?;
    causes.iter().find(|cause| case.name.ends_with(&cause.case) && facts.contains(&cause.fact))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\n\nshould work\nfamilies=two\nfirst line\nsecond line\n";

    fn case(name: &str, failure: Option<&str>) -> Case {
        Case { name: name.into(), seconds: 1.0, failure: failure.map(Into::into) }
    }

    #[test]
    fn excuses_that_case_in_that_environment_alone() {
        let causes = parse(FILE).expect("a file");
        let two = [("families".to_owned(), "two".to_owned())];
        let found = of(&case("it should work", Some("no")), &two, &causes);
        assert_eq!(found.map(|cause| cause.text.as_str()), Some("first line second line"));
        assert_eq!(of(&case("it should work", Some("no")), &[], &causes), None);
        assert_eq!(of(&case("it should work better", Some("no")), &two, &causes), None);
        assert_eq!(of(&case("it should work", None), &two, &causes), None);
    }

    #[test]
    fn a_paragraph_without_fact_or_text_is_refused() {
        assert!(parse("should work\nfirst line\n").is_err());
        assert!(parse("should work\nfamilies=two\n").is_err());
    }

    #[test]
    fn the_projects_own_file_is_one() {
        assert!(!parse(include_str!("../causes")).expect("a file").is_empty());
    }
}
