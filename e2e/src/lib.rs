//! Helpers for the end-to-end tests: programs, namespaces, deadlines.
