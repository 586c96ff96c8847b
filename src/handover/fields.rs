//! The body of a message: fields, each its name (a byte), its length (`u32`, little-endian) and its bytes.

use super::error::Invalid;

type Result<T> = std::result::Result<T, Invalid>;

/// Appends a field.
pub(super) fn write(out: &mut Vec<u8>, name: u8, bytes: &[u8]) {
    write_parts(out, name, &[bytes]);
}

/// Appends a field that is made of parts.
pub(super) fn write_parts(out: &mut Vec<u8>, name: u8, parts: &[&[u8]]) {
    out.push(name);
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // A body that is too long is found to be so when it is whole.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// The fields of a body, in order.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// The next one.
    pub(super) fn next_field(&mut self) -> Result<Option<(u8, &'a [u8])>> {
        let Some((name, rest)) = self.0.split_first() else { return Ok(None) };
        let (length, rest) = rest.split_first_chunk().ok_or(Invalid::Damaged)?;
        let (bytes, rest) =
            rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(Invalid::Damaged)?;
        self.0 = rest;
        Ok(Some((*name, bytes)))
    }
}

/// Sets what a field says that may be there once.
pub(super) fn once<T>(place: &mut Option<T>, value: T) -> Result<()> {
    if place.replace(value).is_some() { Err(Invalid::Damaged) } else { Ok(()) }
}

pub(super) fn u32(bytes: &[u8]) -> Result<u32> {
    bytes.try_into().map(u32::from_le_bytes).map_err(|_| Invalid::Damaged)
}

pub(super) fn u64(bytes: &[u8]) -> Result<u64> {
    bytes.try_into().map(u64::from_le_bytes).map_err(|_| Invalid::Damaged)
}

pub(super) fn text(bytes: &[u8]) -> Result<String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Invalid::Damaged)
}
