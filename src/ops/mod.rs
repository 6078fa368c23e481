//! What both programs need to be run: a clock, logging, shutdown.

pub mod clock;
pub mod logging;
pub mod shutdown;
