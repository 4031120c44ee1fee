//! What the user must not be able to do, whoever has its key and whatever policy it gets later.

use super::attempt::{Attempt, STACK, Who, deployed, successes};
use super::policies;

#[rustfmt::skip]
pub(crate) const ATTEMPTS: &[Attempt] = &[
    // With the policy that the function gives.
    Attempt { who: Who::User, action: "s3:GetObject", resource: "arn:aws:s3:::reads-other/a",
        context: &[], gain: "a bucket that was not asked for" },
    Attempt { who: Who::User, action: "s3:PutObject", resource: "arn:aws:s3:::reads/a",
        context: &[], gain: "writing" },
    Attempt { who: Who::User, action: "secretsmanager:GetSecretValue", resource: "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/reader-AbCdEf",
        context: &[], gain: "the next key, after this one was revoked" },
    Attempt { who: Who::User, action: "iam:CreateAccessKey", resource: "arn:aws:iam::111122223333:user/publisher-reader",
        context: &[], gain: "a key that nobody knows of" },
    Attempt { who: Who::User, action: "sts:AssumeRole", resource: "arn:aws:iam::111122223333:role/Admin",
        context: &[], gain: "becoming a role" },
    // With `AdministratorAccess` attached by hand: the boundary holds.
    Attempt { who: Who::UserAndAdministrator, action: "iam:CreateUser", resource: "arn:aws:iam::111122223333:user/alice",
        context: &[], gain: "another user" },
    Attempt { who: Who::UserAndAdministrator, action: "iam:CreateAccessKey", resource: "arn:aws:iam::111122223333:user/alice",
        context: &[], gain: "becoming another user" },
    Attempt { who: Who::UserAndAdministrator, action: "iam:AttachUserPolicy", resource: "arn:aws:iam::111122223333:user/publisher-reader",
        context: &[], gain: "more power" },
    Attempt { who: Who::UserAndAdministrator, action: "iam:DeleteUserPermissionsBoundary", resource: "arn:aws:iam::111122223333:user/publisher-reader",
        context: &[], gain: "getting rid of the boundary" },
    Attempt { who: Who::UserAndAdministrator, action: "iam:CreatePolicyVersion", resource: "arn:aws:iam::111122223333:policy/genomes-for-publisher-Boundary-ABCDEFGHIJKL",
        context: &[], gain: "another text of the boundary" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:GetObject", resource: "arn:aws:s3:::payroll/a",
        context: &[], gain: "a bucket that `ReadableBuckets` does not name" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:ListBucket", resource: "arn:aws:s3:::payroll",
        context: &[("s3:prefix", "")], gain: "listing such a bucket" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:GetObject", resource: "arn:aws:s3:::payroll/reads/a",
        context: &[], gain: "an object whose key looks like a readable bucket" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:GetObject", resource: "arn:aws:s3:::payroll/x:s3:::reads/y",
        context: &[], gain: "an object whose key has the colons of a readable bucket's ARN" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:ListBucket", resource: "arn:aws:s3:::payroll:s3:::reads",
        context: &[], gain: "a bucket by a name with colons" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:PutObject", resource: "arn:aws:s3:::reads/a",
        context: &[], gain: "writing" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:DeleteObject", resource: "arn:aws:s3:::reads/a",
        context: &[], gain: "deleting" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:PutBucketPolicy", resource: "arn:aws:s3:::reads",
        context: &[], gain: "opening the bucket" },
    Attempt { who: Who::UserAndAdministrator, action: "s3:ListAllMyBuckets", resource: "*",
        context: &[], gain: "finding buckets" },
    Attempt { who: Who::UserAndAdministrator, action: "secretsmanager:GetSecretValue", resource: "arn:aws:secretsmanager:us-east-1:111122223333:secret:database-AbCdEf",
        context: &[], gain: "other secrets" },
    Attempt { who: Who::UserAndAdministrator, action: "kms:Decrypt", resource: "arn:aws:kms:us-east-1:111122223333:key/1",
        context: &[], gain: "decrypting directly" },
    Attempt { who: Who::UserAndAdministrator, action: "kms:Decrypt", resource: "arn:aws:kms:us-east-1:111122223333:key/1",
        context: &[("kms:ViaService", "secretsmanager.us-east-1.amazonaws.com")], gain: "decrypting secrets" },
    Attempt { who: Who::UserAndAdministrator, action: "kms:ScheduleKeyDeletion", resource: "arn:aws:kms:us-east-1:111122223333:key/1",
        context: &[], gain: "destroying data" },
    Attempt { who: Who::UserAndAdministrator, action: "sts:AssumeRole", resource: "arn:aws:iam::111122223333:role/Admin",
        context: &[], gain: "becoming a role" },
    Attempt { who: Who::UserAndAdministrator, action: "sts:GetFederationToken", resource: "*",
        context: &[], gain: "credentials that outlive the key" },
    Attempt { who: Who::UserAndAdministrator, action: "lambda:InvokeFunction", resource: "arn:aws:lambda:us-east-1:111122223333:function:any",
        context: &[], gain: "forging an event" },
    Attempt { who: Who::UserAndAdministrator, action: "cloudformation:DeleteStack", resource: STACK,
        context: &[], gain: "removing the stack" },
    // Named by the policy of the bucket, the key, the secret or the role itself.
    Attempt { who: Who::UserAndResourcePolicy, action: "s3:GetObject", resource: "arn:aws:s3:::payroll/a",
        context: &[], gain: "a bucket that `ReadableBuckets` does not name" },
    Attempt { who: Who::UserAndResourcePolicy, action: "s3:PutObject", resource: "arn:aws:s3:::reads/a",
        context: &[], gain: "writing" },
    Attempt { who: Who::UserAndResourcePolicy, action: "kms:Decrypt", resource: "arn:aws:kms:us-east-1:111122223333:key/1",
        context: &[], gain: "decrypting directly" },
    Attempt { who: Who::UserAndResourcePolicy, action: "secretsmanager:GetSecretValue", resource: "arn:aws:secretsmanager:us-east-1:111122223333:secret:database-AbCdEf",
        context: &[], gain: "another secret" },
    Attempt { who: Who::UserAndResourcePolicy, action: "sts:AssumeRole", resource: "arn:aws:iam::111122223333:role/Trusting",
        context: &[], gain: "becoming a role that trusts the user" },
];

/// What the user is there for.
#[rustfmt::skip]
pub(crate) const USES: &[Attempt] = &[
    Attempt { who: Who::User, action: "s3:ListBucket", resource: "arn:aws:s3:::reads",
        context: &[("s3:prefix", "")], gain: "listing" },
    Attempt { who: Who::User, action: "s3:GetObject", resource: "arn:aws:s3:::reads/a/b",
        context: &[], gain: "reading" },
    Attempt { who: Who::UserAndResourcePolicy, action: "s3:GetObject", resource: "arn:aws:s3:::reads/a",
        context: &[], gain: "reading where a bucket policy allows it" },
    Attempt { who: Who::UserAndAdministrator, action: "kms:Decrypt", resource: "arn:aws:kms:eu-west-1:999999999999:key/1",
        context: &[("kms:ViaService", "s3.eu-west-1.amazonaws.com")], gain: "reading what is encrypted" },
];

#[test]
fn no_attempt_to_do_more_than_read_succeeds() {
    assert_eq!(successes(ATTEMPTS, &policies::of(&deployed())), [""; 0]);
    println!("{} attempts with the key", ATTEMPTS.len());
    assert!(ATTEMPTS.len() >= 10, "{}", ATTEMPTS.len());
}

#[test]
fn the_user_can_do_what_it_is_there_for() {
    let possible = successes(USES, &policies::of(&deployed()));
    assert_eq!(possible.len(), USES.len(), "{possible:?}");
}
