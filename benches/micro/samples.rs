//! What the cases work on.

use std::fmt::Write as _;

/// Sizes of messages: a small event, a large one, an upload.
pub(crate) const SIZES: [(usize, &str); 3] =
    [(32, "32 B"), (4 << 10, "4 KiB"), (64 << 10, "64 KiB")];

/// An event of one string: a Socket.IO packet of `len` bytes, all of them ASCII letters or JSON.
pub(crate) fn event(len: usize) -> String {
    let (head, tail) = (r#"2["news",""#, r#""]"#);
    format!("{head}{}{tail}", "b".repeat(len - head.len() - tail.len()))
}

/// JSON as applications send it, an array of objects with at least `len` bytes: keys that repeat,
/// values that do not.
pub(crate) fn records(len: usize) -> String {
    let mut json = String::from("[");
    for id in 0_u32.. {
        if json.len() >= len {
            break;
        }
        if id > 0 {
            json.push(',');
        }
        // A sequence without a pattern that a compressor would find.
        let noise = id.wrapping_mul(2_654_435_761);
        write!(
            json,
            r#"{{"id":{id},"name":"user {noise:08x}","score":{}.{:02},"tags":["a","b"],"on":true}}"#,
            noise % 1000,
            noise % 100
        )
        .expect("writing to a String can\'t fail");
    }
    json.push(']');
    json
}

/// An event with [`records`] in it.
pub(crate) fn event_of_records(len: usize) -> String {
    format!(r#"2["news",{}]"#, records(len))
}
