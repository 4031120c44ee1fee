//! Dates in sentences.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::cloud::LastUse;

/// A time for people to read, to the second.
pub fn date(time: SystemTime) -> String {
    let text = DateTime::from_secs(DateTime::from(time).secs()).fmt(Format::DateTime);
    text.unwrap_or_else(|_| "a date out of range".to_owned())
}

/// Whether a time is on the first day of a month, in UTC.
pub fn is_first_of_month(time: SystemTime) -> bool {
    date(time).get(8..10) == Some("01")
}

/// When, for which service and where a key was last used, as a clause.
pub fn used(last: &LastUse) -> String {
    let LastUse {
        date: at,
        service,
        region,
    } = last;
    format!(
        "last used on {} for service `{service}` in `{region}`",
        date(*at)
    )
}
