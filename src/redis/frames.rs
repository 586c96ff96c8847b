//! Where the messages of Pub/Sub stand among all that Redis sends.
//!
//! ```text
//!   >4␍␊ $8␍␊pmessage␍␊ $13␍␊socket.io#/#*␍␊ $17␍␊socket.io#/#room#␍␊ $3␍␊…␍␊     a message: three names, and what was published
//!   everything else: answers, and what a subscription has led to                  as it is
//! ```
//!
//! A message is found where a value begins, and only as RESP3 sends it: as a push. So an answer that looks like one is none. What
//! can't be followed is not judged here: from there on all is "something else", for who reads that.

use memchr::memmem;

/// The longest line that is waited for: a number or a short text.
const LONGEST_LINE: usize = 64 << 10;
/// The digits that the length of a text in a message may have. Redis has no longer texts, unless it is told to.
const DIGITS: usize = 9;
/// How messages begin.
const HEADS: [(&[u8], Kind); 3] = [
    (b">4\r\n$8\r\npmessage\r\n", Kind::Pattern),
    (b">3\r\n$8\r\nsmessage\r\n", Kind::Sharded),
    (b">3\r\n$7\r\nmessage\r\n", Kind::Plain),
];

/// How a channel is subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `SUBSCRIBE`.
    Plain,
    /// `PSUBSCRIBE`: its name is a pattern.
    Pattern,
    /// `SSUBSCRIBE`.
    Sharded,
}

/// A message of Pub/Sub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What was subscribed.
    pub kind: Kind,
    /// By which name.
    pub name: &'a [u8],
    /// The channel that it was published in.
    pub channel: &'a [u8],
    /// What was published.
    pub payload: &'a [u8],
}

/// What bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A message, and how many bytes it has.
    Message(Message<'a>, usize),
    /// So many bytes of something else.
    Other(usize),
    /// More is needed, to have so many bytes at least.
    More(usize),
}

/// Tells messages from what else there is.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// How many values have not been seen yet of one that is no message.
    values: u64,
    /// How many bytes have not of a text in it.
    bytes: u64,
    /// Whether nothing more is understood.
    lost: bool,
}

impl Frames {
    /// What `bytes` begin with, which follow those of the pieces before.
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Piece<'a> {
        if self.values == 0 && self.bytes == 0 && !self.lost {
            match message(bytes) {
                Begins::Message(message, length) => return Piece::Message(message, length),
                Begins::More(length) => return Piece::More(length),
                Begins::Other => self.values = 1,
            }
        }
        match self.other(bytes) {
            0 => Piece::More(bytes.len() + 1),
            count => Piece::Other(count),
        }
    }

    /// How many bytes are of something else, as far as they are there: up to its end.
    fn other(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while !self.lost {
            let left = bytes.len() - at;
            if self.bytes > 0 {
                let count = usize::try_from(self.bytes).unwrap_or(usize::MAX).min(left);
                at += count;
                self.bytes -= count as u64;
                if self.bytes > 0 {
                    return at;
                }
            }
            if self.values == 0 {
                return at;
            }
            // Whatever the pieces are that bytes come in, the same lines are too long.
            let line = &bytes[at..bytes.len().min(at + LONGEST_LINE + 1)];
            let Some(line) = memmem::find(line, b"\r\n") else {
                self.lost = line.len() > LONGEST_LINE;
                if self.lost {
                    break;
                }
                return at;
            };
            self.lost = self.header(&bytes[at..at + line]).is_none();
            at += line + 2;
        }
        bytes.len()
    }

    /// Counts what the first line of a value says. None: that can't be followed.
    fn header(&mut self, line: &[u8]) -> Option<()> {
        let (kind, rest) = line.split_first()?;
        self.values -= 1;
        let parts = match kind {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => return Some(()),
            b'$' | b'!' | b'=' => {
                if rest != b"-1" {
                    self.bytes = number(rest)?.checked_add(2)?;
                }
                return Some(());
            }
            b'*' if rest == b"-1" => 0,
            b'*' | b'~' | b'>' => number(rest)?,
            b'%' => number(rest)?.checked_mul(2)?,
            // What it is about follows.
            b'|' => number(rest)?.checked_mul(2)?.checked_add(1)?,
            _ => return None,
        };
        self.values = self.values.checked_add(parts)?;
        Some(())
    }
}

enum Begins<'a> {
    Message(Message<'a>, usize),
    More(usize),
    Other,
}

fn message(bytes: &[u8]) -> Begins<'_> {
    if !bytes.is_empty() && bytes[0] != b'>' {
        return Begins::Other;
    }
    let Some((head, kind)) = HEADS.iter().find(|(head, _)| bytes.starts_with(head)) else {
        let begun = HEADS.iter().any(|(head, _)| head.starts_with(bytes));
        return if begun { Begins::More(bytes.len() + 1) } else { Begins::Other };
    };
    let mut at = head.len();
    let mut texts: [&[u8]; 3] = [&[]; 3];
    let count = if *kind == Kind::Pattern { 3 } else { 2 };
    for text in &mut texts[..count] {
        match text_at(bytes, at) {
            Begun::Text(from, to) => {
                *text = &bytes[from..to];
                at = to + 2;
            }
            Begun::More(length) => return Begins::More(length),
            Begun::Other => return Begins::Other,
        }
    }
    let [name, second, third] = texts;
    let (channel, payload) = if *kind == Kind::Pattern { (second, third) } else { (name, second) };
    Begins::Message(Message { kind: *kind, name, channel, payload }, at)
}

enum Begun {
    Text(usize, usize),
    More(usize),
    Other,
}

/// Where the text begins and ends whose length stands at `at`.
fn text_at(bytes: &[u8], at: usize) -> Begun {
    let rest = &bytes[at..];
    if rest.first().is_some_and(|&byte| byte != b'$') {
        return Begun::Other;
    }
    let mut length = 0;
    for (count, &byte) in rest.iter().enumerate().skip(1) {
        match byte {
            b'0'..=b'9' if count <= DIGITS && (count == 1 || length > 0) => {
                length = length * 10 + usize::from(byte - b'0');
            }
            b'\r' if count > 1 => {
                let from = at + count + 2;
                let end = from + length;
                return match (bytes.get(from - 1), bytes.get(end..end + 2)) {
                    (None, _) => Begun::More(from),
                    (Some(b'\n'), None) => Begun::More(end + 2),
                    (Some(b'\n'), Some(b"\r\n")) => Begun::Text(from, end),
                    _ => Begun::Other,
                };
            }
            _ => return Begun::Other,
        }
    }
    Begun::More(bytes.len() + 1)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b">4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$3\r\nabc\r\n$4\r\n\r\n\r\n\r\n";

    #[test]
    fn a_message_is_found_where_a_value_begins() {
        let expected =
            Message { kind: Kind::Pattern, name: b"a*", channel: b"abc", payload: b"\r\n\r\n" };
        assert_eq!(Frames::default().next(MESSAGE), Piece::Message(expected, MESSAGE.len()));
        let plain = b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$0\r\n\r\n";
        let expected = Message { kind: Kind::Plain, name: b"a", channel: b"a", payload: b"" };
        assert_eq!(Frames::default().next(plain), Piece::Message(expected, plain.len()));

        // An answer, whatever it has in it.
        let answer = [b"*2\r\n:1\r\n", MESSAGE, b"+OK\r\n"].concat();
        let mut frames = Frames::default();
        assert_eq!(frames.next(&answer), Piece::Other(answer.len() - 5));
        assert_eq!(frames.next(b"+OK\r\n"), Piece::Other(5));
        let array = [b"*", &MESSAGE[1..]].concat();
        assert_eq!(Frames::default().next(&array), Piece::Other(array.len()));
    }

    #[test]
    fn what_a_subscription_has_led_to_is_something_else() {
        let text = b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
        assert_eq!(Frames::default().next(text), Piece::Other(text.len()));
        assert_eq!(Frames::default().next(b">3\r\n$"), Piece::More(6));
        assert_eq!(Frames::default().next(b""), Piece::More(1));
    }

    #[test]
    fn what_can_not_be_followed_is_something_else_to_the_end() {
        for text in [
            &b">4\r\n$8\r\npmessage\r\n$-1\r\n"[..],
            b">4\r\n$8\r\npmessage\r\n$1\r\nab\r\n",
            b">4\r\n$8\r\npmessage\r\n$1234567890\r\n",
            b">4\r\n$8\r\npmessage\r\n$01\r\n",
            b"?\r\n",
            b"*?\r\n",
            b"%9223372036854775808\r\n",
        ] {
            let mut frames = Frames::default();
            let bytes = [text, b"?\r\n", MESSAGE].concat();
            let mut at = 0;
            while at < bytes.len() {
                let Piece::Other(count) = frames.next(&bytes[at..]) else { panic!("{text:?}") };
                at += count;
            }
        }
        let mut frames = Frames::default();
        let line = vec![b'+'; LONGEST_LINE + 1];
        assert_eq!(frames.next(&line[1..]), Piece::More(LONGEST_LINE + 1));
        assert_eq!(frames.next(&line), Piece::Other(line.len()));
    }
}
