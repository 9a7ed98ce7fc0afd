//! A filter compiled for columns: negation pushed down to the tests, names turned into columns and constants.

use crds::filter::{Expr, Node, NumberField, Term};

use super::sources::SourceNames;
use super::test::Test;
use crate::flow::{Batch, ColumnSet, Run};

/// A compiled filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Predicate {
    /// All of them.
    All(Vec<Predicate>),
    /// At least one of them.
    Any(Vec<Predicate>),
    /// One test, or its opposite.
    Test {
        /// The test.
        test: Test,
        /// The opposite counts.
        negated: bool,
    },
}

/// Which direction of a biflow is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The record as it was sent.
    Forward,
    /// Its two sides swapped.
    Reverse,
}

impl Predicate {
    pub(super) fn compile(expr: &Expr, sources: SourceNames<'_>, direction: Direction) -> Self {
        Self::of(expr, sources, direction, false)
    }

    fn of(expr: &Expr, sources: SourceNames<'_>, direction: Direction, negated: bool) -> Self {
        let parts =
            |parts: &[Expr]| parts.iter().map(|part| Self::of(part, sources, direction, negated)).collect();
        match &expr.node {
            // De Morgan: a negated conjunction is a disjunction of negations, and the other way round.
            Node::And(all) if !negated => Self::All(parts(all)),
            Node::Or(any) if negated => Self::All(parts(any)),
            Node::And(parts_) | Node::Or(parts_) => Self::Any(parts(parts_)),
            Node::Not(inner) => Self::of(inner, sources, direction, !negated),
            Node::Term(Term::Flags(bits)) if negated => {
                Self::Test { test: Test::no_flags(*bits, direction), negated: false }
            }
            // A number of flags implies TCP, as letters do.
            Node::Term(term @ Term::Number { field: NumberField::Flags, .. }) => {
                let test = |term| Self::Test { test: Test::compile(term, sources, direction), negated };
                let both = vec![test(&Term::Proto(6)), test(term)];
                if negated { Self::Any(both) } else { Self::All(both) }
            }
            Node::Term(term) => Self::Test { test: Test::compile(term, sources, direction), negated },
        }
    }

    /// Adds the columns that its tests look at.
    pub(super) fn columns(&self, set: &mut ColumnSet) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.columns(set)),
            Self::Test { test, .. } => test.columns(set),
        }
    }

    /// Whether the row passes.
    pub(super) fn passes(&self, batch: &Batch, run: &Run, row: usize) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.passes(batch, run, row)),
            Self::Any(parts) => parts.iter().any(|part| part.passes(batch, run, row)),
            Self::Test { test, negated } => test.passes(batch, run, row) != *negated,
        }
    }
}
