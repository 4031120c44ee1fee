//! No input widens the grant: whatever is accepted, an evaluator of IAM policies allows exactly the listing under the
//! prefixes and the reading of objects below them, and nothing else.

use std::collections::BTreeSet;
use std::iter::once;

use proptest::collection::vec;
use proptest::prelude::*;
use publisher_s3_access::plan::policy::{self, PolicyDocument};
use publisher_s3_access::request::buckets::{BucketUri, Buckets};
use publisher_s3_access::request::names::KmsKeyArn;
use publisher_s3_access::request::properties::{Deletion, Desired, Previous};
use serde_json::{Map, Value, json};

use crate::{KEY, partition};
use kit::policy_check::{Decision, Request};

const SUFFIX: &str = "amazonaws.com";

/// A request, to compare with what the entries say about it.
struct Question<'a> {
    document: &'a PolicyDocument,
    entries: &'a Buckets,
}

impl Question<'_> {
    fn allowed(&self, request: &Request<'_>) -> bool {
        request.judged_by(once(self.document.as_str())) == Decision::Allowed
    }

    /// Whether an entry says that this path of this bucket may be seen, decided without the code under test.
    fn meant(&self, bucket: &str, path: Option<&str>) -> bool {
        self.entries.iter().any(|entry| {
            let Some(rest) = entry
                .to_string()
                .strip_prefix("s3://")
                .map(ToOwned::to_owned)
            else {
                return false;
            };
            let Some((name, folder)) = rest.split_once('/') else {
                return false;
            };
            name == bucket
                && (folder.is_empty() || path.is_some_and(|path| path.starts_with(folder)))
        })
    }

    fn check(&self, bucket: &str, path: &str) -> Result<(), TestCaseError> {
        let arn = format!("arn:aws:s3:::{bucket}");
        let object = format!("{arn}/{path}");
        let list = Request::new("s3:ListBucket", &arn);
        prop_assert_eq!(
            self.allowed(&list),
            self.meant(bucket, None),
            "list {} without prefix",
            &arn
        );
        let list = Request::new("s3:ListBucket", &arn).with("s3:prefix", path);
        prop_assert_eq!(
            self.allowed(&list),
            self.meant(bucket, Some(path)),
            "list {} under {:?}",
            &arn,
            path
        );
        if !path.is_empty() {
            let get = Request::new("s3:GetObject", &object);
            prop_assert_eq!(
                self.allowed(&get),
                self.meant(bucket, Some(path)),
                "get {:?}",
                &object
            );
        }
        for action in [
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:GetObjectVersion",
            "s3:GetObjectAcl",
            "kms:Decrypt",
        ] {
            prop_assert!(
                !self.allowed(&Request::new(action, &object)),
                "{action} on {object:?}"
            );
        }
        for action in [
            "s3:ListBucketVersions",
            "s3:GetBucketPolicy",
            "s3:DeleteBucket",
            "s3:GetObject",
        ] {
            prop_assert!(
                !self.allowed(&Request::new(action, &arn).with("s3:prefix", path)),
                "{action} on {arn}"
            );
        }
        prop_assert!(
            !self.allowed(&Request::new("s3:ListBucket", &object).with("s3:prefix", path))
        );
        Ok(())
    }
}

/// Requires the policy to contain nothing that the evaluator would overlook: an unknown element is "no match" to it,
/// and `${` is a variable to IAM.
fn plain(document: &PolicyDocument) -> Result<(), TestCaseError> {
    let policy: Value = serde_json::from_str(document.as_str()).unwrap();
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    prop_assert!(
        names(&policy).iter().eq(["Statement", "Version"]),
        "{document:?}"
    );
    for statement in policy["Statement"].as_array().unwrap() {
        for name in names(statement) {
            prop_assert!(
                ["Action", "Condition", "Effect", "Resource"].contains(&name.as_str()),
                "{}",
                name
            );
        }
        prop_assert_eq!(&statement["Effect"], "Allow");
    }
    prop_assert!(
        !document.as_str().contains("${"),
        "a variable in {:?}",
        document
    );
    prop_assert!(
        !document.as_str().contains('?'),
        "a wildcard in {:?}",
        document
    );
    let iams_characters = |c| ('\u{20}'..='\u{ff}').contains(&c);
    prop_assert!(
        document.as_str().chars().all(iams_characters),
        "{document:?}"
    );
    Ok(())
}

/// Paths of few characters, so that they often lie inside or beside one another.
fn path() -> impl Strategy<Value = String> {
    vec(
        prop::sample::select(vec![
            "a", "b", "ab", "a b", "é", "$", "{x}", "\"", "\\", "/",
        ]),
        0..5,
    )
    .prop_map(|parts| parts.join("/"))
}

/// Buckets of few names, some the beginning of others.
fn bucket() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["abc", "abcd", "abc.d", "abc-d", "xyz"])
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    let scheme = prop::sample::select(vec!["s3://", "arn:aws:s3:::"]);
    vec(
        (scheme, bucket(), path())
            .prop_map(|(scheme, bucket, path)| format!("{scheme}{bucket}/{path}")),
        1..8,
    )
}

/// Text that is likely to be special somewhere.
fn tricky() -> impl Strategy<Value = String> {
    let special = vec![
        "*",
        "?",
        "${aws:username}",
        "$",
        "{",
        "}",
        "/",
        "//",
        ":",
        "\"",
        "\\",
        ",",
        " ",
        "\n",
        "\u{0}",
        "..",
        ".",
        "-",
        "é",
        "基",
        "arn:aws:s3:::",
        "s3://",
        "abc",
        "a",
        "key/",
        "alias/",
        "aws:",
    ];
    prop_oneof![
        vec(prop::sample::select(special), 0..8).prop_map(|parts| parts.concat()),
        any::<String>(),
        "[a-z0-9.-]{0,70}",
    ]
}

/// JSON as anybody could send it.
fn json_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        tricky().prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(
                (prop::sample::select(vec!["Key", "Value", "x"]), inner),
                0..4
            )
            .prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn exactly_what_the_entries_say_is_allowed(
        given in entries(),
        asked in vec((bucket(), path()), 1..20),
    ) {
        let accepted = given.iter().filter_map(|entry| BucketUri::parse(entry).ok());
        let Some(entries) = Buckets::new(accepted) else { return Ok(()) };
        let document = policy::document(&entries, &[], &partition(), SUFFIX);
        plain(&document)?;
        let question = Question { document: &document, entries: &entries };
        for (bucket, path) in asked {
            question.check(bucket, &path)?;
        }
        for entry in entries.iter() {
            let folder = entry.prefix.as_ref().map_or("", |prefix| prefix.as_str());
            for path in [folder, &format!("{folder}x"), folder.trim_end_matches('/'), &format!("x{folder}")] {
                question.check(entry.bucket.as_str(), path)?;
            }
        }
    }

    #[test]
    fn any_accepted_text_grants_itself_and_no_neighbour(text in tricky()) {
        let Ok(entry) = BucketUri::parse(&text) else { return Ok(()) };
        let (bucket, folder) = (entry.bucket.to_string(), entry.prefix.as_ref().map_or("", |prefix| prefix.as_str()));
        let entries = Buckets::new([entry.clone()]).unwrap();
        let document = policy::document(&entries, &[], &partition(), SUFFIX);
        plain(&document)?;
        let question = Question { document: &document, entries: &entries };
        for bucket in [bucket.clone(), format!("{bucket}x"), format!("x{bucket}"), "other".to_owned()] {
            for path in ["", "x", folder, &format!("{folder}x/y"), &format!("x{folder}"), &folder.replace('/', "x")] {
                question.check(&bucket, path)?;
            }
        }
    }

    #[test]
    fn a_key_decrypts_only_itself_and_only_for_s3_in_its_region(
        regions in vec(prop::sample::select(vec!["us-east-1", "us-east-2", "eu-west-1"]), 0..4),
        ids in vec("[0-9a-f]{2}", 4),
        asked in "[0-9a-f]{2}",
    ) {
        let arn = |region: &str, id: &str| KEY.replace("us-east-1", region).replace("1234abcd", &format!("1234ab{id}"));
        let given: Vec<String> = regions.iter().zip(&ids).map(|(region, id)| arn(region, id)).collect();
        let keys: Vec<KmsKeyArn> = given.iter().map(|key| KmsKeyArn::parse(key).unwrap()).collect();
        let entries = Buckets::new([BucketUri::parse("abc").unwrap()]).unwrap();
        let document = policy::document(&entries, &keys, &partition(), SUFFIX);
        plain(&document)?;
        let question = Question { document: &document, entries: &entries };
        for id in ids.iter().chain(once(&asked)) {
            for region in ["us-east-1", "us-east-2", "eu-west-1"] {
                let key = arn(region, id);
                prop_assert!(!question.allowed(&Request::new("kms:Decrypt", &key)));
                for via in ["us-east-1", "us-east-2", "eu-west-1"] {
                    let service = format!("s3.{via}.{SUFFIX}");
                    let request = Request::new("kms:Decrypt", &key).with("kms:ViaService", &service);
                    prop_assert_eq!(question.allowed(&request), via == region && given.contains(&key));
                }
                let service = format!("secretsmanager.{region}.{SUFFIX}");
                let request = Request::new("kms:Decrypt", &key).with("kms:ViaService", &service);
                prop_assert!(!question.allowed(&request));
            }
        }
    }

    #[test]
    fn any_json_is_either_accepted_or_refused_in_one_readable_line(
        name in prop_oneof![
            prop::sample::select(vec![
                "Buckets", "UserName", "PolicyName", "SecretKmsKeyId", "SecretRecoveryDays", "BucketKmsKeyArns",
                "PermissionsBoundary", "Tags", "KeySerial", "VerifyAccess", "Revision", "ServiceTimeout",
            ]).prop_map(ToOwned::to_owned),
            tricky(),
        ],
        value in json_value(),
    ) {
        let mut properties = json!({"Buckets": ["abc"]});
        properties[name] = value;
        let _ = (Previous::read(&properties), Deletion::read(&properties));
        match Desired::parse(&properties, &partition()) {
            Ok(desired) => plain(&policy::document(
                &desired.buckets, &desired.bucket_kms_keys, &partition(), SUFFIX,
            ))?,
            Err(refusal) => {
                let line = refusal.to_string();
                prop_assert!(!line.chars().any(char::is_control), "{line:?}");
                prop_assert!(line.chars().count() < 1200, "{}", line);
            }
        }
    }
}
