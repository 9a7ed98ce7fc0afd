//! What filters mean, and that the plan finds what the plain evaluation finds.

mod decisions;
mod meaning;
mod plan;
mod random;
mod rows;
