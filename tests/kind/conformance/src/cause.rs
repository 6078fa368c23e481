//! A case can fail for what is not Landfall's. Which does is known by proof, written down once, and holds only in the
//! environment that it was proven for and for the failure that was seen there; one elsewhere, of another case, or that says
//! something else, remains one.
//!
//! The file has a paragraph for each: the end of the case's name, the fact of the run it needs (`NAME=VALUE`), a part of what the
//! failure says (or several with ` | ` between them, where it depends on the moment at which time runs out), then the text.

use crate::report::Case;
use anyhow::{Context, Result, ensure};

/// Why a case fails.
#[derive(Debug, PartialEq)]
pub struct Cause {
    case: String,
    fact: (String, String),
    messages: Vec<String>,
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
            let messages = lines.next().unwrap_or_default().split(" | ").map(str::to_owned).collect();
            let text = lines.collect::<Vec<_>>().join(" ");
            ensure!(!text.is_empty(), "`{case}` lacks a part of its message, or the text");
            Ok(Cause { case, fact: (fact.0.to_owned(), fact.1.to_owned()), messages, text })
        })
        .collect()
}

/// The known cause of a failed case, in a run of these facts.
pub fn of<'a>(case: &Case, facts: &[(String, String)], causes: &'a [Cause]) -> Option<&'a Cause> {
    let said = case.failure.as_ref()?;
    let known = |cause: &&Cause| {
        case.name.ends_with(&cause.case)
            && facts.contains(&cause.fact)
            && cause.messages.iter().any(|message| said.contains(message))
    };
    causes.iter().find(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    const FILE: &str = "# a comment\n\nshould work\nfamilies=two\nno answer | no address\nfirst line\nsecond line\n";

    fn case(name: &str, failure: Option<&str>) -> Case {
        Case { name: name.into(), seconds: 1.0, failure: failure.map(Into::into) }
    }

    #[test]
    fn excuses_that_failure_of_that_case_in_that_environment_alone() {
        let causes = parse(FILE).expect("a file");
        let two = [("families".to_owned(), "two".to_owned())];
        for said in ["there is no answer yet", "no address"] {
            let found = of(&case("it should work", Some(said)), &two, &causes);
            assert_eq!(found.map(|cause| cause.text.as_str()), Some("first line second line"));
        }
        assert_eq!(of(&case("it should work", Some("no answer")), &[], &causes), None);
        assert_eq!(of(&case("it should work better", Some("no answer")), &two, &causes), None);
        assert_eq!(of(&case("it should work", Some("no pod")), &two, &causes), None);
        assert_eq!(of(&case("it should work", None), &two, &causes), None);
    }

    #[test]
    fn a_paragraph_without_fact_message_or_text_is_refused() {
        assert!(parse("should work\nno answer\nfirst line\n").is_err());
        assert!(parse("should work\nfamilies=two\n").is_err());
        assert!(parse("should work\nfamilies=two\nno answer\n").is_err());
    }

    #[test]
    fn the_projects_own_file_excuses_the_failure_that_was_seen() {
        let causes = parse(include_str!("../causes")).expect("a file");
        let facts = [("Families".to_owned(), "IPv4 and IPv6".to_owned())];
        let mut seen = report::cases(include_str!("../fixtures/junit.xml")).expect("JUnit").remove(0);
        assert!(of(&seen, &facts, &causes).is_some(), "{seen:?}");
        seen.failure = Some("Service HealthCheck NodePort was not allocated".into());
        assert_eq!(of(&seen, &facts, &causes), None);
    }
}
