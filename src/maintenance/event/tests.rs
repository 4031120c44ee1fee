use serde_json::json;

use super::*;

const TOKEN: &str = "01234567-89ab-cdef-0123-456789abcdef";
const SECRET: &str =
    "arn:aws:secretsmanager:us-east-1:012345678912:secret:publisher/publisher-connectors-AbCdEf";

fn parse(event: &Value) -> Result<Event, Refusal> {
    Event::parse(&event.to_string(), &SecretArn(SECRET.to_owned()))
}

fn step() -> Value {
    json!({"Step": "createSecret", "SecretId": SECRET, "ClientRequestToken": TOKEN})
}

fn label_moved() -> Value {
    json!({
        "version": "0",
        "id": "1",
        "detail-type": "Secret Label Updated",
        "source": "aws.secretsmanager",
        "account": "012345678912",
        "time": "2026-11-24T06:00:00Z",
        "region": "us-east-1",
        "resources": [SECRET],
        "detail": {"labelUpdated": "AWSCURRENT"},
    })
}

#[track_caller]
fn refusal(event: &Value) -> String {
    parse(event).unwrap_err().to_string()
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
            let mut event = self::step();
            event["Step"] = json!(spelling);
            let token = VersionId(TOKEN.to_owned());
            let request = RotationRequest { step, token };
            assert_eq!(parse(&event), Ok(Event::Rotation(request)));
        }
    }
}

#[test]
fn a_sample_is_refused_if_and_only_if_its_name_says_so() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("events/maintenance");
    let samples: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(samples.len() > 12);
    for sample in samples {
        let text = std::fs::read_to_string(sample.path()).unwrap();
        let bad = sample.file_name().to_string_lossy().starts_with("bad-");
        let event = serde_json::from_str(&text).unwrap();
        assert_eq!(parse(&event).is_err(), bad, "{sample:?}");
    }
}

#[test]
fn unknown_members_of_a_step_do_no_harm() {
    let mut event = step();
    event["RotationToken"] = json!("sensitive");
    event["New"] = json!({"deep": [null]});
    assert_eq!(parse(&event), parse(&step()));
}

#[test]
fn a_missing_or_mistyped_member_of_a_step_is_named() {
    for name in ["Step", "SecretId", "ClientRequestToken"] {
        for value in [Value::Null, json!(5), json!(["createSecret"]), json!({})] {
            let mut event = step();
            event[name] = value;
            assert!(refusal(&event).contains(name), "{event}");
        }
        let mut event = step();
        event.as_object_mut().unwrap().remove(name);
        assert!(refusal(&event).contains(name), "{event}");
    }
}

#[test]
fn only_the_two_forms_of_a_check_are_checks() {
    assert_eq!(
        parse(&json!({"check": {}})),
        Ok(Event::Check(Asked::ByHand(Form::Json)))
    );
    let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_795_500_000);
    assert_eq!(
        parse(&json!({"check": {"time": "2026-11-24T06:00:00Z"}})),
        Ok(Event::Check(Asked::OnSchedule(time)))
    );
    for event in [
        json!({"check": null}),
        json!({"check": true}),
        json!({"check": []}),
        json!({"check": "canary"}),
        json!({"check": {"time": null}}),
        json!({"check": {"time": "canary"}}),
        json!({"check": {"time": "2026-11-24T06:00:00Z", "canary": 1}}),
        json!({"check": {"canary": 1}}),
        json!({"check": {}, "canary": 1}),
    ] {
        let refusal = refusal(&event);
        assert!(refusal.contains("a check is"), "{event}: {refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn a_new_key_is_read_from_secrets_managers_event_about_our_secret() {
    let time = "2026-11-24T06:00:00Z".to_owned();
    assert_eq!(parse(&label_moved()), Ok(Event::NewKey { time }));
    for (member, value, why) in [
        ("source", json!("canary"), "aws.secretsmanager"),
        (
            "detail-type",
            json!("Scheduled Event"),
            "Secret Label Updated",
        ),
        ("resources", json!(["canary"]), "another secret"),
        ("resources", json!([]), "resources"),
        ("resources", json!([SECRET, SECRET]), "resources"),
        (
            "detail",
            json!({"labelUpdated": "AWSPREVIOUS"}),
            "labelUpdated",
        ),
        ("detail", json!(null), "labelUpdated"),
        ("time", json!("canary"), "time"),
    ] {
        let mut event = label_moved();
        event[member] = value;
        let refusal = refusal(&event);
        assert!(refusal.contains(why), "{event}: {refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn anything_but_an_event_is_refused_without_being_shown() {
    for text in [
        "",
        "null",
        "[]",
        "canary",
        "\"canary\"",
        "{\"canary\": 1",
        "{\"canary\": 1}",
    ] {
        let refusal = Event::parse(text, &SecretArn(SECRET.to_owned()))
            .unwrap_err()
            .to_string();
        assert!(
            refusal.contains("does not serve such an event"),
            "{text}: {refusal}"
        );
        assert!(!refusal.contains("canary"), "{refusal}");
    }
    for (name, value, why) in [
        ("Step", "", "Step"),
        ("Step", "canary", "Step"),
        ("Step", "rotate", "Step"),
        ("SecretId", "canary", "another secret"),
        ("ClientRequestToken", "", "ClientRequestToken"),
        (
            "ClientRequestToken",
            "0123456789012345678901234567890\n",
            "ClientRequestToken",
        ),
        (
            "ClientRequestToken",
            "canary_canary_canary_canary_canary",
            "ClientRequestToken",
        ),
    ] {
        let mut event = step();
        event[name] = json!(value);
        let refusal = refusal(&event);
        assert!(refusal.contains(why), "{value}: {refusal}");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}
