//! Logging and shutdown.
