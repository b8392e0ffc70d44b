//! Moments as S3 writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment as signatures have it: `20130524T000000Z`.
pub struct Timestamp(String);

impl Timestamp {
    pub fn of(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let (year, month, day) = date_of(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        Timestamp(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The moment that such a text means.
    pub fn parse(text: &str) -> Option<SystemTime> {
        let [year, month, day] = [text.get(..4)?, text.get(4..6)?, text.get(6..8)?];
        let [hour, minute, second] = [text.get(9..11)?, text.get(11..13)?, text.get(13..15)?];
        let between = [text.get(8..9)?, text.get(15..)?];
        (between == ["T", "Z"]).then(|| parse_iso(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")))?
    }

    /// `20130524`.
    pub fn day(&self) -> &str {
        self.0.split('T').next().unwrap_or_default()
    }
}

const DAYS_TO_1970: u64 = 719_468;
const DAYS_OF_400_YEARS: u64 = 146_097;

/// The Gregorian date of a day since 1970.  Years are counted from March, so that leap days come last.
fn date_of(day: u64) -> (u64, u64, u64) {
    let day = day + DAYS_TO_1970;
    let (era, day) = (day / DAYS_OF_400_YEARS, day % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, date)
}

/// The day since 1970 of a Gregorian date.
fn day_of(year: u64, month: u64, date: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, year) = (year / 400, year % 400);
    let day = 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + date - 1;
    (era * DAYS_OF_400_YEARS + day).checked_sub(DAYS_TO_1970)
}

/// The moment that listings write as `2010-11-10T20:48:33.000Z`.
pub fn parse_iso(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let time = time.split('.').next()?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = day_of(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Three numbers of these many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_in_utc() {
        for (seconds, stamp, iso) in [
            (0, "19700101T000000Z", "1970-01-01T00:00:00Z"),
            (951_782_399, "20000228T235959Z", "2000-02-28T23:59:59.999Z"),
            (951_782_400, "20000229T000000Z", "2000-02-29T00:00:00.000Z"),
            (951_868_800, "20000301T000000Z", "2000-03-01T00:00:00.000Z"),
            (1_369_353_600, "20130524T000000Z", "2013-05-24T00:00:00.000Z"),
            (1_735_689_599, "20241231T235959Z", "2024-12-31T23:59:59.123456Z"),
            (4_107_542_400, "21000301T000000Z", "2100-03-01T00:00:00.000Z"),
            (253_402_300_799, "99991231T235959Z", "9999-12-31T23:59:59.000Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Timestamp::of(time).as_str(), stamp);
            assert_eq!(Timestamp::parse(stamp), Some(time), "{stamp}");
            assert_eq!(parse_iso(iso), Some(time), "{iso}");
        }
        assert_eq!(Timestamp::of(UNIX_EPOCH - Duration::from_secs(1)).as_str(), "19700101T000000Z");
        assert_eq!(Timestamp::of(UNIX_EPOCH).day(), "19700101");
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "Z",
            "T",
            "2010-11-10",
            "2010-11-10T20:48:33",
            "2010-13-10T20:48:33Z",
            "2010-00-10T20:48:33Z",
            "2010-11-32T20:48:33Z",
            "2010-11-10T24:48:33Z",
            "2010-11-10T20:48:33:00Z",
            "1960-11-10T20:48:33Z",
            "0000-01-01T00:00:00Z",
            "+010-11-10T20:48:33Z",
            "2010-11-1 T20:48:33Z",
            "٢٠١٠-11-10T20:48:33Z",
        ] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
        for text in ["", "20130524", "20130524T000000", "20130524T000000ZZ", "20130524 000000Z", "20131324T000000Z"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
