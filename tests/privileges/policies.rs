//! The policy documents of a stack made from the template.

use serde_json::Value;

use super::calls::Deployed;
use super::roles::ROLES;
use kit::account::REGION;
use kit::template::document::strings;
use kit::template::rendering::{NAME, Place, Stack};

/// Where the account in memory has its stacks.
const HERE: Place = Place {
    partition: "aws",
    region: REGION,
    url_suffix: "amazonaws.com",
};

/// The boundary that an organization puts on every role.
pub(crate) const ROLE_BOUNDARY: &str = "arn:aws:iam::111122223333:policy/WorkloadBoundary";
/// The key that encrypts the logs.
const LOGS_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1";

/// The policies of the roles, in the order of [`ROLES`], and the boundary of users.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policies {
    pub(crate) roles: Vec<Vec<Value>>,
    pub(crate) boundary: Value,
}

/// The template's stack with user `publisher-reader`.
pub(crate) fn stack() -> Stack {
    stack_of("publisher-reader")
}

/// The template's stack, with everything that it can hold. Its users may only ever read bucket `reads`.
fn stack_of(user: &str) -> Stack {
    let given = [
        ("Buckets", "reads"),
        ("ReadableBuckets", "reads"),
        ("UserName", user),
        ("RotationDays", "45"),
        (
            "NotificationTopicArn",
            "arn:aws:sns:us-east-1:111122223333:people",
        ),
        ("RolePermissionsBoundary", ROLE_BOUNDARY),
        ("LogsKmsKeyArn", LOGS_KEY),
    ];
    Stack::new(HERE, &given)
}

/// The ARN of the stack's boundary.
pub(crate) fn boundary(stack: &Stack) -> String {
    stack.physical_id(stack.template.only("AWS::IAM::ManagedPolicy"))
}

/// The policies of a stack while its template names this user.
pub(crate) fn of(Deployed { id: stack_id, user }: &Deployed) -> Policies {
    let stack = stack_of(user);
    assert!(stack_id.contains(&format!(":stack/{NAME}/")), "{stack_id}");
    let documents = |role: &str| {
        let role = stack.properties(role);
        assert_eq!(
            role["ManagedPolicyArns"],
            Value::Null,
            "a policy that is not in the template"
        );
        let policies = role["Policies"].as_array().expect("inline policies");
        let documents = policies
            .iter()
            .map(|policy| with_id(&policy["PolicyDocument"], &stack, stack_id));
        documents.collect()
    };
    let boundary = stack.properties_of("AWS::IAM::ManagedPolicy");
    Policies {
        roles: ROLES.iter().map(|role| documents(role.role)).collect(),
        boundary: with_id(&boundary["PolicyDocument"], &stack, stack_id),
    }
}

fn with_id(document: &Value, stack: &Stack, stack_id: &str) -> Value {
    let text = document.to_string().replace(&stack.id(), stack_id);
    serde_json::from_str(&text).expect("still JSON")
}

/// The actions of all Allow statements.
pub(crate) fn allowed_actions(documents: &[Value]) -> Vec<String> {
    statements(documents)
        .filter(|statement| statement["Effect"] == "Allow")
        .flat_map(|statement| strings(&statement["Action"]))
        .collect()
}

pub(crate) fn statements(documents: &[Value]) -> impl Iterator<Item = &Value> {
    let lists = documents
        .iter()
        .map(|document| document["Statement"].as_array());
    lists.flat_map(|list| list.expect("a list of statements"))
}
