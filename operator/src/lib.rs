//! The operator as a library: `weir-operator` runs it, tests look inside.

pub mod enroll;
