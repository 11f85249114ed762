//! The proleptic Gregorian calendar, for the whole range of CEL timestamps.

const SECONDS_A_DAY: i64 = 86_400;
/// The days of a cycle of 400 years.
const DAYS_A_CYCLE: i64 = 146_097;

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub year: i64,
    /// 1 to 12
    pub month: i64,
    /// 1 to 31
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Civil {
    /// The civil time at a number of seconds since 1970.
    pub fn at(seconds: i64) -> Self {
        let (year, month, day) = date(seconds.div_euclid(SECONDS_A_DAY));
        let second = seconds.rem_euclid(SECONDS_A_DAY);
        Self { year, month, day, hour: second / 3600, minute: second / 60 % 60, second: second % 60 }
    }

    /// Seconds since 1970; `None` if there is no such date or time (leap seconds included).
    pub fn seconds(&self) -> Option<i64> {
        let days = days_since_epoch(self.year, self.month, self.day);
        let exists = (1..=12).contains(&self.month) && date(days) == (self.year, self.month, self.day);
        let in_day = self.hour < 24 && self.minute < 60 && self.second < 60;
        (exists && in_day).then_some(days * SECONDS_A_DAY + self.hour * 3600 + self.minute * 60 + self.second)
    }
}

/// Days since 1970-01-01. Years begin in March here, so that the leap day is the last of its year.
pub(super) fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let cycle = year.div_euclid(400);
    let year_of_cycle = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    // 1970-01-01 is day 719,468 counted from 0000-03-01.
    cycle * DAYS_A_CYCLE + day_of_cycle - 719_468
}

/// Year, month and day of a number of days since 1970.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let cycle = days.div_euclid(DAYS_A_CYCLE);
    let day_of_cycle = days.rem_euclid(DAYS_A_CYCLE);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_agree_over_the_whole_range() {
        let (first, last) = (days_since_epoch(1, 1, 1), days_since_epoch(9999, 12, 31));
        let mut previous = date(first - 1);
        for days in first..=last {
            let (year, month, day) = date(days);
            assert_eq!(days_since_epoch(year, month, day), days, "{year}-{month}-{day}");
            assert!((year, month, day) > previous, "{year}-{month}-{day} follows {previous:?}");
            previous = (year, month, day);
        }
    }

    #[test]
    fn days_that_do_not_exist_have_no_seconds() {
        let midnight = |year, month, day| Civil { year, month, day, hour: 0, minute: 0, second: 0 };
        assert_eq!(midnight(1970, 1, 1).seconds(), Some(0));
        assert_eq!(midnight(2000, 2, 29).seconds(), Some(951_782_400));
        for (year, month, day) in
            [(1900, 2, 29), (2023, 2, 29), (2023, 4, 31), (2023, 13, 1), (2023, 0, 1), (2023, 1, 0)]
        {
            assert_eq!(midnight(year, month, day).seconds(), None, "{year}-{month}-{day}");
        }
    }
}
