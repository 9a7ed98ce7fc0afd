//! Datagrams become rows of a batch.
