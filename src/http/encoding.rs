//! How an answer is compressed: what the client takes, and the compressing.

use std::io::Write as _;

use flate2::{Compression, GzBuilder, write::ZlibEncoder};

/// zlib's own default, which Node.js has too.
const LEVEL: u32 = 6;
/// What a gzip header says of its maker: Unix, as the zlib of Node.js says.
const UNIX: u8 = 3;

/// An encoding that we can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `gzip`
    Gzip,
    /// `deflate`, which is the format of zlib
    Deflate,
}

/// What a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// This one: the first of ours that it names.
    Encoding(Encoding),
    /// Nothing that we can make.
    Nothing,
    /// It weighs (`q=`) or has a wildcard: to be judged by somebody who knows all the rules.
    Weighed,
}

/// Reads an `Accept-Encoding`.
pub fn read_accepted(value: &[u8]) -> Accepted {
    if value.iter().any(|byte| matches!(byte, b';' | b'*')) {
        return Accepted::Weighed;
    }
    value
        .split(|&byte| byte == b',')
        .find_map(|name| {
            let name = name.trim_ascii();
            if name.eq_ignore_ascii_case(b"gzip") {
                Some(Encoding::Gzip)
            } else if name.eq_ignore_ascii_case(b"deflate") {
                Some(Encoding::Deflate)
            } else {
                None
            }
        })
        .map_or(Accepted::Nothing, Accepted::Encoding)
}

impl Encoding {
    /// Its name in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// Compresses a whole body.
    ///
    /// # Panics
    /// Never: memory takes whatever is written to it.
    pub fn compress(self, body: &[u8]) -> Vec<u8> {
        let level = Compression::new(LEVEL);
        let out = Vec::with_capacity(body.len() / 2);
        let result = match self {
            Self::Gzip => {
                let mut encoder = GzBuilder::new().operating_system(UNIX).write(out, level);
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, level);
                encoder.write_all(body).and_then(|()| encoder.finish())
            }
        };
        result.expect("writing to a Vec can't fail")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_first_encoding_that_we_make_is_taken() {
        assert_eq!(read_accepted(b"gzip, deflate, br"), Accepted::Encoding(Encoding::Gzip));
        assert_eq!(read_accepted(b"br , DEFLATE,gzip"), Accepted::Encoding(Encoding::Deflate));
        assert_eq!(read_accepted(b"identity"), Accepted::Nothing);
        assert_eq!(read_accepted(b""), Accepted::Nothing);
        assert_eq!(read_accepted(b"gzip;q=0"), Accepted::Weighed);
        assert_eq!(read_accepted(b"*"), Accepted::Weighed);
    }

    #[test]
    fn what_is_compressed_can_be_read() {
        let body = b"4".repeat(3_000);
        let mut read = Vec::new();
        let gzip = Encoding::Gzip.compress(&body);
        assert_eq!(gzip[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]); // as Node.js begins
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut read).unwrap();
        assert_eq!(read, body);
        read.clear();
        let deflate = Encoding::Deflate.compress(&body);
        flate2::read::ZlibDecoder::new(&deflate[..]).read_to_end(&mut read).unwrap();
        assert_eq!(read, body);
    }
}
