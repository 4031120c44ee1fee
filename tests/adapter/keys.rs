//! `CreateAccessKey`: sent once, and half a key never counts as a key.

use std::time::{Duration, SystemTime};

use publisher_s3_access::cloud::{
    AccessKeys, CloudError, CreatedKey, ErrorKind, Key, KeyStatus, LastUse,
};
use secrecy::ExposeSecret;

use crate::wire::{Answer, Wire, query_error, query_result, reply};
use crate::{CANARY, TELLTALE, key_id, user};

fn created(user: &str, id: &str, status: &str, secret: &str) -> String {
    format!(
        "<CreateAccessKeyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n  <CreateAccessKeyResult>\n    \
         <AccessKey>\n      <UserName>{user}</UserName>\n      <AccessKeyId>{id}</AccessKeyId>\n      \
         <Status>{status}</Status>\n      <SecretAccessKey>{secret}</SecretAccessKey>\n      \
         <CreateDate>2026-10-01T12:00:00Z</CreateDate>\n    </AccessKey>\n  </CreateAccessKeyResult>\n  \
         <ResponseMetadata>\n    <RequestId>request-1</RequestId>\n  </ResponseMetadata>\n</CreateAccessKeyResponse>\n"
    )
}

fn whole() -> String {
    created(
        "publisher-connectors",
        "AKIAIOSFODNN7EXAMPLE",
        "Active",
        CANARY,
    )
}

/// The error of one call, after which there was exactly one request and no trace of the key.
async fn refused(answer: Answer) -> CloudError {
    let wire = Wire::always(answer);
    let error = wire
        .aws()
        .create_key(&user())
        .await
        .expect_err("no whole key came");
    assert_eq!(wire.actions(), ["CreateAccessKey"], "sent once");
    assert!(
        !format!("{error} {error:?}").contains(TELLTALE),
        "{error:?}"
    );
    error
}

#[tokio::test(start_paused = true)]
async fn a_whole_key_arrives_as_it_was_sent() {
    let wire = Wire::playing([reply(200, whole())]);
    let created = wire.aws().create_key(&user()).await.unwrap();
    assert!(!format!("{created:?}").contains(TELLTALE), "{created:?}");
    let CreatedKey::Created { id, secret } = created else {
        panic!("{created:?}")
    };
    assert_eq!((id, secret.expose_secret()), (key_id(), CANARY));
}

#[tokio::test(start_paused = true)]
async fn a_key_cut_anywhere_is_unclear() {
    let whole = whole();
    let end = whole.trim_end().len();
    let wire = Wire::playing((0..=end).map(|length| reply(200, &whole[..length])));
    let aws = wire.aws();
    for length in 0..end {
        let error = aws
            .create_key(&user())
            .await
            .expect_err("no whole key came");
        assert_eq!(
            error.kind,
            ErrorKind::Indeterminate,
            "cut to {length}: {error}"
        );
        assert!(
            !format!("{error} {error:?}").contains(TELLTALE),
            "{error:?}"
        );
    }
    assert!(
        aws.create_key(&user()).await.is_ok(),
        "the end is where the test thinks it is"
    );
    wire.assert_played();
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_whole_key_of_this_user_is_unclear() {
    let (user, id) = ("publisher-connectors", "AKIAIOSFODNN7EXAMPLE");
    for body in [
        created("somebody-else", id, "Active", CANARY),
        created("", id, "Active", CANARY),
        created(user, "", "Active", CANARY),
        created(user, "AKIA", "Active", CANARY),
        created(user, id, "Inactive", CANARY),
        created(user, id, "", CANARY),
        created(user, id, "Active", ""),
        created(user, id, "Active", &CANARY[..39]),
        whole().replace(&format!("<SecretAccessKey>{CANARY}</SecretAccessKey>"), ""),
        "<CreateAccessKeyResponse><CreateAccessKeyResult/></CreateAccessKeyResponse>".to_owned(),
        "<CreateAccessKeyResponse></CreateAccessKeyResponse>".to_owned(),
        "{}".to_owned(),
    ] {
        let error = refused(reply(200, body.clone())).await;
        assert_eq!(
            (error.operation, error.kind),
            ("iam:CreateAccessKey", ErrorKind::Indeterminate),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_key_than_todays_is_a_key() {
    let wire = Wire::playing([reply(
        200,
        created(
            "publisher-connectors",
            key_id().as_str(),
            "Active",
            &CANARY.repeat(2),
        ),
    )]);
    assert!(matches!(
        wire.aws().create_key(&user()).await,
        Ok(CreatedKey::Created { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn it_is_sent_once_whatever_happens() {
    for (answer, kind) in [
        (
            query_error(500, "ServiceFailure", "Please try again."),
            ErrorKind::Indeterminate,
        ),
        (
            query_error(503, "ServiceUnavailable", "Please try again."),
            ErrorKind::Indeterminate,
        ),
        (
            query_error(400, "Throttling", "Rate exceeded"),
            ErrorKind::Throttled,
        ),
        (
            query_error(409, "ConcurrentModification", "Please try again."),
            ErrorKind::Conflict,
        ),
        (
            query_error(409, "EntityTemporarilyUnmodifiable", "Please try again."),
            ErrorKind::Conflict,
        ),
        (
            query_error(404, "NoSuchEntity", "The user cannot be found."),
            ErrorKind::NotFound,
        ),
        (
            Answer::BrokenOff {
                status: 200,
                body: whole(),
            },
            ErrorKind::Indeterminate,
        ),
        (Answer::BrokenConnection, ErrorKind::Indeterminate),
        (Answer::Silence, ErrorKind::Indeterminate),
    ] {
        assert_eq!(refused(answer).await.kind, kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_third_key_is_an_answer() {
    let wire = Wire::playing([query_error(
        409,
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )]);
    assert!(matches!(
        wire.aws().create_key(&user()).await,
        Ok(CreatedKey::LimitReached)
    ));
}

fn listed(id: &str, status: &str) -> String {
    format!(
        "<member><UserName>publisher-connectors</UserName><AccessKeyId>{id}</AccessKeyId><Status>{status}</Status>\
         <CreateDate>2026-10-01T12:00:00Z</CreateDate></member>"
    )
}

fn page(members: &str, marker: Option<&str>) -> Answer {
    let more = marker.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |marker| {
        format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>")
    });
    query_result(
        "ListAccessKeys",
        &format!("<AccessKeyMetadata>{members}</AccessKeyMetadata>{more}"),
    )
}

#[tokio::test(start_paused = true)]
async fn keys_are_listed_over_all_pages_and_only_active_ones_count_as_active() {
    let first = [
        listed("AKIAIOSFODNN7EXAMPLE", "Active"),
        listed("AKIAI44QH8DHBEXAMPLE", "Inactive"),
    ]
    .concat();
    let second = [
        listed("AKIAEXPIREDEXPIREDXX", "Expired"),
        listed("AKIAFUTUREFUTUREFUTU", "Paused"),
    ]
    .concat();
    let wire = Wire::playing([page(&first, Some("next-page")), page(&second, None)]);
    let keys = wire.aws().list_keys(&user()).await.unwrap();
    let states: Vec<_> = keys
        .iter()
        .map(|Key { id, status, .. }| (id.as_str(), *status))
        .collect();
    assert_eq!(
        states,
        [
            ("AKIAIOSFODNN7EXAMPLE", KeyStatus::Active),
            ("AKIAI44QH8DHBEXAMPLE", KeyStatus::Inactive),
            ("AKIAEXPIREDEXPIREDXX", KeyStatus::Inactive),
            ("AKIAFUTUREFUTUREFUTU", KeyStatus::Inactive),
        ]
    );
    assert_eq!(
        keys[0]
            .created
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
        1_790_856_000
    );
    assert!(
        wire.sent()[1].body.contains("Marker=next-page"),
        "{:?}",
        wire.sent()
    );
}

#[tokio::test(start_paused = true)]
async fn half_a_list_of_keys_is_no_list() {
    let Answer::Reply { body, .. } = page(&listed("AKIAIOSFODNN7EXAMPLE", "Active"), None) else {
        panic!()
    };
    let cut = body.find("<IsTruncated>").unwrap();
    let wire = Wire::playing([reply(200, &body[..cut])]);
    assert_eq!(
        wire.aws()
            .list_keys(&user())
            .await
            .map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
}

#[tokio::test(start_paused = true)]
async fn a_keys_owner_is_found_and_an_unknown_key_has_none() {
    let used = "<UserName>renamed</UserName><AccessKeyLastUsed><ServiceName>N/A</ServiceName>\
                <Region>N/A</Region></AccessKeyLastUsed>";
    let wire = Wire::playing([query_result("GetAccessKeyLastUsed", used)]);
    assert_eq!(
        wire.aws().key_owner(&key_id()).await,
        Ok(Some("renamed".to_owned()))
    );

    for (status, code) in [
        (403, "AccessDenied"),
        (404, "NoSuchEntity"),
        (400, "ValidationError"),
    ] {
        let wire = Wire::playing([query_error(status, code, "No.")]);
        assert_eq!(wire.aws().key_owner(&key_id()).await, Ok(None), "{code}");
    }
    let wire = Wire::always(query_error(500, "ServiceFailure", "Please try again."));
    assert_eq!(
        wire.aws()
            .key_owner(&key_id())
            .await
            .map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
}

#[tokio::test(start_paused = true)]
async fn a_keys_last_use_is_read_and_an_unreadable_one_is_an_error() {
    let used = |inner: &str| {
        let text = format!("<UserName>u</UserName><AccessKeyLastUsed>{inner}</AccessKeyLastUsed>");
        query_result("GetAccessKeyLastUsed", &text)
    };
    let last = used(
        "<LastUsedDate>2026-11-24T06:00:00Z</LastUsedDate><ServiceName>s3</ServiceName>\
         <Region>eu-west-1</Region>",
    );
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_500_000);
    assert_eq!(
        Wire::playing([last]).aws().last_used(&key_id()).await,
        Ok(Some(LastUse {
            date,
            service: "s3".to_owned(),
            region: "eu-west-1".to_owned(),
        }))
    );
    let never = used("<ServiceName>N/A</ServiceName><Region>N/A</Region>");
    let wire = Wire::playing([never]);
    assert_eq!(wire.aws().last_used(&key_id()).await, Ok(None));
    // A denial must not count as "never used", or the key would be ended.
    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::Denied),
        (404, "NoSuchEntity", ErrorKind::NotFound),
        (400, "ValidationError", ErrorKind::Rejected),
    ] {
        let wire = Wire::playing([query_error(status, code, "No.")]);
        let answer = wire.aws().last_used(&key_id()).await;
        assert_eq!(answer.map_err(|error| error.kind), Err(kind), "{code}");
    }
    let silent = query_result("GetAccessKeyLastUsed", "<UserName>u</UserName>");
    let wire = Wire::playing([silent]);
    let answer = wire.aws().last_used(&key_id()).await;
    assert_eq!(
        answer.map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
}
