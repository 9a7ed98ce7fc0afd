//! What has a name in option tables.

use super::super::records::number;

/// Kinds of things that exporters name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    /// 82, by 10, 14, 252, 253 or v9's interface scope.
    Interface,
    /// 83: a description of the interface.
    InterfaceDescription,
    /// 236, by 234 or 235.
    Vrf,
    /// 96 (94 where there is none), by 95 as [`application`] reads it.
    Application,
    /// 84, by 48.
    Sampler,
    /// 335, by 302.
    Selector,
}

/// An application's number (95): the engine's byte on top, then the selector (RFC 6759, 4.1).
pub(crate) fn application(bytes: &[u8]) -> Option<u64> {
    let (engine, selector) = bytes.split_first()?;
    let fits = (1..=8).contains(&selector.len()) && number(selector) < 1 << 56;
    fits.then(|| u64::from(*engine) << 56 | number(selector))
}
