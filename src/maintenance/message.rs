//! What people are told. Every message says what has happened, to what, and what to do, and where the secret and the log
//! are. None holds anything that is secret.

use std::fmt::Write;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::Settings;
use crate::cloud::{LastUse, Message};
use crate::plan::{HeldUp, Protection};

/// A new key is in use.
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
        &format!("IAM user {user} has a new access key since {time}."),
        &format!(
            "Paste the key from the secret into DNAstack Publisher, within 10 days. The key before it works until {until}."
        ),
    )
}

/// A rotation would have ended a key in use.
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

/// Why a rotation is held up: a clause.
pub(super) fn why_held_up(HeldUp { key, why }: &HeldUp) -> String {
    match why {
        Protection::Used(last) => format!("key `{key}`, which it would end, was {}", used(last)),
        Protection::Young(created) => format!(
            "key `{key}`, which it would end, was made on {} and AWS knows no use of it, so that somebody may be about to \
             use it",
            date(*created)
        ),
        Protection::Unreadable(error) => format!(
            "it would end key `{key}`, and when that was last used cannot be read ({error})"
        ),
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
        "Each line says it. Nothing was changed by the check. `make status` of the release's repository, or the function \
         invoked with {\"check\": {}}, shows how things stand now.",
    )
}

/// When and by what a key was used: "last used on … by … in …".
pub(super) fn used(last: &LastUse) -> String {
    let LastUse {
        date: at,
        service,
        region,
    } = last;
    format!(
        "last used on {} by service `{service}` in `{region}`",
        date(*at)
    )
}

/// A moment as people read it.
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

/// The console's page of the secret.
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

/// The console's page of the log; the console wants each part encoded twice, with `$` for the second `%`.
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

/// The console's host in the stack's region.
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
