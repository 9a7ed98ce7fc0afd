//! From tokens to a tree: the boolean part. Terms and values are the children's.

mod hint;
mod term;
mod value;

use super::ast::{Expr, Node, Term};
use super::error::{FilterError, Span};
use super::lexer::{self, Kind, Token};
use super::{DEPTH_LIMIT, ITEM_LIMIT};

/// Parses the whole grammar, also the terms that this version cannot evaluate ([`super::check`] refuses
/// those). A text without a term is the filter `any`.
///
/// # Errors
/// The first place where the text stops being a filter, and what would have been right.
pub fn parse(text: &str) -> Result<Expr, FilterError> {
    let mut parser = Parser { text, tokens: lexer::tokens(text)?, at: 0, depth: 0, items: 0 };
    if parser.peek() == Kind::End {
        return Ok(Expr { node: Node::Term(Term::Any), span: parser.span() });
    }
    let expr = parser.alternatives()?;
    match parser.peek() {
        Kind::End => Ok(expr),
        _ => Err(parser.after_expression("`and`, `or` or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    items: usize,
}

type Parsed<T> = Result<T, FilterError>;

impl<'a> Parser<'a> {
    fn alternatives(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.conjunction()?];
        while self.take(Kind::Or) || self.take_word("or") {
            parts.push(self.conjunction()?);
        }
        Ok(join(parts, Node::Or, |node| match node {
            Node::Or(parts) => Ok(parts),
            node => Err(node),
        }))
    }

    fn conjunction(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.negation()?];
        while self.take(Kind::And) || self.take_word("and") {
            parts.push(self.negation()?);
        }
        Ok(join(parts, Node::And, |node| match node {
            Node::And(parts) => Ok(parts),
            node => Err(node),
        }))
    }

    fn negation(&mut self) -> Parsed<Expr> {
        let start = self.span();
        if self.take(Kind::Not) || self.take_word("not") {
            let inner = self.nested(start, Self::negation)?;
            let span = start.to(inner.span);
            return Ok(Expr { node: Node::Not(Box::new(inner)), span });
        }
        if self.take(Kind::Open) {
            let inner = self.nested(start, Self::alternatives)?;
            let whole = start.to(self.span());
            if !self.take(Kind::Close) {
                return Err(match self.peek() {
                    Kind::End => self.unexpected("`)`"),
                    _ => self.after_expression("`and`, `or` or `)`"),
                });
            }
            // An error about a lone term points at the term, not at parentheses around it.
            let span = if matches!(inner.node, Node::Term(_)) { inner.span } else { whole };
            return Ok(Expr { node: inner.node, span });
        }
        let term = self.term()?;
        Ok(Expr { node: Node::Term(term), span: start.to(self.previous_span()) })
    }

    fn nested(&mut self, start: Span, part: fn(&mut Self) -> Parsed<Expr>) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            let problem = format!("parentheses and `not` nest deeper than {DEPTH_LIMIT}");
            return Err(FilterError::at(self.text, start, problem));
        }
        let inner = part(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn peek(&self) -> Kind<'a> {
        self.tokens[self.at].kind
    }

    fn peek_second(&self) -> Kind<'a> {
        self.tokens.get(self.at + 1).map_or(Kind::End, |token| token.kind)
    }

    fn span(&self) -> Span {
        self.tokens[self.at].span
    }

    fn previous_span(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    /// Moves on; the end stays the end.
    fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn take(&mut self, kind: Kind<'_>) -> bool {
        let found = self.peek() == kind;
        if found {
            self.advance();
        }
        found
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(format!("`{word}`"))) }
    }

    /// Counts one item of a list.
    fn count_item(&mut self) -> Parsed<()> {
        self.items += 1;
        if self.items > ITEM_LIMIT {
            return Err(self.error(format!("the lists of this filter hold more than {ITEM_LIMIT} items")));
        }
        Ok(())
    }

    /// An error at the current token.
    fn error(&self, problem: impl Into<String>) -> FilterError {
        FilterError::at(self.text, self.span(), problem)
    }

    /// The current token is not what the grammar wants.
    fn unexpected(&self, expected: impl Into<String>) -> FilterError {
        let found = match self.peek() {
            Kind::End => "the filter ends here".to_owned(),
            _ => format!("found `{}`", &self.text[self.span().start..self.span().end]),
        };
        self.error(found).expecting(expected)
    }
}

/// One node for a chain of one operator, also where parentheses cut it.
fn join(
    mut parts: Vec<Expr>,
    node: fn(Vec<Expr>) -> Node,
    same: fn(Node) -> Result<Vec<Expr>, Node>,
) -> Expr {
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let span = parts[0].span.to(parts[parts.len() - 1].span);
    let mut flat = Vec::with_capacity(parts.len());
    for Expr { node, span } in parts {
        match same(node) {
            Ok(inner) => flat.extend(inner),
            Err(node) => flat.push(Expr { node, span }),
        }
    }
    Expr { node: node(flat), span }
}
