//! What other nodes call rooms.

/// A room as other nodes name it. The number 5 and the text "5" are two rooms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RoomName<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Number(f64),
}

/// A number as the key of a `Map`: of zeros there is one.
pub(super) fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}
