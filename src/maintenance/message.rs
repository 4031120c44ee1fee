//! The messages that people get. Each says what happened, what to do, and where the secret and the log are. None
//! contains a secret.

use std::fmt::Write;

use super::Environment;
use crate::cloud::Message;
use crate::plan::HeldUp;

/// There is a new current key.
pub(super) fn new_key(environment: &Environment, time: &str) -> Message {
    let user = &environment.desired.user;
    let until = match environment.rotation_days {
        0 => "`KeySerial` is raised again".to_owned(),
        days => format!(
            "the next rotation ({days} days after this one), which ends it once nobody has used it for a while"
        ),
    };
    message(
        environment,
        "paste the new key into Publisher",
        &format!("IAM user {user} has had a new access key since {time}."),
        &format!(
            "Paste the key from the secret into DNAstack Publisher, within 10 days. The key before it works until {until}."
        ),
    )
}

/// A rotation was held up.
pub(super) fn held_up(environment: &Environment, held_up: &HeldUp) -> Message {
    message(
        environment,
        "key rotation held up",
        &format!(
            "A scheduled rotation of the access key was held up, and no key was changed: {}.",
            held_up
        ),
        "Paste the key from the secret into DNAstack Publisher. The next rotation ends the other key once nobody has used \
         it for a while; links that Publisher signed with it count as use. To end it regardless, raise KeySerial in the \
         stack's parameters.",
    )
}

/// What a check has found.
pub(super) fn findings(environment: &Environment, findings: &[&str]) -> Message {
    let mut what = "The daily check of Publisher's read access found:".to_owned();
    for finding in findings {
        let _ = write!(what, "\n- {finding}.");
    }
    message(
        environment,
        "access needs attention",
        &what,
        "Each line says what to do. The check changed nothing. To check again, run `make status` in the release's \
         repository, or invoke the function with {\"check\": {}}.",
    )
}

fn message(environment: &Environment, subject: &str, what: &str, to_do: &str) -> Message {
    let stack = &environment.owner.stack;
    let user = &environment.desired.user;
    let body = format!(
        "{what}\n\nWhat to do: {to_do}\n\nUser: {user}\nSecret: {}\nStack: {} in {}, account {}\n\nThe secret: {}\nThe \
         log: {}\n",
        user.secret_name(),
        stack.name(),
        stack.region(),
        stack.account(),
        secret_link(environment),
        log_link(environment),
    );
    Message::new(&format!("{user}: {subject}"), body)
}

/// The secret's page in the console.
fn secret_link(environment: &Environment) -> String {
    let region = environment.owner.stack.region();
    // In a query a bare + is a space.
    let name = environment
        .desired
        .user
        .secret_name()
        .to_string()
        .replace('+', "%2B");
    format!(
        "https://{}/secretsmanager/secret?name={name}&region={region}",
        console(environment)
    )
}

/// The log's page in the console, which wants each part encoded twice, with `$` for the second `%`.
fn log_link(environment: &Environment) -> String {
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
    let Environment {
        log_group,
        settings,
        owner,
        ..
    } = environment;
    let region = owner.stack.region();
    let mut link = format!(
        "https://{}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}",
        console(environment),
        encoded(log_group)
    );
    let log_stream = &settings.log_stream;
    if !log_stream.is_empty() {
        let _ = write!(link, "/log-events/{}", encoded(log_stream));
    }
    link
}

/// The console's host for the stack's region.
fn console(environment: &Environment) -> String {
    let stack = &environment.owner.stack;
    let host = match stack.partition().as_str() {
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        "aws-eusc" => "console.amazonaws-eusc.eu",
        _ => "console.aws.amazon.com",
    };
    format!("{}.{host}", stack.region())
}
