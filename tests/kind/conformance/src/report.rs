//! JUnit as Ginkgo writes it: every case of the suite is there, nearly all of them skipped, and beside them the suite's own
//! steps, which count only when they fail.

use anyhow::{Context, Result};

/// A case that ran.
#[derive(Debug, PartialEq)]
pub struct Case {
    /// Without the kind of node and the labels, which are the same in all of them.
    pub name: String,
    pub seconds: f64,
    /// What it said when it failed.
    pub failure: Option<String>,
}

/// The cases that ran.
///
/// # Errors
/// Where the text is no JUnit.
pub fn cases(text: &str) -> Result<Vec<Case>> {
    let document = roxmltree::Document::parse(text)?;
    let mut found = Vec::new();
    for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
        let attribute = |name: &str| case.attribute(name).with_context(|| format!("a testcase has no {name}"));
        let (name, status) = (attribute("name")?, attribute("status")?);
        let failed = !matches!(status, "passed" | "skipped" | "pending");
        if !(failed || status == "passed" && name.starts_with("[It]")) {
            continue;
        }
        let child = ["failure", "error"].iter().find_map(|tag| case.children().find(|node| node.has_tag_name(*tag)));
        let message = child.and_then(|node| node.attribute("message").filter(|text| !text.is_empty()).or(node.text()));
        found.push(Case {
            name: short(name),
            seconds: attribute("time")?.parse().with_context(|| format!("the time of {name}"))?,
            failure: failed.then(|| message.unwrap_or(status).trim().trim_start_matches("[FAILED] ").to_owned()),
        });
    }
    Ok(found)
}

fn short(name: &str) -> String {
    let words =
        name.split(' ').filter(|word| !["[It]", "[sig-network]", "[Feature:LoadBalancer]", "[Slow]"].contains(word));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a real run, cut to one case of each kind.
    const JUNIT: &str = include_str!("../fixtures/junit.xml");

    #[test]
    fn finds_the_cases_that_ran_and_no_others() {
        let found = cases(JUNIT).expect("JUnit");
        let names: Vec<_> = found.iter().map(|case| (case.name.as_str(), case.failure.is_some())).collect();
        let expected = [
            ("LoadBalancers ExternalTrafficPolicy: Local should only target nodes with endpoints", true),
            ("LoadBalancers should handle load balancer cleanup finalizer for service", false),
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn tells_how_long_a_case_took_and_what_it_said() {
        let found = cases(JUNIT).expect("JUnit");
        assert!((found[1].seconds - 0.636_900_313).abs() < 1e-9);
        let message = found[0].failure.as_deref().expect("it failed");
        assert!(message.starts_with("failed to get pod test-container-pod"), "{message}");
    }

    #[test]
    fn a_suite_that_cannot_start_is_a_failure() {
        let text = r#"<testsuite><testcase name="[SynchronizedBeforeSuite]" status="failed" time="1"><failure message="no API server"/></testcase></testsuite>"#;
        assert_eq!(cases(text).expect("JUnit")[0].failure.as_deref(), Some("no API server"));
    }

    #[test]
    fn what_is_no_junit_is_refused() {
        assert!(cases("<testsuite>").is_err());
        assert!(cases(r#"<testcase name="x"/>"#).is_err());
    }
}
