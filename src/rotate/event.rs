//! What Secrets Manager sends.

use serde_json::{Map, Value};

use super::RotationError;
use crate::cloud::VersionId;
use crate::plan::RotationStep;

/// One step of a rotation, as Secrets Manager asks for it
/// ([form](https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html)).
///
/// `RotationToken`, which an event may also carry, lets a function write with a role of another account. This one writes
/// with its own, so it is not read; and as it is sensitive, it is kept nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The step.
    pub step: RotationStep,
    /// The secret's ARN.
    pub secret: String,
    /// The version that becomes the one in use.
    pub token: VersionId,
}

impl Event {
    /// Reads an event; members that are not known here are ignored.
    ///
    /// # Errors
    /// What of the event cannot be read. Its values are not shown.
    pub fn parse(text: &str) -> Result<Self, RotationError> {
        let members: Map<String, Value> = serde_json::from_str(text).map_err(|_| {
            refused("it is no JSON object with `Step`, `SecretId` and `ClientRequestToken`")
        })?;
        let member = |name: &str| {
            let value = members.get(name).and_then(Value::as_str);
            value.ok_or_else(|| refused(&format!("`{name}` is missing or no text")))
        };
        let step = RotationStep::named(member("Step")?).ok_or_else(|| {
            refused(
                "`Step` is none of `createSecret`, `setSecret`, `testSecret` and `finishSecret`",
            )
        })?;
        let secret = member("SecretId")?.to_owned();
        let token = member("ClientRequestToken")?;
        let of_a_token = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(32..=64).contains(&token.len()) || !token.chars().all(of_a_token) {
            return Err(refused(
                "`ClientRequestToken` is no version id of 32 to 64 letters, digits and hyphens",
            ));
        }
        Ok(Self {
            step,
            secret,
            token: VersionId(token.to_owned()),
        })
    }
}

fn refused(why: &str) -> RotationError {
    RotationError(format!("the event is not a step of a rotation: {why}"))
}

impl RotationStep {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Create, Self::Set, Self::Test, Self::Finish];

    /// Its name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "createSecret",
            Self::Set => "setSecret",
            Self::Test => "testSecret",
            Self::Finish => "finishSecret",
        }
    }

    /// The step of this name. AWS's documentation also spells it `create_secret`, and so on.
    fn named(name: &str) -> Option<Self> {
        let name = name.replace('_', "");
        Self::ALL
            .into_iter()
            .find(|step| step.name().eq_ignore_ascii_case(&name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "01234567-89ab-cdef-0123-456789abcdef";

    fn event() -> Value {
        json!({"Step": "createSecret", "SecretId": "arn:of:secret", "ClientRequestToken": TOKEN})
    }

    #[track_caller]
    fn refusal(text: &str) -> String {
        Event::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn both_spellings_of_every_step_are_read() {
        for (spellings, step) in [
            (["createSecret", "create_secret"], RotationStep::Create),
            (["setSecret", "set_secret"], RotationStep::Set),
            (["testSecret", "test_secret"], RotationStep::Test),
            (["finishSecret", "finish_secret"], RotationStep::Finish),
        ] {
            for spelling in spellings {
                let mut event = event();
                event["Step"] = json!(spelling);
                assert_eq!(Event::parse(&event.to_string()).unwrap().step, step);
            }
        }
    }

    #[test]
    fn a_sample_is_refused_if_and_only_if_its_name_says_so() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("events/rotation");
        let samples: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(samples.len() > 4);
        for sample in samples {
            let text = std::fs::read_to_string(sample.path()).unwrap();
            let bad = sample.file_name().to_string_lossy().starts_with("bad-");
            assert_eq!(Event::parse(&text).is_err(), bad, "{sample:?}");
        }
    }

    #[test]
    fn members_that_are_not_known_do_no_harm() {
        let plain = Event::parse(&event().to_string()).unwrap();
        let mut event = event();
        event["RotationToken"] = json!("sensitive");
        event["New"] = json!({"deep": [null]});
        assert_eq!(Event::parse(&event.to_string()).unwrap(), plain);
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_named() {
        for name in ["Step", "SecretId", "ClientRequestToken"] {
            for value in [Value::Null, json!(5), json!(["createSecret"]), json!({})] {
                let mut event = event();
                event[name] = value;
                assert!(refusal(&event.to_string()).contains(name), "{event}");
            }
            let mut event = event();
            event.as_object_mut().unwrap().remove(name);
            assert!(refusal(&event.to_string()).contains(name), "{event}");
        }
    }

    #[test]
    fn what_is_no_event_is_refused_without_being_shown() {
        for text in ["", "null", "[]", "canary", "\"canary\"", "{\"canary\": 1"] {
            let refusal = refusal(text);
            assert!(refusal.contains("ClientRequestToken"), "{text}: {refusal}");
            assert!(!refusal.contains("canary"), "{refusal}");
        }
        for (name, values) in [
            ("Step", vec!["", "canary", "createSecrets", "rotate"]),
            (
                "ClientRequestToken",
                vec![
                    "",
                    "canary",
                    "0123456789012345678901234567890\n",
                    "canary_canary_canary_canary_canary",
                ],
            ),
        ] {
            for value in values {
                let mut event = event();
                event[name] = json!(value);
                let refusal = refusal(&event.to_string());
                assert!(refusal.contains(name), "{value}: {refusal}");
                assert!(
                    !refusal.contains("canary") && !refusal.contains('\n'),
                    "{refusal}"
                );
            }
        }
    }
}
