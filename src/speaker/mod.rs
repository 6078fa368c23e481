//! Watches, network and election become announcements and answers.
