//! The page: how many passed, where and when it was, a row for each case, and of each failure what it said and why.

use crate::{cause, cause::Cause, report::Case};

/// Longer messages are stack traces; the first lines tell it.
const MESSAGE: usize = 600;

/// The page as Markdown.
pub fn write(facts: &[(String, String)], cases: &[Case], causes: &[Cause]) -> String {
    let failed: Vec<_> = cases.iter().filter(|case| case.failure.is_some()).collect();
    let mut page = format!(
        "# Kubernetes' own load-balancer tests\n\n\
         Written by `make kind-upstream`, not by hand: the cases with `[Feature:LoadBalancer]` of Kubernetes' `e2e.test`, against \
         Landfall in a kind cluster, from a client behind a router. There is a page for each variant of the cluster:\n\
         [both families, kube-proxy in nftables mode](conformance.md), and [IPv4 alone, in iptables mode](conformance-ipv4-iptables.md).\n\n\
         **{} of {} passed.**\n\n| | |\n|---|---|\n",
        cases.len() - failed.len(),
        cases.len(),
    );
    for (name, value) in facts {
        page += &format!("| {} | {} |\n", cell(name), cell(value));
    }
    page += "\n| case | result | seconds |\n|---|---|--:|\n";
    for case in cases {
        let result = match (&case.failure, cause::of(case, facts, causes)) {
            (None, _) => "passed",
            (Some(_), Some(_)) => "**failed**, cause known",
            (Some(_), None) => "**failed**",
        };
        page += &format!("| {} | {result} | {:.1} |\n", cell(&case.name), case.seconds);
    }
    if !failed.is_empty() {
        page += "\n## Failures\n";
    }
    for case in failed {
        let message: String = case.failure.iter().flat_map(|text| text.chars()).take(MESSAGE).collect();
        page += &format!("\n### {}\n\n", case.name);
        if let Some(cause) = cause::of(case, facts, causes) {
            page += &format!("{}\n\n", cause.text);
        }
        page += &format!("It said:\n\n~~~\n{}\n~~~\n", message.trim_end());
    }
    page
}

/// Text that cannot end its cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, failure: Option<&str>) -> Case {
        Case { name: name.into(), seconds: 61.25, failure: failure.map(Into::into) }
    }

    #[test]
    fn has_a_row_for_each_case_and_the_message_of_each_failure() {
        let facts = [("Kubernetes".to_owned(), "v1|2".to_owned())];
        let page = write(&facts, &[case("good", None), case("bad", Some("it broke\nhere"))], &[]);
        assert!(page.contains("**1 of 2 passed.**"), "{page}");
        assert!(page.contains("| Kubernetes | v1\\|2 |"), "{page}");
        assert!(page.contains("| good | passed | 61.2 |"), "{page}");
        assert!(page.contains("| bad | **failed** | 61.2 |"), "{page}");
        assert!(page.contains("### bad\n\nIt said:\n\n~~~\nit broke\nhere\n~~~\n"), "{page}");
        assert!(!page.contains("### good"), "{page}");
    }

    #[test]
    fn a_known_cause_is_told_and_the_failure_stays_one() {
        let facts = [("families".to_owned(), "two".to_owned())];
        let causes = cause::parse("bad\nfamilies=two\nno\nThe proof.\n").expect("a file");
        let page = write(&facts, &[case("bad", Some("no"))], &causes);
        assert!(page.contains("**0 of 1 passed.**"), "{page}");
        assert!(page.contains("| bad | **failed**, cause known |"), "{page}");
        assert!(page.contains("The proof.\n\nIt said:"), "{page}");
    }

    #[test]
    fn no_failure_no_chapter() {
        assert!(!write(&[], &[case("good", None)], &[]).contains("Failures"));
    }
}
