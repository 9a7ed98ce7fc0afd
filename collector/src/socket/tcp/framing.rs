//! IPFIX messages out of a stream of bytes (RFC 7011 10.4): each begins with its version and its length.

/// Bytes of a message's header: no message is shorter.
const HEADER: usize = 16;

/// Why a stream cannot be read on: where the next message begins is not known any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Garbage {
    /// What should be a message begins with another version than 10.
    NotIpfix,
    /// A message's length is below that of its header.
    BadLength,
}

/// Cuts a stream into messages. Keeps at most one of them, which is not complete yet: below 64 KiB.
#[derive(Debug, Default)]
pub(super) struct Framing {
    pending: Vec<u8>,
}

impl Framing {
    /// Gives each message that `bytes` complete to `each`.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), Garbage> {
        while !self.pending.is_empty() {
            let length = length(&self.pending)?;
            // As long as the length is not known, the four bytes that tell it.
            let missing = length.unwrap_or(4) - self.pending.len();
            let Some((head, rest)) = bytes.split_at_checked(missing) else {
                self.pending.extend_from_slice(bytes);
                // A wrong version is said before the rest of a header comes.
                return self::length(&self.pending).map(|_| ());
            };
            self.pending.extend_from_slice(head);
            bytes = rest;
            if length.is_some() {
                each(&self.pending);
                self.pending.clear();
            }
        }
        while let Some(length) = length(bytes)? {
            let Some((message, rest)) = bytes.split_at_checked(length) else { break };
            each(message);
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether a message has begun that is not complete.
    pub(super) fn is_inside(&self) -> bool {
        !self.pending.is_empty()
    }
}

/// The length of the message that begins here, header included; `None` while too little of it is known.
fn length(bytes: &[u8]) -> Result<Option<usize>, Garbage> {
    match bytes {
        [] | [0] | [0, 10] | [0, 10, _] => Ok(None),
        [0, 10, high, low, ..] => match usize::from(u16::from_be_bytes([*high, *low])) {
            length if length < HEADER => Err(Garbage::BadLength),
            length => Ok(Some(length)),
        },
        _ => Err(Garbage::NotIpfix),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(length: usize, fill: u8) -> Vec<u8> {
        let mut message = vec![fill; length];
        message[..2].copy_from_slice(&[0, 10]);
        message[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        message
    }

    /// The messages of a stream that comes in pieces of these lengths, over and over.
    fn cut(stream: &[u8], pieces: &[usize]) -> Result<Vec<Vec<u8>>, Garbage> {
        let mut framing = Framing::default();
        let mut messages = Vec::new();
        let mut rest = stream;
        for length in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*length).min(rest.len()));
            framing.feed(piece, |message| messages.push(message.to_vec()))?;
            assert!(framing.pending.len() < 65_536);
            rest = more;
        }
        assert!(!framing.is_inside());
        Ok(messages)
    }

    proptest! {
        #[test]
        fn however_the_stream_is_split_the_messages_are_the_same(
            lengths in prop::collection::vec((16_usize..3_000, any::<u8>()), 1..20),
            pieces in prop::collection::vec(1_usize..5_000, 1..20),
        ) {
            let messages: Vec<_> = lengths.into_iter().map(|(length, fill)| message(length, fill)).collect();
            prop_assert_eq!(cut(&messages.concat(), &pieces), Ok(messages));
        }

        #[test]
        fn garbage_ends_the_stream_and_never_more_than_a_message_is_kept(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            pieces in prop::collection::vec(1_usize..50, 1..20),
        ) {
            let (mut whole, mut split) = (Framing::default(), Framing::default());
            let (mut of_whole, mut of_split) = (Vec::new(), Vec::new());
            let bytes = [message(20, 1), bytes].concat();
            let at_once = whole.feed(&bytes, |message| of_whole.push(message.to_vec()));
            let mut rest = &bytes[..];
            let mut in_pieces = Ok(());
            for length in pieces.iter().cycle() {
                if rest.is_empty() || in_pieces.is_err() {
                    break;
                }
                let (piece, more) = rest.split_at((*length).min(rest.len()));
                in_pieces = split.feed(piece, |message| of_split.push(message.to_vec()));
                rest = more;
            }
            prop_assert_eq!(at_once, in_pieces);
            prop_assert_eq!(of_whole, of_split);
        }
    }

    #[test]
    fn the_largest_message_comes_byte_by_byte() {
        let largest = message(65_535, 7);
        assert_eq!(
            cut(&[largest.clone(), message(16, 1)].concat(), &[1]).unwrap(),
            [largest, message(16, 1)]
        );
    }
}
