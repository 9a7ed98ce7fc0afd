//! All channels of all profiles, compiled to one plan.
