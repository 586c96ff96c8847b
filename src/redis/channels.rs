//! What the name of a channel says.
//!
//! ```text
//!   socket.io#/chat#            all of the namespace /chat
//!   socket.io#/chat#room1#      one room of it
//!   socket.io-request#/chat#    a request to all nodes
//!   socket.io-response#/chat#   the answers to requests
//! ```

/// The room that a channel names, which begins with `prefix`, that of the namespace: "" is all of it. None: it does not begin so.
pub fn room_of<'a>(channel: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = channel.strip_prefix(prefix)?;
    // The last character is the separator, whatever it is.
    let mut characters = rest.chars();
    characters.next_back();
    Some(characters.as_str())
}

/// The number that a room may be instead of its name: JavaScript's `parseFloat()` of what is a number as a whole.
pub fn number_of(room: &str) -> Option<f64> {
    let first = room.trim_start().bytes().next()?;
    // Only what may be one: Rust reads "inf" and "nan", too.
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    room.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_names_a_room_or_all() {
        assert_eq!(room_of("socket.io#/#", "socket.io#/#"), Some(""));
        assert_eq!(room_of("socket.io#/#room1#", "socket.io#/#"), Some("room1"));
        assert_eq!(room_of("socket.io#/#a#b#", "socket.io#/#"), Some("a#b"));
        assert_eq!(room_of("socket.io#/#é", "socket.io#/#"), Some(""));
        assert_eq!(room_of("socket.io#/chat#", "socket.io#/#"), None);
    }

    #[test]
    fn a_room_may_be_a_number() {
        assert_eq!(number_of("5"), Some(5.0));
        assert_eq!(number_of("-1.5"), Some(-1.5));
        for name in ["", "room", "inf", "nan", "5a", "-", "-inf"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
