//! Watches, network and election become announcements and answers.

pub mod announcer;
pub mod responder;
