//! The messages. Each says what happened, what to do, and where the secret and the log are, in a form for people, one for
//! chat and one for programs. None contains a secret.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Environment;
use super::findings::Finding;
use crate::cloud::{Message, VersionId};
use crate::request::labels::with_labels;

struct News<'a> {
    /// What happened, for programs. docs/what-you-will-see.md lists them.
    event: &'static str,
    subject: &'static str,
    /// What happened, for people: a sentence with its full stop.
    what: String,
    findings: &'a [&'a Finding],
    to_do: String,
    /// The version of the secret that it is about.
    version: Option<&'a VersionId>,
}

/// There is a new current key, in this version.
pub(super) fn new_key(environment: &Environment, time: &str, version: &VersionId) -> Message {
    let user = &environment.desired.user;
    let until = match environment.rotation_days {
        0 => "`KeySerial` is raised again".to_owned(),
        days => format!(
            "the next rotation ({days} days after this one), which ends it once nobody has used it for a while"
        ),
    };
    News {
        event: "new-key",
        subject: "paste the new key into Publisher",
        what: format!("IAM user {user} has had a new access key since {time}."),
        findings: &[],
        to_do: format!(
            "Paste the key from the secret into DNAstack Publisher, within 10 days. The key before it works until {until}."
        ),
        version: Some(version),
    }
    .message(environment)
}

/// The secret's value has changed, and holds no key that works.
pub(super) fn changed_by_hand(environment: &Environment, time: &str, next: &str) -> Message {
    News {
        event: "changed-by-hand",
        subject: "the secret was changed by hand",
        what: format!(
            "The secret's current value, stored at {time}, holds no active key of IAM user {}, so somebody changed the secret \
             or the key by hand.",
            environment.desired.user
        ),
        findings: &[],
        to_do: format!("Do not paste it. {next}."),
        version: None,
    }
    .message(environment)
}

pub(super) fn held_up(environment: &Environment, why: &str) -> Message {
    News {
        event: "rotation-held-up",
        subject: "key rotation held up",
        what: format!(
            "A scheduled rotation of the access key was held up, and no key was changed: {why}."
        ),
        findings: &[],
        to_do: "Paste the key from the secret into DNAstack Publisher. The next rotation ends the other key once nobody has \
                used it for a while; links that Publisher signed with it count as use. To end it regardless, raise \
                `KeySerial`."
            .to_owned(),
        version: None,
    }
    .message(environment)
}

pub(super) fn findings(environment: &Environment, findings: &[&Finding]) -> Message {
    News {
        event: "findings",
        subject: "access needs attention",
        what: "The daily check of Publisher's read access found:".to_owned(),
        findings,
        to_do: "Each line says what to do. The check changed nothing.".to_owned(),
        version: None,
    }
    .message(environment)
}

/// A check has found nothing that breaks access. `reminders` are told at other times.
pub(super) fn all_well(environment: &Environment, reminders: &[&Finding]) -> Message {
    News {
        event: "all-well",
        subject: "all is well",
        what: "The daily check found that the key reads everything, and that user and secret are as the stack says.".to_owned(),
        findings: reminders,
        to_do: "Nothing. This message comes on the first day of each month, so that silence means something.".to_owned(),
        version: None,
    }
    .message(environment)
}

/// The most bytes of a text. Ten such forms, escaped twice, are within SNS's limit.
const LONGEST: usize = 12_000;

/// The most characters of a chat message: Slack cuts a section at 3,000.
const LONGEST_CHAT: usize = 3_000;

impl News<'_> {
    fn message(&self, environment: &Environment) -> Message {
        let user = &environment.desired.user;
        let subject = format!("{user}: {}", self.subject);
        let text = self.fitting(LONGEST, |findings| self.text(environment, findings));
        let chat = self.fitting(LONGEST_CHAT, |findings| {
            with_labels(&format!("{}{findings}", self.what))
        });
        let chat = self.chat(environment, &subject, &chat);
        let machine = (0..=self.findings.len()).rev().find_map(|count| {
            let machine = self.machine(environment, count);
            (machine.to_string().len() <= LONGEST).then_some(machine)
        });
        Message::new(&subject, text, chat, machine.unwrap_or_default())
    }

    /// The text with as many findings as fit, and how many are left out.
    fn fitting(&self, longest: usize, text: impl Fn(&str) -> String) -> String {
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("\n- {}.", finding.text))
            .collect();
        let with = |count: usize| {
            let left_out = match lines.len() - count {
                0 => String::new(),
                left => format!("\n- And {left} more, in the function's log."),
            };
            text(&format!("{}{left_out}", lines[..count].concat()))
        };
        let mut counts = (0..=lines.len()).rev().map(with);
        let fits = counts.find(|text| text.len() <= longest);
        fits.unwrap_or_else(|| {
            let text = with(0);
            text[..text.floor_char_boundary(longest)].to_owned()
        })
    }

    fn text(&self, environment: &Environment, findings: &str) -> String {
        let stack = &environment.owner.stack;
        let user = &environment.desired.user;
        let said = with_labels(&format!(
            "{}{findings}\n\nWhat to do: {}",
            self.what, self.to_do
        ));
        format!(
            "{said}\n\nUser: {user}\nSecret: {}\nStack: {} in {}, account {}\n\nThe secret: {}\nThe log: {}\nCheck again, with \
             the test event {{\"check\": {{}}}}: {}\n",
            user.secret_name(),
            stack.name(),
            stack.region(),
            stack.account(),
            secret_link(environment),
            log_link(environment),
            test_link(environment),
        )
    }

    /// What happened, for programs, with so many findings.
    fn machine(&self, environment: &Environment, count: usize) -> Value {
        let findings = self.findings[..count]
            .iter()
            .map(|finding| finding.to_json());
        json!({
            "event": self.event,
            "stack": environment.owner.stack.as_str(),
            "user": environment.desired.user.as_str(),
            "secret": environment.secret.0,
            "version": self.version.map(|version| &version.0),
            "findings": findings.collect::<Vec<_>>(),
            "findingsLeftOut": self.findings.len() - count,
        })
    }

    /// A custom notification. A webhook gets it too, so the machine's fields are there as strings.
    fn chat(&self, environment: &Environment, subject: &str, description: &str) -> Value {
        let abouts: Vec<&str> = self
            .findings
            .iter()
            .map(|finding| finding.about.name())
            .collect();
        json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": subject,
                "description": description,
                "nextSteps": [with_labels(&self.to_do), secret_link(environment)],
            },
            "metadata": {
                "threadId": environment.desired.user.secret_name().to_string(),
                "summary": subject,
                "eventType": self.event,
                "relatedResources": [environment.secret.0],
                "additionalContext": {
                    "event": self.event,
                    "stack": environment.owner.stack.as_str(),
                    "user": environment.desired.user.as_str(),
                    "secret": environment.secret.0,
                    "version": self.version.map_or("", |version| &version.0),
                    "findings": abouts.join(","),
                },
            },
        })
    }
}
fn secret_link(environment: &Environment) -> String {
    let region = environment.owner.stack.region();
    let name = environment.desired.user.secret_name().to_string();
    format!(
        "https://{}/secretsmanager/secret?name={}&region={region}",
        console(environment),
        utf8_percent_encode(&name, NON_ALPHANUMERIC)
    )
}

/// The log's page in the console, which wants each part encoded twice, with `$` for the second `%`.
fn log_link(environment: &Environment) -> String {
    let encoded = |text: &str| {
        let once = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        once.replace('%', "$25")
    };
    let region = environment.owner.stack.region();
    let stream = match environment.settings.log_stream.as_str() {
        "" => String::new(),
        stream => format!("/log-events/{}", encoded(stream)),
    };
    format!(
        "https://{}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}{stream}",
        console(environment),
        encoded(&environment.log_group)
    )
}

fn test_link(environment: &Environment) -> String {
    format!(
        "https://{}/lambda/home?region={}#/functions/{}?tab=testing",
        console(environment),
        environment.owner.stack.region(),
        environment.function
    )
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
