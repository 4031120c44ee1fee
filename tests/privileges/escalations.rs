//! What the role must not be able to do, whoever has it: a forged event, hostile code, a mistake in ours.

use super::attempt::{Attempt, STACK, Who, deployed, successes};
use super::policies;

const OUR_BOUNDARY: &str =
    "arn:aws:iam::111122223333:policy/genomes-for-publisher-Boundary-ABCDEFGHIJKL";
const OTHER_STACK: &str = "arn:aws:cloudformation:us-east-1:111122223333:stack/other/00000001-1111";
const BOUNDARY: &str = "iam:PermissionsBoundary";
const REQUEST_TAG: &str = "aws:RequestTag/publisher-s3-access:stack-id";
const RESOURCE_TAG: &str = "aws:ResourceTag/publisher-s3-access:stack-id";

/// A table, so that a reader can look for what is missing.
#[rustfmt::skip]
pub(crate) const ATTEMPTS: &[Attempt] = &[
    // Users without the boundary, or under other names.
    role("iam:CreateUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(REQUEST_TAG, STACK)], "a user without any boundary"),
    role("iam:CreateUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(REQUEST_TAG, STACK), (BOUNDARY, "arn:aws:iam::aws:policy/AdministratorAccess")], "a user whose boundary is no limit"),
    role("iam:CreateUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(BOUNDARY, OUR_BOUNDARY)], "a user that no stack answers for"),
    role("iam:CreateUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(BOUNDARY, OUR_BOUNDARY), (REQUEST_TAG, OTHER_STACK)], "a user that another stack answers for"),
    role("iam:CreateUser", "arn:aws:iam::111122223333:user/alice",
        &[(BOUNDARY, OUR_BOUNDARY), (REQUEST_TAG, STACK)], "a user by a name outside the prefix"),
    role("iam:CreateUser", "arn:aws:iam::111122223333:user/publisher-admins/alice",
        &[(BOUNDARY, OUR_BOUNDARY), (REQUEST_TAG, STACK)], "a user under a path, because `*` crosses `/`"),
    // More power for a user.
    role("iam:PutUserPolicy", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK)], "a policy for a user whose boundary was taken off"),
    role("iam:PutUserPolicy", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK), (BOUNDARY, "arn:aws:iam::aws:policy/AdministratorAccess")], "a policy for a user under a boundary that is no limit"),
    role("iam:PutUserPolicy", "arn:aws:iam::111122223333:user/alice",
        &[(BOUNDARY, OUR_BOUNDARY)], "a policy for another user"),
    role("iam:PutUserPolicy", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, OTHER_STACK), (BOUNDARY, OUR_BOUNDARY)], "a policy for another stack's user"),
    role("iam:PutUserPermissionsBoundary", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK), (BOUNDARY, "arn:aws:iam::aws:policy/AdministratorAccess")], "a boundary that is no limit"),
    role("iam:PutUserPermissionsBoundary", "arn:aws:iam::111122223333:user/alice",
        &[(BOUNDARY, OUR_BOUNDARY)], "locking out another user"),
    role("iam:AttachUserPolicy", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK), (BOUNDARY, OUR_BOUNDARY)], "a managed policy for the own user"),
    // Other users, and what is theirs.
    role("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/alice",
        &[], "becoming another user"),
    role("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/publisher-admin",
        &[], "becoming an untagged user by a name with the prefix"),
    role("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/publisher-reader-2",
        &[(RESOURCE_TAG, STACK)], "a key for a user that the template does not name"),
    role("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/publisher-admins/alice",
        &[], "becoming a user under a path"),
    role("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/publisher-other",
        &[(RESOURCE_TAG, OTHER_STACK)], "becoming another stack's user"),
    role("iam:DeleteAccessKey", "arn:aws:iam::111122223333:user/alice",
        &[], "cutting off another user"),
    role("iam:DeleteUser", "arn:aws:iam::111122223333:user/alice",
        &[], "removing another user"),
    role("iam:DeleteUser", "arn:aws:iam::111122223333:user/publisher-other",
        &[(RESOURCE_TAG, OTHER_STACK)], "removing another stack's user"),
    role("iam:GetUserPolicy", "arn:aws:iam::111122223333:user/alice",
        &[], "reading what others may do"),
    role("iam:TagUser", "arn:aws:iam::111122223333:user/alice",
        &[(REQUEST_TAG, STACK)], "taking over another user"),
    role("iam:TagUser", "arn:aws:iam::111122223333:user/publisher-other",
        &[(RESOURCE_TAG, OTHER_STACK), (REQUEST_TAG, STACK)], "taking over another stack's user"),
    role("iam:TagUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK), (REQUEST_TAG, OTHER_STACK)], "handing the user to another stack"),
    role("iam:UntagUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK), ("aws:TagKeys", "Team"), ("aws:TagKeys", "Publisher-S3-Access:stack-id")], "hiding whose user it is, in other letters"),
    role("iam:UntagUser", "arn:aws:iam::111122223333:user/alice",
        &[("aws:TagKeys", "Team")], "untagging another user"),
    role("iam:RemoveUserFromGroup", "arn:aws:iam::111122223333:group/denied-everything",
        &[], "taking anybody out of any group"),
    // Secrets.
    role("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:database-AbCdEf",
        &[], "reading another secret"),
    role("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/other-AbCdEf",
        &[(RESOURCE_TAG, OTHER_STACK)], "reading another stack's key"),
    role("secretsmanager:DeleteSecret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:database-AbCdEf",
        &[], "deleting a foreign secret"),
    role("secretsmanager:DeleteSecret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/other-AbCdEf",
        &[(RESOURCE_TAG, OTHER_STACK)], "deleting another stack's secret"),
    role("secretsmanager:PutSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/other-AbCdEf",
        &[(RESOURCE_TAG, OTHER_STACK)], "giving another stack's Publisher a key of one's own"),
    role("secretsmanager:PutResourcePolicy", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/reader-AbCdEf",
        &[(RESOURCE_TAG, STACK)], "sharing the secret with another account"),
    role("secretsmanager:CreateSecret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/reader",
        &[], "a secret that no stack answers for"),
    role("secretsmanager:CreateSecret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:database",
        &[(REQUEST_TAG, STACK)], "a secret by a name outside the prefix"),
    role("secretsmanager:TagResource", "arn:aws:secretsmanager:us-east-1:111122223333:secret:database-AbCdEf",
        &[(REQUEST_TAG, STACK)], "taking over a foreign secret"),
    role("secretsmanager:TagResource", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/reader-AbCdEf",
        &[(RESOURCE_TAG, STACK), (REQUEST_TAG, OTHER_STACK)], "handing the secret to another stack"),
    role("secretsmanager:UntagResource", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/reader-AbCdEf",
        &[(RESOURCE_TAG, STACK), ("aws:TagKeys", "publisher-s3-access:stack-id")], "hiding whose secret it is"),
    role("secretsmanager:UntagResource", "arn:aws:secretsmanager:us-east-1:111122223333:secret:database-AbCdEf",
        &[("aws:TagKeys", "Team")], "untagging a foreign secret"),
    role("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1",
        &[], "decrypting directly"),
    role("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1",
        &[("kms:ViaService", "s3.us-east-1.amazonaws.com")], "decrypting objects"),
    role("kms:GenerateDataKey", "arn:aws:kms:eu-west-1:111122223333:key/1",
        &[("kms:ViaService", "secretsmanager.us-east-1.amazonaws.com")], "using keys of another region"),
    role("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1",
        &[("kms:ViaService", "logs.us-east-1.amazonaws.com")], "decrypting logs"),
    // Other stacks, other logs, other services.
    role("cloudformation:DescribeStacks", "arn:aws:cloudformation:us-east-1:111122223333:stack/other/1-2-3",
        &[], "reading another stack's parameters and outputs"),
    role("cloudformation:UpdateStack", STACK,
        &[], "replacing the own template"),
    role("logs:PutLogEvents", "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/other:log-stream:1",
        &[], "forging another function's log"),
    role("logs:CreateLogGroup", "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/any",
        &[], "logs without an end"),
    role("s3:GetObject", "arn:aws:s3:::reads/a",
        &[], "reading the data itself"),
    role("lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:111122223333:function:any",
        &[], "another program for the role"),
    role("sts:AssumeRole", "arn:aws:iam::111122223333:role/Admin",
        &[], "becoming another role"),
    // The maintenance function's role: keys of one user, versions of one secret.
    rotation("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/publisher-other",
        &[], "becoming another of the stacks' users"),
    rotation("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/publisher-reader/alice",
        &[], "becoming a user under a path"),
    rotation("iam:CreateUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(BOUNDARY, OUR_BOUNDARY), (REQUEST_TAG, STACK)], "a user"),
    rotation("iam:PutUserPolicy", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK), (BOUNDARY, OUR_BOUNDARY)], "another policy for the user"),
    rotation("iam:TagUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK)], "hiding whose user it is"),
    rotation("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/publisher-other-AbCdEf",
        &[], "reading another stack's key"),
    rotation("secretsmanager:PutSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/publisher-reader-2-AbCdEf",
        &[], "giving another stack's Publisher a key of one's own"),
    rotation("secretsmanager:DeleteSecret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/publisher-reader-AbCdEf",
        &[(RESOURCE_TAG, STACK)], "deleting the secret"),
    rotation("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1",
        &[("kms:ViaService", "s3.us-east-1.amazonaws.com")], "decrypting objects"),
    rotation("kms:Encrypt", "arn:aws:kms:us-east-1:111122223333:key/1",
        &[("kms:ViaService", "secretsmanager.us-east-1.amazonaws.com")], "another key for the secret"),
    rotation("kms:GenerateDataKey", "arn:aws:kms:eu-west-1:111122223333:key/1",
        &[("kms:ViaService", "secretsmanager.us-east-1.amazonaws.com")], "using keys of another region"),
    rotation("cloudformation:DescribeStacks", OTHER_STACK,
        &[], "reading another stack"),
    rotation("cloudformation:UpdateStack", STACK,
        &[], "changing the stack"),
    rotation("iam:GetUserPolicy", "arn:aws:iam::111122223333:user/alice",
        &[], "reading what another user may do"),
    rotation("iam:GetAccessKeyLastUsed", "arn:aws:iam::111122223333:user/alice",
        &[], "watching another user at work"),
    rotation("iam:DeleteAccessKey", "arn:aws:iam::111122223333:user/alice",
        &[], "cutting off another user"),
    rotation("iam:UpdateAccessKey", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK)], "activating a key that somebody deactivated"),
    rotation("iam:PutUserPermissionsBoundary", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK), (BOUNDARY, OUR_BOUNDARY)], "another boundary for the user"),
    rotation("iam:DeleteUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK)], "removing the user"),
    rotation("secretsmanager:UpdateSecret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/publisher-reader-AbCdEf",
        &[(RESOURCE_TAG, STACK)], "another key for the secret"),
    rotation("secretsmanager:PutResourcePolicy", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/publisher-reader-AbCdEf",
        &[(RESOURCE_TAG, STACK)], "sharing the secret"),
    rotation("secretsmanager:UpdateSecretVersionStage", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/publisher-other-AbCdEf",
        &[], "another key in use for another stack's Publisher"),
    rotation("sns:Publish", "arn:aws:sns:us-east-1:111122223333:payments",
        &[], "telling others"),
    rotation("sns:Subscribe", "arn:aws:sns:us-east-1:111122223333:people",
        &[], "reading what people are told"),
    rotation("sns:SetTopicAttributes", "arn:aws:sns:us-east-1:111122223333:people",
        &[], "opening the topic"),
    rotation("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1",
        &[], "decrypting whatever a key encrypts"),
    rotation("kms:GenerateDataKey", "arn:aws:kms:us-east-1:111122223333:key/1",
        &[], "using a key for one's own"),
    rotation("kms:GenerateDataKey", "arn:aws:kms:eu-west-1:111122223333:key/1",
        &[("kms:ViaService", "sns.us-east-1.amazonaws.com")], "using keys of another region for a topic"),
    rotation("logs:PutLogEvents", "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/other:log-stream:1",
        &[], "forging another function's log"),
    // The same with `AdministratorAccess` attached to the role by mistake. Everything denied stays denied.
    administrator("iam:AddUserToGroup", "arn:aws:iam::111122223333:group/admins",
        &[], "the user among the administrators"),
    administrator("iam:AttachGroupPolicy", "arn:aws:iam::111122223333:group/readers",
        &[], "more power for a group"),
    administrator("iam:AttachRolePolicy", "arn:aws:iam::111122223333:role/own",
        &[], "more power for a role"),
    administrator("iam:AttachUserPolicy", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK)], "an administrator policy for the user"),
    administrator("iam:CreateLoginProfile", "arn:aws:iam::111122223333:user/alice",
        &[], "a password for another user"),
    administrator("iam:CreatePolicy", "arn:aws:iam::111122223333:policy/new",
        &[], "a boundary of one's own"),
    administrator("iam:CreatePolicyVersion", OUR_BOUNDARY,
        &[], "another text of the boundary"),
    administrator("iam:CreateRole", "arn:aws:iam::111122223333:role/new",
        &[], "a role without limits"),
    administrator("iam:DeletePolicy", OUR_BOUNDARY,
        &[], "no boundary policy at all"),
    administrator("iam:DeletePolicyVersion", OUR_BOUNDARY,
        &[], "an older text of the boundary"),
    administrator("iam:DeleteRolePermissionsBoundary", "arn:aws:iam::111122223333:role/own",
        &[], "a role without its boundary"),
    administrator("iam:DeleteUserPermissionsBoundary", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK), (BOUNDARY, OUR_BOUNDARY)], "the user without its boundary"),
    administrator("iam:PassRole", "arn:aws:iam::111122223333:role/Admin",
        &[], "a service that acts as an administrator"),
    administrator("iam:PutGroupPolicy", "arn:aws:iam::111122223333:group/readers",
        &[], "more power for a group"),
    administrator("iam:PutRolePermissionsBoundary", "arn:aws:iam::111122223333:role/own",
        &[], "a role with a boundary that is no limit"),
    administrator("iam:PutRolePolicy", "arn:aws:iam::111122223333:role/own",
        &[], "more power for a role"),
    administrator("iam:SetDefaultPolicyVersion", OUR_BOUNDARY,
        &[], "an older text of the boundary"),
    administrator("iam:UpdateAssumeRolePolicy", "arn:aws:iam::111122223333:role/Admin",
        &[], "being trusted by a role"),
    administrator("iam:UpdateLoginProfile", "arn:aws:iam::111122223333:user/alice",
        &[], "the password of another user"),
    administrator("iam:UpdateUser", "arn:aws:iam::111122223333:user/publisher-reader",
        &[(RESOURCE_TAG, STACK)], "the user moved to another name or path"),
    administrator("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/publisher-admins/alice",
        &[], "becoming a user under a path"),
    administrator("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/publisher-other",
        &[(RESOURCE_TAG, OTHER_STACK)], "becoming another stack's user"),
    administrator("iam:DeleteUser", "arn:aws:iam::111122223333:user/any-other",
        &[(RESOURCE_TAG, OTHER_STACK)], "removing another stack's user, whatever its name"),
    administrator("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/other-AbCdEf",
        &[(RESOURCE_TAG, OTHER_STACK)], "reading another stack's key"),
    administrator("secretsmanager:PutResourcePolicy", "arn:aws:secretsmanager:us-east-1:111122223333:secret:publisher/other-AbCdEf",
        &[(RESOURCE_TAG, OTHER_STACK)], "sharing another stack's secret"),
];

type Context = &'static [(&'static str, &'static str)];

const fn role(
    action: &'static str,
    resource: &'static str,
    context: Context,
    gain: &'static str,
) -> Attempt {
    Attempt {
        who: Who::Role,
        action,
        resource,
        context,
        gain,
    }
}

const fn rotation(
    action: &'static str,
    resource: &'static str,
    context: Context,
    gain: &'static str,
) -> Attempt {
    Attempt {
        who: Who::Rotation,
        ..role(action, resource, context, gain)
    }
}

const fn administrator(
    action: &'static str,
    resource: &'static str,
    context: Context,
    gain: &'static str,
) -> Attempt {
    Attempt {
        who: Who::RoleAndAdministrator,
        ..role(action, resource, context, gain)
    }
}

#[test]
fn no_attempt_to_gain_more_than_the_job_succeeds() {
    assert_eq!(successes(ATTEMPTS, &policies::of(&deployed())), [""; 0]);
    println!("{} attempts of a role", ATTEMPTS.len());
    assert!(ATTEMPTS.len() >= 25, "{}", ATTEMPTS.len());
}

#[test]
fn the_attempts_name_the_boundary_that_the_stack_has() {
    assert_eq!(policies::boundary(&policies::stack()), OUR_BOUNDARY);
}
