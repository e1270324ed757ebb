//! How a time is spelled in `token_expires_at`.
//!
//! Owns the spellings that apps use, so that a new time is written the way the app wrote the one before: as seconds, as
//! Python's `isoformat()`, as `str()` of Django's datetime, as RFC 3339. It reads no clock.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, Unit};

/// How a time is spelled, to the digits of its fraction. [`Spelling::default`] is for where none was written yet: every
/// reader of RFC 3339 takes it, and every Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Since 1970, in seconds with that many decimals.
    Seconds(usize),
    /// Since 1970, in milliseconds.
    Milliseconds,
    /// `2026-01-02T03:04:05.678901+00:00`, in parts.
    Calendar { separator: char, decimals: usize, zone: Zone },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// Not written; the clock that is meant is that far from UTC.
    Silent(Offset),
    /// `Z`, or `z`.
    Letter(char),
    /// `+00:00`.
    Colon(Offset),
    /// `+0000`.
    Digits(Offset),
}

impl Default for Spelling {
    fn default() -> Spelling {
        Spelling(Kind::Calendar { separator: 'T', decimals: 0, zone: Zone::Colon(Offset::UTC) })
    }
}

impl Spelling {
    /// Reads a time and how it is spelled; nothing where it is spelled in no way that is known.
    ///
    /// A time without a zone is of UTC, as in a container, unless `ends` says otherwise: where the token itself says
    /// when it ends, and the two are apart by whole quarters of an hour, the app writes its local time.
    pub fn read(text: &str, ends: Option<Timestamp>) -> Option<(Spelling, Timestamp)> {
        let (kind, at) = since_1970(text).or_else(|| calendar(text, ends))?;
        Some((Spelling(kind), at))
    }

    /// Spells another time in the same way. What is finer than its last digit is cut off: never later than it is.
    pub fn write(self, at: Timestamp) -> String {
        match self.0 {
            Kind::Seconds(decimals) => {
                let nanos = at.as_nanosecond();
                let (second, rest) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
                format!("{second}{}", fraction(rest, decimals))
            }
            Kind::Milliseconds => at.as_nanosecond().div_euclid(1_000_000).to_string(),
            Kind::Calendar { separator, decimals, zone } => {
                let there = zone.offset().to_datetime(at);
                let rest = fraction(i128::from(there.subsec_nanosecond()), decimals);
                let (date, time) = (there.date(), there.time());
                let clock = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
                format!("{date}{separator}{clock}{rest}{}", zone.written())
            }
        }
    }
}

/// The fraction of a second, given in nanoseconds.
fn fraction(nanos: i128, decimals: usize) -> String {
    if decimals == 0 { String::new() } else { format!(".{}", &format!("{nanos:09}")[..decimals]) }
}

impl Zone {
    fn offset(self) -> Offset {
        match self {
            Zone::Letter(_) => Offset::UTC,
            Zone::Silent(offset) | Zone::Colon(offset) | Zone::Digits(offset) => offset,
        }
    }

    fn written(self) -> String {
        let (offset, colon) = match self {
            Zone::Silent(_) => return String::new(),
            Zone::Letter(letter) => return letter.to_string(),
            Zone::Colon(offset) => (offset, ":"),
            Zone::Digits(offset) => (offset, ""),
        };
        let sign = if offset.seconds() < 0 { '-' } else { '+' };
        let minutes = offset.seconds().abs() / 60;
        format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
    }
}

/// Ten digits are seconds until 2286, thirteen are milliseconds.
fn since_1970(text: &str) -> Option<(Kind, Timestamp)> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(rest) || rest.len() > 9 || text.ends_with('.') {
        return None;
    }
    match (whole.len(), text.len()) {
        (10, _) => {
            let nanos: i32 = format!("{rest:0<9}").parse().ok()?;
            let at = Timestamp::new(whole.parse().ok()?, nanos).ok()?;
            Some((Kind::Seconds(rest.len()), at))
        }
        (13, 13) => Some((Kind::Milliseconds, Timestamp::from_millisecond(whole.parse().ok()?).ok()?)),
        _ => None,
    }
}

fn calendar(text: &str, ends: Option<Timestamp>) -> Option<(Kind, Timestamp)> {
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let separator = char::from(text.as_bytes()[10]);
    if !matches!(separator, 'T' | 't' | ' ') {
        return None;
    }
    let (clock, rest) = text.split_at(19);
    let plain =
        |at: usize, byte: u8| if [4, 7, 10, 13, 16].contains(&at) { true } else { byte.is_ascii_digit() };
    if !clock.bytes().enumerate().all(|(at, byte)| plain(at, byte)) {
        return None;
    }
    let decimals = match rest.strip_prefix('.') {
        None => 0,
        Some(rest) => rest.bytes().take_while(u8::is_ascii_digit).count(),
    };
    let is_bare_point = rest.starts_with('.') && decimals == 0;
    if decimals > 9 || is_bare_point {
        return None;
    }
    let (fraction, zone) = rest.split_at(if decimals == 0 { 0 } else { decimals + 1 });
    let there: DateTime = format!("{}T{}{fraction}", &clock[..10], &clock[11..]).parse().ok()?;
    // A leap second has no second of its own.
    if &clock[17..] == "60" {
        return None;
    }
    let zone = match zone {
        "" => Zone::Silent(silent(there, ends)),
        "Z" | "z" => Zone::Letter(char::from(zone.as_bytes()[0])),
        zone => numbered(zone)?,
    };
    let at = zone.offset().to_timestamp(there).ok()?;
    Some((Kind::Calendar { separator, decimals, zone }, at))
}

/// `+HH:MM` or `+HHMM`.
fn numbered(zone: &str) -> Option<Zone> {
    let sign = match zone.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = zone[1..].replacen(':', "", 1);
    let has_colon = zone.as_bytes().get(3) == Some(&b':');
    let is_plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || zone.len() != if has_colon { 6 } else { 5 } {
        return None;
    }
    let (hours, minutes): (i32, i32) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    if minutes > 59 {
        return None;
    }
    let offset = Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()?;
    // "-00:00" would be written back as "+00:00".
    (sign > 0 || offset != Offset::UTC).then_some(())?;
    Some(if has_colon { Zone::Colon(offset) } else { Zone::Digits(offset) })
}

/// The zone of a time that names none: UTC, or as far from it as the token's own end is.
fn silent(there: DateTime, ends: Option<Timestamp>) -> Offset {
    let quarters = || {
        let apart = Offset::UTC.to_timestamp(there).ok()?.duration_since(ends?);
        let quarter = SignedDuration::from_mins(15);
        let round = jiff::SignedDurationRound::new().smallest(Unit::Minute).increment(15);
        let whole = apart.round(round).ok()?;
        // An app adds the token's life to its own clock, some seconds after Xero did, or before to be safe.
        let is_near = (apart - whole).abs() <= quarter / 3;
        let is_zone = whole.abs() <= SignedDuration::from_hours(14);
        if !is_near || !is_zone {
            return None;
        }
        Offset::from_seconds(i32::try_from(whole.as_secs()).ok()?).ok()
    };
    quarters().unwrap_or(Offset::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn again(text: &str, at: &str) -> String {
        let (spelling, read) = Spelling::read(text, None).unwrap_or_else(|| panic!("{text} is not read"));
        let later = time("2027-06-07T08:09:10.123456789Z");
        assert_eq!(read, time(at), "{text}");
        assert_eq!(spelling.write(read), text);
        spelling.write(later)
    }

    #[test]
    fn a_time_is_written_as_the_one_before_it_was() {
        let at = "2026-11-22T14:30:05Z";
        assert_eq!(again("1795357805", at), "1812355750");
        assert_eq!(again("1795357805.25", "2026-11-22T14:30:05.25Z"), "1812355750.12");
        assert_eq!(again("1795357805000", at), "1812355750123");
        assert_eq!(again("2026-11-22T14:30:05Z", at), "2027-06-07T08:09:10Z");
        assert_eq!(again("2026-11-22T14:30:05.000Z", at), "2027-06-07T08:09:10.123Z");
        assert_eq!(again("2026-11-22T14:30:05", at), "2027-06-07T08:09:10");
        assert_eq!(again("2026-11-22T14:30:05.000000", at), "2027-06-07T08:09:10.123456");
        assert_eq!(again("2026-11-22T14:30:05+00:00", at), "2027-06-07T08:09:10+00:00");
        assert_eq!(
            again("2026-11-22 14:30:05.000001+00:00", "2026-11-22T14:30:05.000001Z"),
            "2027-06-07 08:09:10.123456+00:00"
        );
        assert_eq!(again("2026-11-23T01:30:05+11:00", at), "2027-06-07T19:09:10+11:00");
        assert_eq!(again("2026-11-22 11:00:05-0330", at), "2027-06-07 04:39:10-0330");
    }

    #[test]
    fn a_time_without_a_zone_is_of_the_zone_that_the_token_shows_it_to_be() {
        let local = |text: &str, ends: &str| {
            let (spelling, at) = Spelling::read(text, Some(time(ends))).unwrap();
            (spelling.write(at), at.to_string())
        };
        let auckland = "2026-11-23T03:30:05.000007";
        assert_eq!(
            local(auckland, "2026-11-22T14:30:03Z"),
            (auckland.to_owned(), "2026-11-22T14:30:05.000007Z".to_owned())
        );
        let utc = "2026-11-22 14:29:05";
        assert_eq!(local(utc, "2026-11-22T14:30:03Z").1, "2026-11-22T14:29:05Z");
        // Of a pair that is long gone the two have nothing to do with each other.
        assert_eq!(local(utc, "2026-10-02T11:11:11Z").1, "2026-11-22T14:29:05Z");
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "soon",
            "1800",
            "17953578051",
            "1795357805.",
            ".5",
            "-1795357805",
            "1795357805e0",
            "2026-11-22",
            "2026-11-22T14:30",
            "2026-13-22T14:30:05Z",
            "2026-11-22T24:30:05Z",
            "2026-11-22T14:30:60Z",
            "2026-11-22T14:30:05 UTC",
            "2026-11-22T14:30:05.Z",
            "2026-11-22T14:30:05+1",
            "2026-11-22T14:30:05-00:00",
            "2026-11-22x14:30:05",
            "2026-11-22T14:30:05+25:00:00",
            "2026-11-22T14:30:05Z\n",
            "２026-11-22T14:30:05Z",
        ] {
            assert_eq!(Spelling::read(text, None), None, "{text}");
        }
    }

    fn spellings() -> impl Strategy<Value = Spelling> {
        let decimals = 0_usize..=9;
        let offset = (-56_i32..=56).prop_map(|quarters| Offset::from_seconds(quarters * 900).unwrap());
        let zone = (offset, 0..4, any::<bool>()).prop_map(|(offset, kind, small)| match kind {
            0 => Zone::Silent(Offset::UTC),
            1 => Zone::Letter(if small { 'z' } else { 'Z' }),
            2 => Zone::Colon(offset),
            _ => Zone::Digits(offset),
        });
        let separator = prop::sample::select(vec!['T', 't', ' ']);
        let calendar = (separator, decimals.clone(), zone)
            .prop_map(|(separator, decimals, zone)| Kind::Calendar { separator, decimals, zone });
        prop_oneof![decimals.prop_map(Kind::Seconds), Just(Kind::Milliseconds), calendar].prop_map(Spelling)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was_spelled_and_never_later(
            spelling in spellings(),
            second in 1_000_000_000_i64..9_999_999_999,
            nano in 0_i32..1_000_000_000,
        ) {
            let at = Timestamp::new(second, nano).unwrap();
            let text = spelling.write(at);
            let (read, time) = Spelling::read(&text, None).unwrap();
            prop_assert_eq!(read, spelling, "{}", &text);
            prop_assert!(time <= at && at.duration_since(time) < SignedDuration::from_secs(1), "{}", &text);
            prop_assert_eq!(read.write(time), text);
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC*", dated in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+Z-]{0,20}") {
            let _ = Spelling::read(&text, None);
            if let Some((spelling, at)) = Spelling::read(&dated, None) {
                prop_assert_eq!(spelling.write(at), dated);
            }
        }
    }
}
