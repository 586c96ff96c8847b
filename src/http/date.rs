//! The header `Date` (RFC 9110 §5.6.7: IMF-fixdate).

/// Length of a date.
pub const LEN: usize = 29;

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const SECONDS_PER_DAY: u64 = 86_400;
/// Days from 0000-03-01, where the computation below begins its years, to 1970-01-01.
const EPOCH: u64 = 719_468;
/// Days of 400 years.
const ERA: u64 = 146_097;

/// Writes `seconds` since 1970-01-01 00:00:00 UTC as `Thu, 01 Jan 1970 00:00:00 GMT`.
pub fn format(seconds: u64) -> [u8; LEN] {
    let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    // Years that begin with March have their leap day at their end, so months need no cases.
    let from_march = days + EPOCH;
    let day_of_era = from_march % ERA;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = year_of_era + from_march / ERA * 400 + u64::from(month < 2);

    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    out[..3].copy_from_slice(name(&DAYS, days % 7));
    two_digits(&mut out[5..7], day);
    out[8..11].copy_from_slice(name(&MONTHS, month));
    two_digits(&mut out[12..14], year / 100);
    two_digits(&mut out[14..16], year);
    two_digits(&mut out[17..19], second / 3_600);
    two_digits(&mut out[20..22], second / 60 % 60);
    two_digits(&mut out[23..25], second % 60);
    out
}

fn name(names: &[&'static [u8; 3]], index: u64) -> &'static [u8; 3] {
    names[usize::try_from(index).expect("it is the rest of a division by a small number")]
}

fn two_digits(out: &mut [u8], n: u64) {
    let n = u8::try_from(n % 100).expect("it is below a hundred");
    out.copy_from_slice(&[b'0' + n / 10, b'0' + n % 10]);
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(std::str::from_utf8(&format(seconds)).unwrap(), text);
        }
    }
}
