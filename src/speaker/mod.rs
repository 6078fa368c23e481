//! Watches, network and election become announcements and answers.

pub mod announcer;
pub mod desired;
pub mod eligibility;
pub mod responder;
