//! The API server: client, projections, watches, patch queue, Lease, Events, records.
