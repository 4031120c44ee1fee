//! Where an answer goes: a pre-signed URL, which is a capability and therefore unprintable.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::Uri;
use secrecy::{ExposeSecret, SecretString};

/// The DNS suffixes of AWS's partitions, as the SDK's endpoint rules list them. Services take the hosts below them.
const AWS_SUFFIXES: [&str; 7] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// The hosts that answers may go to.
#[derive(Clone, Debug)]
pub struct ResponseOrigins {
    suffixes: Vec<String>,
    extra: Vec<Origin>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// `None` if the scheme is not HTTP's or something is missing.
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?;
        let default_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        Some(Self {
            scheme: scheme.to_owned(),
            host: uri.host()?.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(default_port),
        })
    }
}

impl ResponseOrigins {
    /// Admits `https` hosts of AWS, those under `url_suffix` included, and the comma-separated `extra` origins such as
    /// `http://localhost:4566`. What is no origin admits nothing.
    #[must_use]
    pub fn new(url_suffix: &str, extra: &str) -> Self {
        let mut suffixes = AWS_SUFFIXES.map(str::to_owned).to_vec();
        // A suffix of one label would admit half of the internet.
        if url_suffix.contains('.') && !url_suffix.starts_with('.') {
            suffixes.push(url_suffix.to_ascii_lowercase());
        }
        let origin = |text: &str| Origin::of(&text.trim().parse().ok()?);
        Self {
            suffixes,
            extra: extra.split(',').filter_map(origin).collect(),
        }
    }

    fn admit(&self, origin: &Origin) -> bool {
        let below = |suffix: &String| {
            origin
                .host
                .strip_suffix(suffix.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        };
        let aws = origin.scheme == "https" && origin.port == 443 && self.suffixes.iter().any(below);
        aws || self.extra.contains(origin)
    }
}

/// The pre-signed URL that an answer is put to. Whoever has it can answer in our place, so it never prints.
#[derive(Clone)]
pub struct ResponseUrl {
    url: SecretString,
    host: String,
}

/// Why a URL cannot be answered to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// It is no URL.
    #[error("its `ResponseURL` is not a URL")]
    Unreadable,
    /// Its origin is not admitted.
    #[error(
        "its `ResponseURL` goes to `{0}`, which is neither https under an AWS domain nor an origin in \
         `EXTRA_RESPONSE_ORIGINS`"
    )]
    Origin(String),
}

impl ResponseUrl {
    /// Takes a URL as CloudFormation gave it; it is never taken apart and put together again, for its escapes are signed.
    ///
    /// # Errors
    /// Why no answer can go there.
    pub fn parse(url: &str, origins: &ResponseOrigins) -> Result<Self, UrlRefused> {
        let uri: Uri = url.parse().map_err(|_| UrlRefused::Unreadable)?;
        let origin = Origin::of(&uri).ok_or(UrlRefused::Unreadable)?;
        // What stands before an `@` may be a password, and no signature needs it.
        let credentials = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        if credentials || !origins.admit(&origin) {
            let Origin { scheme, host, port } = origin;
            return Err(UrlRefused::Origin(format!("{scheme}://{host}:{port}")));
        }
        Ok(Self {
            url: url.into(),
            host: origin.host,
        })
    }

    /// The URL itself, for the one request that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }

    /// For how long nobody has waited for the answer any more, at the time `now`, when CloudFormation `waits` so long;
    /// `None` if it still does, or the URL does not tell.
    ///
    /// Signature version 4 tells when the URL was made, version 2 when it ceases to work.
    #[must_use]
    pub fn overdue(&self, now: SystemTime, waits: Duration) -> Option<Duration> {
        let (_, query) = self.expose().split_once('?')?;
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let end = match (parameter("X-Amz-Date"), parameter("Expires")) {
            (Some(date), _) => compact_date(date)?.checked_add(waits)?,
            (None, Some(seconds)) => {
                SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.parse().ok()?))?
            }
            (None, None) => return None,
        };
        now.duration_since(end).ok()
    }
}

/// Reads `20261123T182340Z`, the form of signature version 4.
fn compact_date(text: &str) -> Option<SystemTime> {
    let part = |range: std::ops::Range<usize>| text.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(9..11)?, part(11..13)?, part(13..15)?);
    let date = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    DateTime::from_str(&date, Format::DateTime)
        .ok()?
        .try_into()
        .ok()
}

impl fmt::Display for ResponseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseUrl({})", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/arn%3Aaws%3A\
        cloudformation%3Aeu-west-1%3A123456789012%3Astack/publisher/guid%7CAccess%7Crequest?X-Amz-Algorithm=AWS4-HMAC-\
        SHA256&X-Amz-Date=20261123T182340Z&X-Amz-SignedHeaders=host&X-Amz-Expires=7200&X-Amz-Signature=canary";

    fn parse(url: &str, extra: &str) -> Result<ResponseUrl, UrlRefused> {
        ResponseUrl::parse(url, &ResponseOrigins::new("amazonaws.com", extra))
    }

    fn at(rfc3339: &str) -> SystemTime {
        DateTime::from_str(rfc3339, Format::DateTime)
            .unwrap()
            .try_into()
            .unwrap()
    }

    #[test]
    fn urls_of_every_partition_are_taken_unchanged() {
        assert_eq!(parse(URL, "").unwrap().expose(), URL);
        for suffix in AWS_SUFFIXES {
            let url = URL.replace("amazonaws.com", suffix);
            assert_eq!(parse(&url, "").unwrap().expose(), url);
        }
    }

    #[test]
    fn a_suffix_from_the_template_is_admitted_beside_the_known_ones() {
        let origins = ResponseOrigins::new("aws.example", "");
        let url = |host: &str| ResponseUrl::parse(&format!("https://{host}/x"), &origins);
        assert!(url("s3.aws.example").is_ok() && url("s3.amazonaws.com").is_ok());
        assert!(url("aws.example").is_err() && url("s3.example").is_err());
    }

    #[test]
    fn a_suffix_of_one_label_admits_nothing() {
        for suffix in ["", "com", ".com"] {
            let origins = ResponseOrigins::new(suffix, "");
            assert!(
                ResponseUrl::parse("https://evil.com/", &origins).is_err(),
                "{suffix}"
            );
        }
    }

    #[test]
    fn anything_but_https_on_its_own_port_under_an_aws_suffix_is_refused() {
        for url in [
            "http://bucket.s3.amazonaws.com/x",
            "https://bucket.s3.amazonaws.com:8443/x",
            "https://amazonaws.com/x",
            "https://.amazonaws.com/x",
            "https://evilamazonaws.com/x",
            "https://bucket.s3.amazonaws.com.evil.example/x",
            "https://evil.example/bucket.s3.amazonaws.com",
            "https://bucket.s3.amazonaws.com@evil.example/x",
            "https://user:password@bucket.s3.amazonaws.com/x",
            "https://169.254.169.254/x",
            "https://[::1]/x",
            "ftp://bucket.s3.amazonaws.com/x",
            "bucket.s3.amazonaws.com/x",
            "/x",
            "",
            "not a url",
        ] {
            assert!(parse(url, "").is_err(), "{url}");
        }
    }

    #[test]
    fn an_extra_origin_is_admitted_with_exactly_its_scheme_host_and_port() {
        let extra = "http://localhost:4566, https://emulator.example,nonsense,,";
        for url in [
            "http://localhost:4566/x",
            "http://LOCALHOST:4566/x",
            "https://emulator.example:443/x",
        ] {
            assert!(parse(url, extra).is_ok(), "{url}");
        }
        for url in [
            "http://localhost/x",
            "https://localhost:4566/x",
            "http://emulator.example/x",
            "http://a.localhost:4566/",
        ] {
            assert!(parse(url, extra).is_err(), "{url}");
        }
    }

    #[test]
    fn neither_debug_nor_display_nor_a_refusal_shows_more_than_the_origin() {
        let url = parse(URL, "").unwrap();
        let refused = parse(&URL.replace("https", "http"), "").unwrap_err();
        let other = parse("https://user:canary@evil.example/canary?canary", "").unwrap_err();
        for shown in [
            format!("{url}"),
            format!("{url:?}"),
            format!("{refused} {refused:?}"),
            format!("{other} {other:?}"),
        ] {
            assert!(
                !shown.contains("canary") && !shown.contains("arn"),
                "{shown}"
            );
        }
        assert!(format!("{url:?}").contains("s3-eu-west-1.amazonaws.com"));
    }

    #[test]
    fn a_version_4_url_is_overdue_when_the_service_timeout_has_passed_since_it_was_made() {
        let url = parse(URL, "").unwrap();
        let waits = Duration::from_secs(300);
        assert_eq!(url.overdue(at("2026-11-23T18:28:39Z"), waits), None);
        assert_eq!(
            url.overdue(at("2026-11-23T18:28:50Z"), waits),
            Some(Duration::from_secs(10))
        );
    }

    #[test]
    fn a_version_2_url_is_overdue_when_it_has_expired() {
        let url = parse(
            "https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Expires=1000&Signature=S",
            "",
        )
        .unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1030);
        assert_eq!(
            url.overdue(now, Duration::from_secs(3600)),
            Some(Duration::from_secs(30))
        );
    }

    #[test]
    fn a_url_that_does_not_tell_its_age_is_never_overdue() {
        for query in [
            "",
            "?",
            "?X-Amz-Date=yesterday",
            "?X-Amz-Date=",
            "?Expires=soon",
            "?X-Amz-Date=2026112éT182340Z",
        ] {
            let Ok(url) = parse(&format!("https://b.s3.amazonaws.com/k{query}"), "") else {
                continue;
            };
            assert_eq!(
                url.overdue(SystemTime::now(), Duration::ZERO),
                None,
                "{query}"
            );
        }
    }
}
