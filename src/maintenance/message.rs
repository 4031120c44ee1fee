//! The messages that people get. Each says what happened, what to do, and where the secret and the log are. None
//! contains a secret.

use std::fmt::Write;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::Settings;
use crate::cloud::{LastUse, Message};
use crate::plan::{HeldUp, Protection};

/// There is a new current key.
pub(super) fn new_key(settings: &Settings, time: &str) -> Message {
    let user = &settings.desired.user;
    let until = match settings.rotation_days {
        0 => "`KeySerial` is raised again".to_owned(),
        days => format!(
            "the next rotation ({days} days after this one), which ends it once nobody has used it for a while"
        ),
    };
    message(
        settings,
        "paste the new key into Publisher",
        &format!("IAM user {user} has had a new access key since {time}."),
        &format!(
            "Paste the key from the secret into DNAstack Publisher, within 10 days. The key before it works until {until}."
        ),
    )
}

/// A rotation was held up.
pub(super) fn held_up(settings: &Settings, held_up: &HeldUp) -> Message {
    message(
        settings,
        "key rotation held up",
        &format!(
            "A scheduled rotation of the access key was held up, and no key was changed: {}.",
            why_held_up(held_up)
        ),
        "Paste the key from the secret into DNAstack Publisher. The next rotation ends the other key once nobody has used \
         it for a while; links that Publisher signed with it count as use. To end it regardless, raise KeySerial in the \
         stack's parameters.",
    )
}

/// Why a rotation was held up, as a clause.
pub(super) fn why_held_up(HeldUp { key, why }: &HeldUp) -> String {
    match why {
        Protection::Used(last) => format!("it would end key `{key}`, which was {}", used(last)),
        Protection::Young(created) => format!(
            "it would end key `{key}`, which was made on {} and never used as far as AWS knows, so someone may be \
             about to use it",
            date(*created)
        ),
        Protection::Unreadable(error) => {
            format!("it would end key `{key}`, whose last use cannot be read ({error})")
        }
    }
}

/// What a check has found.
pub(super) fn findings(settings: &Settings, findings: &[&str]) -> Message {
    let mut what = "The daily check of Publisher's read access found:".to_owned();
    for finding in findings {
        let _ = write!(what, "\n- {finding}.");
    }
    message(
        settings,
        "access needs attention",
        &what,
        "Each line says what to do. The check changed nothing. To check again, run `make status` in the release's \
         repository, or invoke the function with {\"check\": {}}.",
    )
}

/// When, for which service and where a key was last used, as a clause.
pub(super) fn used(last: &LastUse) -> String {
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

/// A time for people to read.
pub(super) fn date(time: SystemTime) -> String {
    let text = DateTime::from_secs(DateTime::from(time).secs()).fmt(Format::DateTime);
    text.unwrap_or_else(|_| "a date out of range".to_owned())
}

fn message(settings: &Settings, subject: &str, what: &str, to_do: &str) -> Message {
    let stack = &settings.owner.stack;
    let user = &settings.desired.user;
    let body = format!(
        "{what}\n\nWhat to do: {to_do}\n\nUser: {user}\nSecret: {}\nStack: {} in {}, account {}\n\nThe secret: {}\nThe \
         log: {}\n",
        user.secret_name(),
        stack.name(),
        stack.region(),
        stack.account(),
        secret_link(settings),
        log_link(settings),
    );
    Message::new(&format!("{user}: {subject}"), body)
}

/// The secret's page in the console.
fn secret_link(settings: &Settings) -> String {
    let region = settings.owner.stack.region();
    // In a query a bare + is a space.
    let name = settings
        .desired
        .user
        .secret_name()
        .to_string()
        .replace('+', "%2B");
    format!(
        "https://{}/secretsmanager/secret?name={name}&region={region}",
        console(settings)
    )
}

/// The log's page in the console, which wants each part encoded twice, with `$` for the second `%`.
fn log_link(settings: &Settings) -> String {
    let encoded = |text: &str| {
        let mut out = String::new();
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "$25{byte:02X}");
            }
        }
        out
    };
    let Settings {
        log_group,
        log_stream,
        owner,
        ..
    } = settings;
    let region = owner.stack.region();
    let mut link = format!(
        "https://{}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}",
        console(settings),
        encoded(log_group)
    );
    if !log_stream.is_empty() {
        let _ = write!(link, "/log-events/{}", encoded(log_stream));
    }
    link
}

/// The console's host for the stack's region.
fn console(settings: &Settings) -> String {
    let stack = &settings.owner.stack;
    let host = match stack.partition().as_str() {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        "aws-eusc" => "console.amazonaws-eusc.eu",
        _ => "console.aws.amazon.com",
    };
    format!("{}.{host}", stack.region())
}
