//! What one process says to the one that takes its clients over: whoever can reach the socket may have written it.

use ferrosocket::handover::{Frame, FrameReader, Message};

/// A message that is accepted is the same when it is sent on; the stream is cut in the same way wherever it is split.
pub fn stream(bytes: &[u8]) {
    let whole = frames(&[bytes]);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(whole, frames(&[first, second]), "the split shows");
    for frame in whole {
        let Ok(message) = Message::read(&frame) else { continue };
        let mut again = Vec::new();
        let descriptors = u8::try_from(frame.descriptors).expect("it was a byte");
        assert!(message.write(&mut again, descriptors).is_some(), "it is too long");
        let frame = frames(&[&again]).pop().expect("it is whole");
        assert_eq!(Message::read(&frame), Ok(message), "it is another one now");
    }
}

/// The messages of a stream, up to what is none.
fn frames(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut reader = FrameReader::default();
    let mut frames = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}
