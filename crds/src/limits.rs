//! Limits and rules that the kinds share.

/// Channels of one profile.
pub const CHANNELS_PER_PROFILE: usize = 128;
/// Channels of all profiles of one collector.
pub const CHANNELS_PER_COLLECTOR: usize = 2_000;
/// Export targets of one collector.
pub const TARGETS_PER_COLLECTOR: usize = 32;
/// Bytes of one filter.
pub const FILTER_BYTES: usize = 16 << 10;
/// Bytes of one profile, rendered.
pub const RENDERED_PROFILE_BYTES: usize = 256 << 10;
/// Collectors that a status names.
pub const BINDINGS: usize = 64;
/// Addresses of one listener that a status names.
pub const ADDRESSES_PER_LISTENER: usize = 10;
/// Characters of a column's message.
pub const MESSAGE_CHARACTERS: usize = 1_024;

/// CEL: what an object may be called. Names become parts of other objects' names, hence the narrow form.
pub(crate) const NAME_RULE: &str = "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')";
/// CEL: how long an object's name may be.
pub(crate) const NAME_LENGTH_RULE: &str = "size(self.metadata.name) <= 40";
