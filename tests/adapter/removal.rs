//! Removing: a missing thing counts as removed, and a refusal leads to a second look.

use std::fmt;

use publisher_s3_access::cloud::aws::Aws;
use publisher_s3_access::cloud::{
    AccessKeys, Attachment, AttachmentKind, ErrorKind, Result, Secrets, Users,
};

use crate::wire::{Answer, Wire, json_error, query_error, query_result, reply};
use crate::{key_id, policy, secret_arn, user};

/// Every removing call, with the looks that follow a refusal.
#[derive(Debug)]
enum Removal {
    User,
    Policy,
    Key,
    Attachment(AttachmentKind),
    Secret,
    Replicas,
}

impl Removal {
    fn all() -> Vec<Self> {
        let kinds = AttachmentKind::ALL
            .into_iter()
            .filter(|kind| *kind != AttachmentKind::Group);
        let mut all: Vec<_> = kinds.map(Self::Attachment).collect();
        all.extend([
            Self::User,
            Self::Policy,
            Self::Key,
            Self::Secret,
            Self::Replicas,
        ]);
        all
    }

    async fn run(&self, aws: &Aws) -> Result<()> {
        match self {
            Self::User => aws.delete_user(&user()).await,
            Self::Policy => aws.delete_policy(&user(), &policy()).await,
            Self::Key => aws.delete_key(&user(), &key_id()).await.map(drop),
            Self::Attachment(kind) => aws.detach(&user(), &attachment(*kind)).await,
            Self::Secret => aws.delete_secret(&secret_arn(), Some(7)).await,
            Self::Replicas => {
                aws.remove_replicas(&secret_arn(), &["us-east-1".to_owned()])
                    .await
            }
        }
    }

    fn speaks_json(&self) -> bool {
        matches!(self, Self::Secret | Self::Replicas)
    }

    fn missing(&self) -> Answer {
        if self.speaks_json() {
            json_error(
                400,
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            )
        } else {
            query_error(404, "NoSuchEntity", "It cannot be found.")
        }
    }

    fn denied(&self) -> Answer {
        let text = "User: arn is not authorized to perform this";
        if self.speaks_json() {
            json_error(400, "AccessDeniedException", text)
        } else {
            query_error(403, "AccessDenied", text)
        }
    }

    /// What the look finds while the thing exists.
    fn there(&self) -> Answer {
        match self {
            Self::User => query_result(
                "GetUser",
                "<User><UserName>u</UserName><Arn>arn</Arn></User>",
            ),
            Self::Policy => {
                query_result("GetUserPolicy", "<PolicyDocument>%7B%7D</PolicyDocument>")
            }
            Self::Key => query_result(
                "ListAccessKeys",
                "<AccessKeyMetadata><member><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status>\
                 <CreateDate>2026-10-01T12:00:00Z</CreateDate></member></AccessKeyMetadata>",
            ),
            Self::Attachment(kind) => attachment_list(*kind),
            Self::Secret | Self::Replicas => reply(
                200,
                r#"{"ARN": "arn", "ReplicationStatus": [{"Region": "us-east-1", "Status": "InSync"}]}"#,
            ),
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

fn attachment(kind: AttachmentKind) -> Attachment {
    let id = if kind == AttachmentKind::LoginProfile {
        user().as_str().to_owned()
    } else {
        "THE-ID-OF-IT".to_owned()
    };
    Attachment { kind, id }
}

fn attachment_list(kind: AttachmentKind) -> Answer {
    let (operation, list) = match kind {
        AttachmentKind::ManagedPolicy => (
            "ListAttachedUserPolicies",
            "<AttachedPolicies><member><PolicyArn>ID</PolicyArn></member></AttachedPolicies>",
        ),
        AttachmentKind::LoginProfile => (
            "GetLoginProfile",
            "<LoginProfile><UserName>u</UserName></LoginProfile>",
        ),
        AttachmentKind::SshKey => (
            "ListSSHPublicKeys",
            "<SSHPublicKeys><member><SSHPublicKeyId>ID</SSHPublicKeyId></member></SSHPublicKeys>",
        ),
        AttachmentKind::SigningCertificate => (
            "ListSigningCertificates",
            "<Certificates><member><CertificateId>ID</CertificateId></member></Certificates>",
        ),
        AttachmentKind::ServiceCredential => (
            "ListServiceSpecificCredentials",
            "<ServiceSpecificCredentials><member><ServiceSpecificCredentialId>ID</ServiceSpecificCredentialId></member>\
             </ServiceSpecificCredentials>",
        ),
        AttachmentKind::MfaDevice => (
            "ListMFADevices",
            "<MFADevices><member><SerialNumber>ID</SerialNumber></member></MFADevices>",
        ),
        AttachmentKind::Group => unreachable!("never removed"),
    };
    query_result(operation, &list.replace("ID<", "THE-ID-OF-IT<"))
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_removed() {
    for removal in Removal::all() {
        let wire = Wire::playing([removal.missing()]);
        assert_eq!(removal.run(&wire.aws()).await, Ok(()), "{removal}");
        wire.assert_played();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_to_remove_what_is_gone_is_success() {
    for removal in Removal::all() {
        let wire = Wire::playing([removal.denied(), removal.missing()]);
        assert_eq!(removal.run(&wire.aws()).await, Ok(()), "{removal}");
        wire.assert_played();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_to_remove_what_is_there_stands() {
    for removal in Removal::all() {
        let wire = Wire::playing([removal.denied(), removal.there()]);
        let outcome = removal.run(&wire.aws()).await;
        assert_eq!(
            outcome.map_err(|error| error.kind),
            Err(ErrorKind::Denied),
            "{removal}"
        );
        wire.assert_played();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_stands_if_looking_is_refused_too() {
    for removal in Removal::all() {
        let wire = Wire::playing([removal.denied(), removal.denied()]);
        let error = removal
            .run(&wire.aws())
            .await
            .expect_err("nothing shows that it is gone");
        let first = wire.actions()[0].clone();
        assert_eq!(error.kind, ErrorKind::Denied, "{removal}");
        assert!(
            error.operation.ends_with(&first),
            "{} is told, not the look after {first}",
            error.operation
        );
    }
}

#[tokio::test(start_paused = true)]
async fn another_refusal_is_not_looked_into() {
    for removal in Removal::all() {
        let answer = if removal.speaks_json() {
            json_error(400, "InvalidParameterException", "No.")
        } else {
            query_error(400, "InvalidInput", "No.")
        };
        let wire = Wire::playing([answer]);
        let outcome = removal.run(&wire.aws()).await;
        assert_eq!(
            outcome.map_err(|error| error.kind),
            Err(ErrorKind::Rejected),
            "{removal}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_with_attachments_is_a_conflict() {
    let text = "Cannot delete entity, must delete access keys first.";
    let wire = Wire::playing([query_error(409, "DeleteConflict", text)]);
    let outcome = wire.aws().delete_user(&user()).await;
    assert_eq!(
        outcome.map_err(|error| (error.kind, error.message)),
        Err((ErrorKind::Conflict, text.to_owned()))
    );
}
