//! The filter language: nfdump's, both of its dialects, with Weir's additions.
//!
//! Text becomes a tree ([`parse`]), the tree prints in one canonical form ([`Expr`]'s `Display`) that parses
//! back to the same tree, and [`check`] finds every error that a filter can have, so that compiling a checked
//! filter cannot fail. Nothing here evaluates: that is the collector's.
//!
//! ```
//! let expr = crds::filter::parse("src host 192.0.2.1 && !port = 0x16")?;
//! assert_eq!(expr.to_string(), "src ip 192.0.2.1 and not port 22");
//! # Ok::<(), crds::filter::FilterError>(())
//! ```

mod ast;
mod check;
mod error;
mod lexer;
pub mod names;
mod parser;
mod print;

pub use ast::{
    AddressField, Compare, Dir, Expr, Family, Host, NamedField, Node, NumberField, PayloadTest, Term,
};
pub use check::{Context, HostNames, check, uncollected};
pub use error::{FilterError, Span};
pub use parser::parse;

/// The longest filter, in bytes.
pub const TEXT_LIMIT: usize = 64 * 1024;
/// The most items that the lists of one filter hold together.
pub const ITEM_LIMIT: usize = 10_000;
/// How deep parentheses and negations nest.
pub const DEPTH_LIMIT: usize = 100;
