//! Heartbeats and claims heard on a segment become "answer for this address" and "stop".
