//! What the function's role can do, and that it cannot touch other stacks.

use publisher_s3_access::request::names::SecretName;
use serde_json::{Value, json};

use super::policy::{allowed_actions, allowing, allowing_service, denying, of_role};
use kit::template::rendering::{ACCOUNT, NAME, Stack};

/// The ids of this stack and its previous stacks: same name, region and account.
fn own_stack(stack: &Stack) -> String {
    let id = stack.id();
    let (name, _guid) = id.rsplit_once('/').expect("an ARN ends in a GUID");
    assert!(name.ends_with(NAME));
    format!("{name}/*")
}

#[test]
fn the_role_allows_no_action_and_no_resource_by_a_lone_wildcard() {
    let statements = of_role(&Stack::usual());
    for statement in statements.iter().filter(|statement| statement.allows()) {
        let (actions, resources) = (statement.actions(), statement.resources());
        assert!(
            !actions.is_empty() && !resources.is_empty(),
            "{statement:?}"
        );
        assert!(
            actions.iter().all(|action| !action.contains('*')),
            "{statement:?}"
        );
        assert!(
            resources.iter().all(|resource| resource != "*"),
            "{statement:?}"
        );
    }
}

#[test]
fn no_action_is_allowed_twice() {
    let mut actions = allowed_actions(&Stack::usual());
    actions.sort();
    let again = actions.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(again, None);
}

#[test]
fn new_things_carry_the_stacks_tag_and_no_other_stacks() {
    let stack = Stack::usual();
    let tag = "aws:RequestTag/publisher-s3-access:stack-id";
    for action in ["iam:CreateUser", "secretsmanager:CreateSecret"] {
        for statement in allowing(&stack, action) {
            assert_eq!(
                statement.condition()["StringLike"][tag],
                own_stack(&stack),
                "{action}"
            );
        }
    }
    for action in ["iam:TagUser", "secretsmanager:TagResource"] {
        for statement in allowing(&stack, action) {
            let condition = &statement.condition()["StringLikeIfExists"];
            assert_eq!(condition[tag], own_stack(&stack), "{action}");
        }
    }
}

#[test]
fn ownership_tags_cannot_be_removed() {
    let stack = Stack::usual();
    for action in ["iam:UntagUser", "secretsmanager:UntagResource"] {
        for statement in allowing(&stack, action) {
            let kept = &statement.condition()["ForAllValues:StringNotEqualsIgnoreCase"];
            let keys = json!([
                "publisher-s3-access:stack-id",
                "publisher-s3-access:logical-id"
            ]);
            assert_eq!(kept["aws:TagKeys"], keys, "{action}");
        }
    }
}

#[test]
fn things_with_another_stacks_tag_can_only_be_described() {
    let stack = Stack::usual();
    let tag = "aws:ResourceTag/publisher-s3-access:stack-id";
    let condition = json!({
        "Null": { tag: "false" },
        "StringNotLike": { tag: own_stack(&stack) },
    });
    let statements = of_role(&stack);
    let users = format!("arn:aws:iam::{ACCOUNT}:user/*");
    let secrets = format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:*");
    for (resource, reads) in [
        (users, vec!["iam:Get*", "iam:List*"]),
        (
            secrets,
            vec![
                "secretsmanager:DescribeSecret",
                "secretsmanager:ListSecretVersionIds",
            ],
        ),
    ] {
        let denied = denying(&statements, &resource);
        let [denied] = denied[..] else {
            panic!("{denied:?}");
        };
        assert_eq!(denied.other_actions_than(), reads);
        assert_eq!(*denied.condition(), condition);
    }
}

#[test]
fn secrets_are_reached_only_under_the_name_they_are_made_with() {
    let stack = Stack::usual();
    let prefix = SecretName::PREFIX;
    let reach = format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:{prefix}*");
    for statement in allowing_service(&stack, "secretsmanager") {
        assert_eq!(statement.resources(), [reach.as_str()], "{statement:?}");
    }
}

#[test]
fn keys_of_kms_are_used_only_by_secrets_manager_on_the_roles_behalf() {
    for statement in allowing_service(&Stack::usual(), "kms") {
        let via = &statement.condition()["StringEquals"]["kms:ViaService"];
        let services = via.as_array().expect("a list");
        let only = "secretsmanager.eu-west-1.amazonaws.com";
        assert!(services.iter().all(|service| service == only), "{via}");
        assert_eq!(
            statement.condition().as_object().map(|it| it.len()),
            Some(1)
        );
    }
}

#[test]
fn the_role_reads_its_own_stack_and_no_other() {
    let stack = Stack::usual();
    for statement in allowing_service(&stack, "cloudformation") {
        assert_eq!(statement.resources(), [stack.id()]);
        assert!(
            statement
                .actions()
                .iter()
                .all(|action| action.starts_with("cloudformation:Describe"))
        );
    }
}

#[test]
fn logs_go_to_the_stacks_own_group_which_the_role_cannot_create() {
    let stack = Stack::usual();
    let group = stack.template.only("AWS::Logs::LogGroup");
    for statement in allowing_service(&stack, "logs") {
        assert_eq!(statement.resources(), [stack.attribute(group, "Arn")]);
        assert!(!statement.names("logs:CreateLogGroup"));
    }
}

#[test]
fn only_lambda_takes_the_role() {
    let role = Stack::usual().properties_of("AWS::IAM::Role");
    let trust = &role["AssumeRolePolicyDocument"]["Statement"];
    assert_eq!(trust.as_array().map(Vec::len), Some(1));
    assert_eq!(trust[0]["Action"], "sts:AssumeRole");
    assert_eq!(
        trust[0]["Principal"],
        json!({ "Service": "lambda.amazonaws.com" })
    );
    assert_eq!(role["PermissionsBoundary"], Value::Null);
}
