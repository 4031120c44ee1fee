//! IAM apart from keys: the user, its policies and its attachments.

use std::collections::BTreeMap;

use publisher_s3_access::cloud::{
    AccessKeys, Attachment, AttachmentKind, Creation, ErrorKind, NewUser, User, Users,
};
use publisher_s3_access::request::names::PolicyArn;

use crate::wire::{Answer, Wire, query_error, query_result, reply};
use crate::{policy, tags, user};

const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/publisher-boundary";

fn boundary() -> PolicyArn {
    PolicyArn::parse(BOUNDARY).unwrap()
}

fn user_element(more: &str) -> String {
    format!(
        "<User><Path>/</Path><UserName>Publisher-Connectors</UserName><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>\
         <Arn>arn:aws:iam::111122223333:user/Publisher-Connectors</Arn>\
         <CreateDate>2026-10-01T12:00:00Z</CreateDate>{more}</User>"
    )
}

fn missing() -> Answer {
    query_error(
        404,
        "NoSuchEntity",
        "The user with name publisher-connectors cannot be found.",
    )
}

#[tokio::test(start_paused = true)]
async fn a_user_is_read_with_its_tags_and_its_boundary() {
    let more = format!(
        "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
         <PermissionsBoundaryArn>{BOUNDARY}</PermissionsBoundaryArn></PermissionsBoundary>\
         <Tags><member><Key>team</Key><Value>a &amp; b</Value></member><member><Key>empty</Key><Value></Value></member></Tags>"
    );
    let wire = Wire::playing([query_result("GetUser", &user_element(&more))]);
    let expected = User {
        name: "Publisher-Connectors".to_owned(),
        arn: "arn:aws:iam::111122223333:user/Publisher-Connectors".to_owned(),
        tags: BTreeMap::from([
            ("team".to_owned(), "a & b".to_owned()),
            ("empty".to_owned(), String::new()),
        ]),
        boundary: Some(BOUNDARY.to_owned()),
    };
    assert_eq!(wire.aws().find_user(&user()).await, Ok(Some(expected)));
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_read_as_nothing() {
    let wire = Wire::always(missing());
    let aws = wire.aws();
    assert_eq!(aws.find_user(&user()).await, Ok(None));
    assert_eq!(aws.get_policy(&user(), &policy()).await, Ok(None));
    assert_eq!(aws.list_policies(&user()).await, Ok(vec![]));
    assert_eq!(aws.list_keys(&user()).await, Ok(vec![]));
    for kind in AttachmentKind::ALL {
        assert_eq!(
            aws.list_attachments(&user(), kind).await,
            Ok(vec![]),
            "{kind:?}"
        );
    }
    assert_eq!(wire.sent().len(), 4 + AttachmentKind::ALL.len());
}

#[tokio::test(start_paused = true)]
async fn a_user_without_its_arn_was_not_read() {
    for body in [
        "<GetUserResponse></GetUserResponse>",
        "<GetUserResponse><GetUserResult><User/></GetUserResult></GetUserResponse>",
    ] {
        let wire = Wire::playing([reply(200, body)]);
        assert_eq!(
            wire.aws()
                .find_user(&user())
                .await
                .map_err(|error| error.kind),
            Err(ErrorKind::Indeterminate)
        );
    }
}

fn new_user(boundary: Option<PolicyArn>) -> NewUser {
    NewUser {
        name: user(),
        boundary,
        tags: tags(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_made_with_boundary_and_tags_in_one_call() {
    let wire = Wire::playing([query_result("CreateUser", &user_element(""))]);
    let made = wire
        .aws()
        .create_user(&new_user(Some(boundary())))
        .await
        .unwrap();
    let Creation::Created(made) = made else {
        panic!("{made:?}")
    };
    assert_eq!(
        (made.tags, made.boundary.as_deref()),
        (tags(), Some(BOUNDARY))
    );
    let body = &wire.sent()[0].body;
    for parameter in [
        "UserName=publisher-connectors",
        "PermissionsBoundary=arn%3Aaws%3Aiam%3A%3A111122223333%3Apolicy%2Fpublisher-boundary",
        "Tags.member.1.Key=publisher-s3-access%3Alogical-id",
        "Tags.member.1.Value=Access",
    ] {
        assert!(body.contains(parameter), "{parameter} is not in {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_of_that_name_is_an_answer() {
    let there = "User with name publisher-connectors already exists.";
    let wire = Wire::playing([query_error(409, "EntityAlreadyExists", there)]);
    assert_eq!(
        wire.aws().create_user(&new_user(None)).await,
        Ok(Creation::AlreadyExists)
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_boundary_is_named_and_not_taken_for_a_missing_user() {
    let text = format!("Scope ARN: {BOUNDARY} does not exist or is not attachable.");
    let wire = Wire::playing([query_error(404, "NoSuchEntity", &text)]);
    let error = wire
        .aws()
        .create_user(&new_user(Some(boundary())))
        .await
        .expect_err("AWS refused");
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (ErrorKind::NotFound, Some("NoSuchEntity"))
    );
    assert!(
        error.message.contains(BOUNDARY) && error.message.contains("`PermissionsBoundary`"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn policies_are_listed_over_all_pages() {
    let wire = Wire::playing([
        query_result(
            "ListUserPolicies",
            "<PolicyNames><member>One</member></PolicyNames><IsTruncated>true</IsTruncated><Marker>m1</Marker>",
        ),
        query_result(
            "ListUserPolicies",
            "<PolicyNames><member>Two,+=.@-</member></PolicyNames><IsTruncated>false</IsTruncated>",
        ),
    ]);
    let names = wire.aws().list_policies(&user()).await.unwrap();
    assert_eq!(
        names.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["One", "Two,+=.@-"]
    );
    assert!(wire.sent()[1].body.contains("Marker=m1"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_document_is_read_decoded_and_keeps_its_plus_signs() {
    let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Ab%2F%C3%BC+%2B%20*%22%7D";
    let answer = |document: &str| {
        let inside = format!(
            "<UserName>u</UserName><PolicyName>S3AccessPolicy</PolicyName><PolicyDocument>{document}</PolicyDocument>"
        );
        query_result("GetUserPolicy", &inside)
    };
    let wire = Wire::playing([answer(encoded)]);
    let document = "{\"Version\":\"2012-10-17\",\"Resource\":\"arn:aws:s3:::b/ü++ *\"}";
    assert_eq!(
        wire.aws().get_policy(&user(), &policy()).await,
        Ok(Some(document.to_owned()))
    );

    for unreadable in ["", "%FF"] {
        let wire = Wire::playing([answer(unreadable)]);
        let read = wire.aws().get_policy(&user(), &policy()).await;
        assert_eq!(
            read.map_err(|error| error.kind),
            Err(ErrorKind::Indeterminate),
            "{unreadable}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_sent_whole() {
    let wire = Wire::playing([reply(
        200,
        "<PutUserPolicyResponse></PutUserPolicyResponse>",
    )]);
    wire.aws()
        .put_policy(&user(), &policy(), "{\"a\": \"b/*\"}")
        .await
        .unwrap();
    let body = &wire.sent()[0].body;
    assert!(
        body.contains("PolicyDocument=%7B%22a%22%3A%20%22b%2F%2A%22%7D"),
        "{body}"
    );
}

#[tokio::test(start_paused = true)]
async fn tags_and_boundary_reach_the_user() {
    let wire = Wire::playing(
        ["TagUser", "UntagUser", "PutUserPermissionsBoundary"].map(|call| query_result(call, "")),
    );
    let aws = wire.aws();
    aws.tag_user(&user(), &tags()).await.unwrap();
    aws.untag_user(&user(), &["old".to_owned()]).await.unwrap();
    aws.set_boundary(&user(), &boundary()).await.unwrap();
    assert_eq!(
        wire.actions(),
        ["TagUser", "UntagUser", "PutUserPermissionsBoundary"]
    );
    let bodies: Vec<_> = wire.sent().into_iter().map(|sent| sent.body).collect();
    assert!(
        bodies[0].contains("Tags.member.1.Key=publisher-s3-access%3Alogical-id"),
        "{}",
        bodies[0]
    );
    assert!(bodies[1].contains("TagKeys.member.1=old"), "{}", bodies[1]);
    assert!(
        bodies[2].contains("PermissionsBoundary=arn%3Aaws%3Aiam"),
        "{}",
        bodies[2]
    );
}

/// One page of each kind: its operation, the content of the list, and the id that it gives.
fn lists() -> [(AttachmentKind, &'static str, &'static str, &'static str); 7] {
    [
        (
            AttachmentKind::ManagedPolicy,
            "ListAttachedUserPolicies",
            "<AttachedPolicies><member><PolicyName>Q</PolicyName>\
             <PolicyArn>arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3</PolicyArn></member></AttachedPolicies>",
            "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
        ),
        (
            AttachmentKind::LoginProfile,
            "GetLoginProfile",
            "<LoginProfile><UserName>publisher-connectors</UserName><CreateDate>2026-10-01T12:00:00Z</CreateDate></LoginProfile>",
            "publisher-connectors",
        ),
        (
            AttachmentKind::SshKey,
            "ListSSHPublicKeys",
            "<SSHPublicKeys><member><UserName>u</UserName><SSHPublicKeyId>APKA1</SSHPublicKeyId><Status>Active</Status>\
             <UploadDate>2026-10-01T12:00:00Z</UploadDate></member></SSHPublicKeys>",
            "APKA1",
        ),
        (
            AttachmentKind::SigningCertificate,
            "ListSigningCertificates",
            "<Certificates><member><UserName>u</UserName><CertificateId>TA7S</CertificateId>\
             <CertificateBody>body</CertificateBody><Status>Active</Status></member></Certificates>",
            "TA7S",
        ),
        (
            AttachmentKind::ServiceCredential,
            "ListServiceSpecificCredentials",
            "<ServiceSpecificCredentials><member><UserName>u</UserName><Status>Active</Status>\
             <ServiceUserName>u-at-1</ServiceUserName><CreateDate>2026-10-01T12:00:00Z</CreateDate>\
             <ServiceSpecificCredentialId>ACCA1</ServiceSpecificCredentialId>\
             <ServiceName>codecommit.amazonaws.com</ServiceName></member></ServiceSpecificCredentials>",
            "ACCA1",
        ),
        (
            AttachmentKind::MfaDevice,
            "ListMFADevices",
            "<MFADevices><member><UserName>u</UserName><SerialNumber>arn:aws:iam::111122223333:mfa/u</SerialNumber>\
             <EnableDate>2026-10-01T12:00:00Z</EnableDate></member></MFADevices>",
            "arn:aws:iam::111122223333:mfa/u",
        ),
        (
            AttachmentKind::Group,
            "ListGroupsForUser",
            "<Groups><member><Path>/</Path><GroupName>readers</GroupName><GroupId>AGPA1</GroupId>\
             <Arn>arn:aws:iam::111122223333:group/readers</Arn><CreateDate>2026-10-01T12:00:00Z</CreateDate></member></Groups>",
            "readers",
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn attachments_are_listed_by_kind_over_all_pages() {
    assert_eq!(lists().map(|(kind, ..)| kind), AttachmentKind::ALL);
    for (kind, operation, list, id) in lists() {
        let attachment = Attachment {
            kind,
            id: id.to_owned(),
        };
        if kind == AttachmentKind::LoginProfile {
            let wire = Wire::playing([query_result(operation, list)]);
            assert_eq!(
                wire.aws().list_attachments(&user(), kind).await,
                Ok(vec![attachment])
            );
            continue;
        }
        let wire = Wire::playing([
            query_result(
                operation,
                &format!("{list}<IsTruncated>true</IsTruncated><Marker>m1</Marker>"),
            ),
            query_result(
                operation,
                &format!("{list}<IsTruncated>false</IsTruncated>"),
            ),
        ]);
        let found = wire.aws().list_attachments(&user(), kind).await;
        assert_eq!(found, Ok(vec![attachment.clone(), attachment]), "{kind:?}");
        assert_eq!(wire.actions(), [operation, operation]);
        assert!(wire.sent()[1].body.contains("Marker=m1"), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_membership_is_not_removed_and_nothing_is_sent() {
    let wire = Wire::default();
    let group = Attachment {
        kind: AttachmentKind::Group,
        id: "readers".to_owned(),
    };
    let outcome = wire.aws().detach(&user(), &group).await;
    assert_eq!(
        outcome.map_err(|error| error.kind),
        Err(ErrorKind::Rejected)
    );
    assert!(wire.sent().is_empty());
}
