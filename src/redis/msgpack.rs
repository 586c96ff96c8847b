//! `MessagePack`, as `notepack.io` writes and reads it: the values of JavaScript.
//!
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>. Of its extensions, type 0 is of older versions of
//! notepack.io (bytes, `undefined` and dates), and −1 is a time.
#![expect(clippy::wildcard_enum_match_arm, reason = "what is not asked for may be any value")]

use super::{MAX_DEPTH, Malformed};
use crate::socketio::json_string::write_utf8;

type Result<T = ()> = std::result::Result<T, Malformed>;

/// The latest time that JavaScript knows, in ms, and the earliest with a minus.
const LAST_TIME: f64 = 8.64e15;
/// Whole numbers up to this are written with all their digits.
const LARGEST_PLAIN: f64 = 1e15;

/// A value, or what a value begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// `null`.
    Nil,
    /// `undefined`.
    Undefined,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text, which may be no UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
    /// So many values follow.
    Array(u32),
    /// So many pairs of a key and a value follow.
    Map(u32),
    /// A `Date`, in ms; of one that is invalid, NaN.
    Date(f64),
    /// An extension that JavaScript gets as an array of the type and the bytes.
    Extension(i8, &'a [u8]),
}

/// Reads values one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether all has been read.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn u8(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn i8(&mut self) -> Result<i8> {
        self.array().map(i8::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn text(&mut self, length: u32) -> Result<Item<'a>> {
        self.take(length as usize).map(Item::Text)
    }

    fn binary(&mut self, length: u32) -> Result<Item<'a>> {
        self.take(length as usize).map(Item::Binary)
    }

    /// Two words as one number, the lower one without a sign.
    fn wide(high: f64, low: u32) -> f64 {
        high * 4_294_967_296.0 + f64::from(low)
    }

    /// The next value, or its beginning.
    ///
    /// # Errors
    /// There is none.
    pub fn item(&mut self) -> Result<Item<'a>> {
        let first = self.u8()?;
        Ok(match first {
            0x00..=0x7f => Item::Number(f64::from(first)),
            0x80..=0x8f => Item::Map(u32::from(first & 0x0f)),
            0x90..=0x9f => Item::Array(u32::from(first & 0x0f)),
            0xa0..=0xbf => self.text(u32::from(first & 0x1f))?,
            0xc0 => Item::Nil,
            0xc1 => return Err(Malformed),
            0xc2 => Item::Bool(false),
            0xc3 => Item::Bool(true),
            0xc4 => {
                let length = self.u8()?;
                self.binary(length.into())?
            }
            0xc5 => {
                let length = self.u16()?;
                self.binary(length.into())?
            }
            0xc6 => {
                let length = self.u32()?;
                self.binary(length)?
            }
            0xc7 => {
                let length = self.u8()?;
                self.extension(length.into(), true)?
            }
            0xc8 => {
                let length = self.u16()?;
                self.extension(length.into(), true)?
            }
            0xc9 => {
                let length = self.u32()?;
                self.extension(length, true)?
            }
            0xca => Item::Number(f32::from_be_bytes(self.array()?).into()),
            0xcb => Item::Number(f64::from_be_bytes(self.array()?)),
            0xcc => Item::Number(self.u8()?.into()),
            0xcd => Item::Number(self.u16()?.into()),
            0xce => Item::Number(self.u32()?.into()),
            0xcf => {
                let high = self.u32()?;
                Item::Number(Self::wide(high.into(), self.u32()?))
            }
            0xd0 => Item::Number(self.i8()?.into()),
            0xd1 => Item::Number(i16::from_be_bytes(self.array()?).into()),
            0xd2 => Item::Number(self.i32()?.into()),
            0xd3 => {
                let high = self.i32()?;
                Item::Number(Self::wide(high.into(), self.u32()?))
            }
            0xd4 => self.extension(1, false)?,
            0xd5 => self.extension(2, false)?,
            0xd6 => self.extension(4, false)?,
            0xd7 => self.extension(8, false)?,
            0xd8 => self.extension(16, false)?,
            0xd9 => {
                let length = self.u8()?;
                self.text(length.into())?
            }
            0xda => {
                let length = self.u16()?;
                self.text(length.into())?
            }
            0xdb => {
                let length = self.u32()?;
                self.text(length)?
            }
            0xdc => Item::Array(self.u16()?.into()),
            0xdd => Item::Array(self.u32()?),
            0xde => Item::Map(self.u16()?.into()),
            0xdf => Item::Map(self.u32()?),
            0xe0..=0xff => Item::Number(i8::from_be_bytes([first]).into()),
        })
    }

    /// An extension of `length` bytes; `sized`: in the form that tells its length.
    fn extension(&mut self, length: u32, sized: bool) -> Result<Item<'a>> {
        let kind = self.i8()?;
        let data = self.take(length as usize)?;
        let mut reader = Self::new(data);
        Ok(match (kind, length) {
            (0, _) if sized => Item::Binary(data),
            (0, 1) => Item::Undefined,
            (0, 8) => {
                let high = reader.i32()?;
                date(Self::wide(high.into(), reader.u32()?))
            }
            (-1, 4) if !sized => date(f64::from(reader.u32()?) * 1e3),
            (-1, 8) if !sized => {
                let (high, low) = (reader.u32()?, reader.u32()?);
                let seconds = Self::wide(f64::from(high & 3), low);
                date(seconds * 1e3 + f64::from(high >> 2) / 1e6)
            }
            (-1, 12) if sized => {
                let nanoseconds = reader.u32()?;
                let high = reader.i32()?;
                let seconds = Self::wide(high.into(), reader.u32()?);
                date(seconds * 1e3 + f64::from(nanoseconds) / 1e6)
            }
            _ => Item::Extension(kind, data),
        })
    }

    /// Reads a value without looking at it.
    ///
    /// # Errors
    /// There is none.
    pub fn skip(&mut self) -> Result {
        // How many values are to come: each of them takes at least a byte, so this ends.
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            left += match self.item()? {
                Item::Array(count) => u64::from(count),
                Item::Map(count) => 2 * u64::from(count),
                Item::Nil
                | Item::Undefined
                | Item::Bool(_)
                | Item::Number(_)
                | Item::Text(_)
                | Item::Binary(_)
                | Item::Date(_)
                | Item::Extension(..) => 0,
            };
        }
        Ok(())
    }

    /// Reads a value and appends it as JSON, as `JSON.stringify` writes what it stands for. Bytes are put
    /// into `attachments`, and a placeholder is where they were.
    ///
    /// # Errors
    /// It is none, or nested too deeply.
    pub fn write_json(&mut self, json: &mut Vec<u8>, attachments: &mut Vec<&'a [u8]>) -> Result {
        let item = self.item()?;
        self.write_item(item, json, attachments, 0)
    }

    fn write_item(
        &mut self,
        item: Item<'a>,
        json: &mut Vec<u8>,
        attachments: &mut Vec<&'a [u8]>,
        depth: usize,
    ) -> Result {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        match item {
            Item::Nil | Item::Undefined => json.extend_from_slice(b"null"),
            Item::Bool(true) => json.extend_from_slice(b"true"),
            Item::Bool(false) => json.extend_from_slice(b"false"),
            Item::Number(number) => write_number(json, number),
            Item::Text(text) => write_text(json, text),
            Item::Binary(bytes) => write_placeholder(json, attachments, bytes),
            Item::Date(time) => write_date(json, time),
            Item::Extension(kind, bytes) => {
                json.push(b'[');
                write_number(json, kind.into());
                json.push(b',');
                write_placeholder(json, attachments, bytes);
                json.push(b']');
            }
            Item::Array(count) => {
                json.push(b'[');
                for n in 0..count {
                    if n > 0 {
                        json.push(b',');
                    }
                    let item = self.item()?;
                    self.write_item(item, json, attachments, depth + 1)?;
                }
                json.push(b']');
            }
            Item::Map(count) => {
                json.push(b'{');
                let mut first = true;
                for _ in 0..count {
                    let key = self.key()?;
                    let value = self.item()?;
                    // What is assigned to `__proto__` is no property of the object.
                    if key == Key::Text(b"__proto__") {
                        self.skip_rest_of(value)?;
                        continue;
                    }
                    if value == Item::Undefined {
                        continue;
                    }
                    if !std::mem::take(&mut first) {
                        json.push(b',');
                    }
                    match key {
                        Key::Text(text) => write_text(json, text),
                        Key::Number(number) => {
                            json.push(b'"');
                            write_number(json, number);
                            json.push(b'"');
                        }
                    }
                    json.push(b':');
                    self.write_item(value, json, attachments, depth + 1)?;
                }
                json.push(b'}');
            }
        }
        Ok(())
    }

    fn skip_rest_of(&mut self, item: Item<'_>) -> Result {
        let values = match item {
            Item::Array(count) => u64::from(count),
            Item::Map(count) => 2 * u64::from(count),
            _ => 0,
        };
        for _ in 0..values {
            self.skip()?;
        }
        Ok(())
    }

    /// The next key of a map.
    ///
    /// # Errors
    /// It is none: keys are texts, or whole numbers that JavaScript makes texts of.
    pub fn key(&mut self) -> Result<Key<'a>> {
        match self.item()? {
            Item::Text(text) => Ok(Key::Text(text)),
            Item::Number(number) if number.abs() < LARGEST_PLAIN && number.fract() == 0.0 => {
                Ok(Key::Number(number))
            }
            _ => Err(Malformed),
        }
    }
}

/// The key of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Key<'a> {
    /// A text.
    Text(&'a [u8]),
    /// A whole number.
    Number(f64),
}

/// A `Date`: JavaScript drops parts of a millisecond.
fn date(time: f64) -> Item<'static> {
    let time = time.trunc();
    Item::Date(if time.abs() <= LAST_TIME { time } else { f64::NAN })
}

fn write_text(json: &mut Vec<u8>, text: &[u8]) {
    match simdutf8::basic::from_utf8(text) {
        Ok(text) => write_utf8(json, text),
        Err(_) => write_utf8(json, &String::from_utf8_lossy(text)),
    }
}

fn write_placeholder<'a>(json: &mut Vec<u8>, attachments: &mut Vec<&'a [u8]>, bytes: &'a [u8]) {
    json.extend_from_slice(b"{\"_placeholder\":true,\"num\":");
    json.extend_from_slice(attachments.len().to_string().as_bytes());
    json.push(b'}');
    attachments.push(bytes);
}

#[expect(clippy::cast_possible_truncation, reason = "it is a whole number, and small")]
fn write_number(json: &mut Vec<u8>, number: f64) {
    if number.fract() == 0.0 && number.abs() < LARGEST_PLAIN {
        json.extend_from_slice((number as i64).to_string().as_bytes());
    } else if !number.is_finite() || serde_json::to_writer(&mut *json, &number).is_err() {
        json.extend_from_slice(b"null");
    }
}

/// As `Date.prototype.toISOString()` does; `null` for an invalid one.
#[expect(clippy::cast_possible_truncation, reason = "a date is a whole number within bounds")]
fn write_date(json: &mut Vec<u8>, time: f64) {
    const DAY: i64 = 86_400_000;
    if time.is_nan() {
        return json.extend_from_slice(b"null");
    }
    let time = time as i64;
    let (days, rest) = (time.div_euclid(DAY), time.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
    };
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    let (seconds, millis) = (rest / 1000 % 60, rest % 1000);
    let text =
        format!("\"{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z\"");
    json.extend_from_slice(text.as_bytes());
}

/// The day that comes so many days after 1970-01-01, in the Gregorian calendar: year, month, day.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that the leap day is the last of a year; 400 years have always as many days.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153; // 0 is March
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

// ── writing ──────────────────────────────────────────────────────────────────────────────────────

/// Appends a text.
pub fn write_str(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        #[expect(clippy::cast_possible_truncation, reason = "the length is small")]
        length @ 0..=31 => out.push(0xa0 | length as u8),
        length => sized(out, length, Some(0xd9), 0xda, 0xdb),
    }
    out.extend_from_slice(text);
}

/// Appends bytes.
pub fn write_bin(out: &mut Vec<u8>, bytes: &[u8]) {
    sized(out, bytes.len(), Some(0xc4), 0xc5, 0xc6);
    out.extend_from_slice(bytes);
}

/// Appends what an array of so many values begins with.
pub fn write_array(out: &mut Vec<u8>, count: usize) {
    compound(out, count, 0x90, 0xdc, 0xdd);
}

/// Appends what a map of so many pairs begins with.
pub fn write_map(out: &mut Vec<u8>, count: usize) {
    compound(out, count, 0x80, 0xde, 0xdf);
}

fn compound(out: &mut Vec<u8>, count: usize, fix: u8, word: u8, long: u8) {
    match count {
        #[expect(clippy::cast_possible_truncation, reason = "the count is small")]
        0..=15 => out.push(fix | count as u8),
        _ => sized(out, count, None, word, long),
    }
}

/// A kind, and a length in the shortest form that there is.
#[expect(clippy::cast_possible_truncation, reason = "each form has the lengths that fit")]
fn sized(out: &mut Vec<u8>, length: usize, byte: Option<u8>, word: u8, long: u8) {
    match (length, byte) {
        (0..=0xff, Some(kind)) => out.extend_from_slice(&[kind, length as u8]),
        (0..=0xffff, _) => {
            out.push(word);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(long);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

/// Appends a number in the form that notepack.io chooses. Whole numbers that 64 bits can't hold are written
/// as any other number, where it writes something else.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is looked at first whether the number fits"
)]
pub fn write_f64(out: &mut Vec<u8>, number: f64) {
    const TWO_64: f64 = 18_446_744_073_709_551_616.0;
    let whole = number.fract() == 0.0; // not for NaN and infinities
    if whole && (0.0..TWO_64).contains(&number) {
        match number as u64 {
            number @ 0..=0x7f => out.push(number as u8),
            number @ 0..=0xff => out.extend_from_slice(&[0xcc, number as u8]),
            number @ 0..=0xffff => tagged(out, 0xcd, &(number as u16).to_be_bytes()),
            number @ 0..=0xffff_ffff => tagged(out, 0xce, &(number as u32).to_be_bytes()),
            number => tagged(out, 0xcf, &number.to_be_bytes()),
        }
    } else if whole && (-TWO_64 / 2.0..0.0).contains(&number) {
        match number as i64 {
            number @ -0x20.. => out.push(number as u8),
            number @ -0x80.. => out.extend_from_slice(&[0xd0, number as u8]),
            number @ -0x8000.. => tagged(out, 0xd1, &(number as i16).to_be_bytes()),
            number @ -0x8000_0000.. => tagged(out, 0xd2, &(number as i32).to_be_bytes()),
            number => tagged(out, 0xd3, &number.to_be_bytes()),
        }
    } else {
        tagged(out, 0xcb, &number.to_be_bytes());
    }
}

fn tagged(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(bytes);
}
