//! Where an answer goes: a pre-signed URL, which is a capability and therefore unprintable.

use std::fmt;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::Uri;
use secrecy::{ExposeSecret, SecretString};

/// The DNS suffixes of AWS's partitions, as the SDK's endpoint rules list them. Services use hosts below them.
const AWS_SUFFIXES: [&str; 7] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

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
    /// `None` if the scheme is not HTTP or HTTPS, or something is missing.
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
    /// `http://localhost:4566`. Text that is not an origin admits nothing.
    pub fn new(url_suffix: &str, extra: &str) -> Self {
        let mut suffixes = AWS_SUFFIXES.map(str::to_owned).to_vec();
        // A suffix of one label would admit half of the Internet.
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

/// The pre-signed URL for the answer. Whoever has it can answer in our place, so it never prints.
#[derive(Clone)]
pub struct ResponseUrl {
    url: SecretString,
    host: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseUrlError {
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
    /// Takes a URL as CloudFormation gave it. The text is kept as it is, because its escapes are signed.
    pub fn parse(url: &str, origins: &ResponseOrigins) -> Result<Self, ResponseUrlError> {
        let uri: Uri = url.parse().map_err(|_| ResponseUrlError::Unreadable)?;
        let origin = Origin::of(&uri).ok_or(ResponseUrlError::Unreadable)?;
        // Text before an `@` may be a password, and no signature needs it.
        let credentials = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        if credentials || !origins.admit(&origin) {
            let Origin { scheme, host, port } = origin;
            return Err(ResponseUrlError::Origin(format!(
                "{scheme}://{host}:{port}"
            )));
        }
        Ok(Self {
            url: url.into(),
            host: origin.host,
        })
    }

    /// The URL itself, for the one request that needs it.
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }

    /// When CloudFormation made the URL, and so sent the request; `None` if the URL does not say (signature version 4 does).
    pub fn sent(&self) -> Option<SystemTime> {
        let (_, query) = self.expose().split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, date) = pairs.find(|(key, _)| *key == "X-Amz-Date")?;
        compact_date(date)
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
