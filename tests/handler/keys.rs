//! The real program makes and rotates keys through the SDK, at TRACE, and no output or answer contains one.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::events::sample;
use crate::support::function::{CANARY, Function, to_sink};
use crate::support::server::{Reaction, Request};

/// The secret half of the key that is made, and of the one that the secret holds before.
const NEW_KEY: &str = "CANARYnew+wJalrXUtnFEMI/K7MDENG/bPxRfiCY";
const OLD_KEY: &str = "CANARYold+wJalrXUtnFEMI/K7MDENG/bPxRfiCY";
const TELLTALE: &str = "CANARY";
const USER: &str = "publisher-connectors";
const ARN: &str =
    "arn:aws:secretsmanager:us-east-1:012345678912:secret:publisher/publisher-connectors-AbCdEf";

/// The version that holds the old key.
const CURRENT: &str = "6fa459ea-ee8a-3ca4-894e-db77e160355e";

/// What AWS does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    /// The bucket is closed, so the proof fails, and the key is removed without being stored.
    ClosedBucket,
    /// The value is refused with an answer that repeats it and cannot be read.
    ValueThrownBack,
    /// The value comes back inside an answer that is no JSON.
    UnreadableValue,
    /// The connection breaks while the value is stored.
    NoAnswer,
    /// It is over.
    Over,
}

/// As much of AWS as the program needs.
struct Aws {
    trouble: Trouble,
    /// Whether user and secret exist, and whether they did from the start.
    made: bool,
    rotates: bool,
    seen: Vec<(String, bool)>,
}

fn reply(status: u16, body: impl Into<String>) -> Reaction {
    Reaction::Answer {
        status,
        headers: vec![("x-amz-bucket-region".into(), "us-east-1".into())],
        body: body.into(),
    }
}

fn result(action: &str, inside: &str) -> Reaction {
    reply(
        200,
        format!(
            "<{action}Response><{action}Result>{inside}</{action}Result>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
        ),
    )
}

fn user_element() -> String {
    let event = sample("create");
    let tag = |key: &str, value: &Value| {
        let value = value.as_str().expect("text");
        format!("<member><Key>publisher-s3-access:{key}</Key><Value>{value}</Value></member>")
    };
    let tags = tag("stack-id", &event["StackId"]) + &tag("logical-id", &event["LogicalResourceId"]);
    format!(
        "<User><Path>/</Path><UserName>{USER}</UserName><UserId>AIDA</UserId>\
         <Arn>arn:aws:iam::012345678912:user/{USER}</Arn><CreateDate>2026-11-23T18:00:00Z</CreateDate><Tags>{tags}</Tags></User>"
    )
}

fn key_element(id: &str, secret: &str) -> String {
    format!(
        "<AccessKey><UserName>{USER}</UserName><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>\
         <SecretAccessKey>{secret}</SecretAccessKey><CreateDate>2026-11-23T18:00:00Z</CreateDate></AccessKey>"
    )
}

fn stored() -> String {
    let value = json!({
        "Version": 1, "AccessKeyId": "AKIAOLDOLDOLDOLDOLD2", "SecretAccessKey": OLD_KEY, "UserName": USER, "KeySerial": 1,
    });
    value.to_string()
}

impl Aws {
    fn react(&mut self, request: &Request) -> Reaction {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let target = request.headers.get("x-amz-target");
        let target = target.and_then(|target| target.split('.').next_back());
        let action = body
            .strip_prefix("Action=")
            .and_then(|rest| rest.split('&').next());
        let action = target.or(action).unwrap_or("S3").to_owned();
        // Once: the second time it works, so that every story goes on.
        if self.seen.iter().any(|(seen, _)| *seen == action) {
            self.trouble = match (self.trouble, &*action) {
                (Trouble::ValueThrownBack | Trouble::NoAnswer, "PutSecretValue")
                | (Trouble::UnreadableValue, "GetSecretValue") => Trouble::Over,
                (trouble, _) => trouble,
            };
        }
        self.seen.push((action.clone(), body.contains(TELLTALE)));
        if target.is_some() {
            return self.secrets_manager(&action, &body);
        }
        self.query(&action)
    }

    fn query(&mut self, action: &str) -> Reaction {
        let missing = "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>";
        match action {
            "S3" if self.trouble == Trouble::ClosedBucket => reply(
                403,
                "<Error><Code>AccessDenied</Code><Message>not authorized because no resource-based policy allows the s3:ListBucket action</Message></Error>",
            ),
            // A listing, and every object in it.
            "S3" => reply(
                200,
                "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>",
            ),
            "GetUser" if self.made => result(action, &user_element()),
            "GetUser" | "GetLoginProfile" | "GetUserPolicy" => reply(404, missing),
            "CreateUser" => {
                self.made = true;
                result(action, &user_element())
            }
            "ListAccessKeys" => result(action, &self.listed()),
            "CreateAccessKey" => result(action, &key_element("AKIANEWNEWNEWNEWNEW2", NEW_KEY)),
            "GetCallerIdentity" => result(
                action,
                &format!("<Arn>arn:aws:iam::012345678912:user/{USER}</Arn>"),
            ),
            "DescribeStackResource" => result(
                action,
                "<StackResourceDetail><ResourceType>Custom::PublisherS3Access</ResourceType><ResourceStatus>CREATE_IN_PROGRESS</ResourceStatus></StackResourceDetail>",
            ),
            "DescribeStacks" => result(
                action,
                "<Stacks><member><StackName>s</StackName><StackStatus>CREATE_IN_PROGRESS</StackStatus></member></Stacks>",
            ),
            _ => result(action, ""),
        }
    }

    /// The keys of the user: the old one, and the one that was made.
    fn listed(&self) -> String {
        let of_keys = |action: &str| ["CreateAccessKey", "DeleteAccessKey"].contains(&action);
        let last = self.seen.iter().rev().find(|(seen, _)| of_keys(seen));
        let made = last.is_some_and(|(action, _)| action == "CreateAccessKey");
        let keys = [
            ("AKIAOLDOLDOLDOLDOLD2", self.rotates),
            ("AKIANEWNEWNEWNEWNEW2", made),
        ];
        let there = keys.iter().filter(|(_, there)| *there);
        let member = |(id, _): &(&str, bool)| {
            format!(
                "<member><UserName>{USER}</UserName><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>\
                 <CreateDate>2026-11-23T18:00:00Z</CreateDate></member>"
            )
        };
        let members: String = there.map(member).collect();
        format!("<AccessKeyMetadata>{members}</AccessKeyMetadata><IsTruncated>false</IsTruncated>")
    }

    fn secrets_manager(&mut self, action: &str, body: &str) -> Reaction {
        let event = sample("create");
        match (action, self.trouble) {
            ("DescribeSecret", _) if self.made => {
                let answer = json!({
                    "ARN": ARN, "Name": "publisher/publisher-connectors",
                    "Tags": [
                        {"Key": "publisher-s3-access:stack-id", "Value": event["StackId"]},
                        {"Key": "publisher-s3-access:logical-id", "Value": event["LogicalResourceId"]},
                    ],
                    "VersionIdsToStages": {CURRENT: ["AWSCURRENT"]},
                });
                reply(200, answer.to_string())
            }
            ("DescribeSecret", _) => reply(
                400,
                json!({"__type": "ResourceNotFoundException", "Message": "no"}).to_string(),
            ),
            // The new key's version is not there.
            ("GetSecretValue", _) if !body.contains(CURRENT) => reply(
                400,
                json!({"__type": "ResourceNotFoundException", "Message": "no"}).to_string(),
            ),
            ("GetSecretValue", Trouble::UnreadableValue) => reply(200, format!("{{{}", stored())),
            ("GetSecretValue", _) => reply(
                200,
                json!({"ARN": ARN, "SecretString": stored()}).to_string(),
            ),
            ("PutSecretValue", Trouble::ValueThrownBack) => reply(400, format!("rejected: {body}")),
            ("PutSecretValue", Trouble::NoAnswer) => Reaction::Close,
            _ => reply(
                200,
                json!({"ARN": ARN, "Name": "publisher/publisher-connectors", "VersionId": "v"})
                    .to_string(),
            ),
        }
    }
}

/// Runs one event, and returns the requests to AWS, each with whether it contained a key.
fn run(event: &str, made: bool, trouble: Trouble) -> Vec<(String, bool)> {
    let aws = Aws {
        trouble,
        made,
        rotates: made,
        seen: Vec::new(),
    };
    let aws = Arc::new(Mutex::new(aws));
    let there = Arc::clone(&aws);
    let variables = [
        ("RUST_LOG", "trace,aws_smithy_runtime=trace,hyper=trace"),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
    ];
    let function = Function::start(
        &[to_sink(event).to_string()],
        120,
        |_| Reaction::status(200),
        move |request| there.lock().expect("AWS").react(request),
        &variables,
    );
    let outcome = function.outcome(1);
    assert_eq!(outcome.answers.len(), 1, "{event} {trouble:?}");
    let answers = outcome.answers.iter().map(Value::to_string);
    let reports = outcome.reports.into_iter().map(|(_, body)| body);
    for text in outcome
        .lines
        .into_iter()
        .chain([outcome.errors])
        .chain(answers)
        .chain(reports)
    {
        for canary in [TELLTALE, "wJalrXUtnFEMI", CANARY, "X-Amz-Signature"] {
            assert!(!text.contains(canary), "{event} {trouble:?}: {text}");
        }
    }
    aws.lock().expect("AWS").seen.clone()
}

#[test]
fn no_key_is_written_or_answered_whatever_aws_does_with_it() {
    let stored = ("PutSecretValue".to_owned(), true);
    let asked = |seen: &[(String, bool)], action: &str| seen.iter().any(|(name, _)| name == action);
    for trouble in [
        Trouble::ClosedBucket,
        Trouble::ValueThrownBack,
        Trouble::UnreadableValue,
        Trouble::NoAnswer,
    ] {
        // Otherwise this would prove nothing: a key is made and stored, and a rotation reads the old one.
        let is_stored = trouble != Trouble::ClosedBucket;
        let rotated = run("key-serial", true, trouble);
        let is_read = trouble != Trouble::UnreadableValue;
        for (action, expected) in [("GetSecretValue", true), ("CreateAccessKey", is_read)] {
            assert_eq!(
                asked(&rotated, action),
                expected,
                "{trouble:?}: {rotated:?}"
            );
        }
        assert_eq!(
            rotated.contains(&stored),
            is_stored && is_read,
            "{trouble:?}: {rotated:?}"
        );
        let created = run("create", false, trouble);
        assert_eq!(
            created.contains(&stored),
            is_stored,
            "{trouble:?}: {created:?}"
        );
    }
}
