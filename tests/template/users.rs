//! What the function's role can do with IAM users.

use super::environment::settings;
use super::policy::{allowed_actions, allowing, allowing_service, denying, of_role};
use kit::template::rendering::{ACCOUNT, Stack};

fn boundary(stack: &Stack) -> String {
    stack.physical_id(stack.template.only("AWS::IAM::ManagedPolicy"))
}

#[test]
fn users_are_reached_only_by_the_prefix_that_the_function_accepts() {
    let stack = Stack::usual();
    let prefix = settings(&stack).user_name_prefix;
    assert!(prefix.len() > 1, "`{prefix}` is no limit");
    let reach = format!("arn:aws:iam::{ACCOUNT}:user/{prefix}*");

    for statement in allowing_service(&stack, "iam") {
        if statement.actions() == ["iam:GetAccessKeyLastUsed"] {
            // Only says whose key it is, even after the user was renamed.
            assert_eq!(
                statement.resources(),
                [format!("arn:aws:iam::{ACCOUNT}:user/*")]
            );
        } else if statement.actions() == ["iam:CreateAccessKey"] {
            let named = format!("arn:aws:iam::{ACCOUNT}:user/publisher-connectors");
            assert_eq!(
                statement.resources(),
                [named],
                "only for the user that the template names"
            );
        } else {
            assert_eq!(statement.resources(), [reach.as_str()], "{statement:?}");
        }
    }
    let under_a_path = format!("{reach}/*");
    let statements = of_role(&stack);
    let denied = denying(&statements, &under_a_path);
    let [denied] = denied[..] else {
        panic!("{denied:?}");
    };
    assert_eq!(denied.actions(), ["iam:*"]);
    assert!(denied.condition().is_null());
}

#[test]
fn a_user_is_created_or_changed_only_under_the_stacks_boundary() {
    let stack = Stack::usual();
    for action in [
        "iam:CreateUser",
        "iam:PutUserPolicy",
        "iam:PutUserPermissionsBoundary",
    ] {
        for statement in allowing(&stack, action) {
            let required = &statement.condition()["StringEquals"]["iam:PermissionsBoundary"];
            assert_eq!(*required, boundary(&stack), "{action}");
        }
    }
}

#[test]
fn a_user_is_removable_whatever_its_boundary_or_tags() {
    let stack = Stack::usual();
    let verbs = ["iam:Deactivate", "iam:Delete", "iam:Detach"];
    let mut removing = allowed_actions(&stack);
    removing.retain(|action| verbs.iter().any(|verb| action.starts_with(verb)));
    assert!(removing.len() > 5, "{removing:?}");

    for action in removing {
        for statement in allowing(&stack, &action) {
            assert!(statement.condition().is_null(), "{action}");
        }
    }
}

#[test]
fn lifting_the_boundary_is_denied_whatever_else_allows_it() {
    let statements = of_role(&Stack::usual());
    let denied: Vec<String> = (denying(&statements, "*").iter())
        .filter(|statement| statement.condition().is_null())
        .flat_map(|statement| statement.actions())
        .collect();
    for action in [
        "iam:AddUserToGroup",
        "iam:AttachUserPolicy",
        "iam:CreateLoginProfile",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicyVersion",
        "iam:DeleteUserPermissionsBoundary",
        "iam:PassRole",
        "iam:SetDefaultPolicyVersion",
        "iam:UpdateLoginProfile",
        "iam:UpdateUser",
    ] {
        assert!(denied.iter().any(|named| named == action), "{action}");
    }
    for action in allowed_actions(&Stack::usual()) {
        assert!(
            !denied.contains(&action),
            "`{action}` is allowed and denied"
        );
    }
}

#[test]
fn nothing_is_allowed_on_groups_because_it_would_hold_for_any_group() {
    for statement in allowing_service(&Stack::usual(), "iam") {
        let mut actions = statement.actions();
        actions.retain(|action| action.contains("Group") && action != "iam:ListGroupsForUser");
        assert!(actions.is_empty(), "{actions:?}");
    }
}
