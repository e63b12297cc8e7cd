//! When a server wants to be asked again (RFC 9110 section 10.2.3).

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The pause that an answer asks for, in seconds or until a date, within bounds. None if it asks for none.
pub(crate) fn of(headers: &HeaderMap, bounds: &RangeInclusive<Duration>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // A date that is over asks for no pause.
        Err(_) => {
            httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(pause.clamp(*bounds.start(), *bounds.end()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn pause(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        of(&headers, &(Duration::from_secs(1)..=Duration::from_secs(3_600)))
    }

    #[test]
    fn seconds_and_dates_within_bounds() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pause("120"), seconds(120));
        assert_eq!((pause("0"), pause("999999")), (seconds(1), seconds(3_600)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT"), seconds(1));
        assert_eq!(pause("Fri, 31 Dec 9999 23:59:59 GMT"), seconds(3_600));
        let soon = pause(&httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1_800)));
        assert!(
            soon.is_some_and(|soon| soon > Duration::from_secs(600) && soon <= Duration::from_secs(1_800))
        );
        assert_eq!((pause("soon"), pause("-1")), (None, None));
        assert_eq!(of(&HeaderMap::new(), &(Duration::ZERO..=Duration::MAX)), None);
    }
}
