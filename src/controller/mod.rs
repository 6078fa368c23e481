//! Watches, allocation, patches.
