//! Statements of IAM policies, as they are after rendering.

use serde_json::Value;

use kit::template::document::strings;
use kit::template::rendering::Stack;

#[derive(Debug)]
pub(crate) struct Statement(Value);

impl Statement {
    pub(crate) fn allows(&self) -> bool {
        self.0["Effect"] == "Allow"
    }

    pub(crate) fn denies(&self) -> bool {
        self.0["Effect"] == "Deny"
    }

    /// `Action`; empty if the statement has `NotAction`.
    pub(crate) fn actions(&self) -> Vec<String> {
        strings(&self.0["Action"])
    }

    pub(crate) fn other_actions_than(&self) -> Vec<String> {
        strings(&self.0["NotAction"])
    }

    pub(crate) fn names(&self, action: &str) -> bool {
        self.actions().iter().any(|named| named == action)
    }

    pub(crate) fn resources(&self) -> Vec<String> {
        strings(&self.0["Resource"])
    }

    pub(crate) fn other_resources_than(&self) -> Vec<String> {
        strings(&self.0["NotResource"])
    }

    /// Null if it has none.
    pub(crate) fn condition(&self) -> &Value {
        &self.0["Condition"]
    }
}

fn statements(document: &Value) -> Vec<Statement> {
    assert_eq!(document["Version"], "2012-10-17");
    let statements = document["Statement"].as_array().expect("a list");
    statements.iter().cloned().map(Statement).collect()
}

/// All statements of the function's role.
pub(crate) fn of_role(stack: &Stack) -> Vec<Statement> {
    let role = stack.properties_of("AWS::IAM::Role");
    let policies = role["Policies"].as_array().expect("inline policies");
    let documents = policies.iter().map(|policy| &policy["PolicyDocument"]);
    documents.flat_map(statements).collect()
}

/// The statements of the boundary of users.
pub(crate) fn of_boundary(stack: &Stack) -> Vec<Statement> {
    statements(&stack.properties_of("AWS::IAM::ManagedPolicy")["PolicyDocument"])
}

/// The statements of the role that allow an action.
pub(crate) fn allowing(stack: &Stack, action: &str) -> Vec<Statement> {
    let mut statements = of_role(stack);
    statements.retain(|statement| statement.allows() && statement.names(action));
    assert!(!statements.is_empty(), "`{action}` is allowed nowhere");
    statements
}

/// The statements of the role that allow some action of a service.
pub(crate) fn allowing_service(stack: &Stack, service: &str) -> Vec<Statement> {
    let of_service = |action: &String| action.starts_with(&format!("{service}:"));
    let mut statements = of_role(stack);
    statements.retain(|statement| statement.allows() && statement.actions().iter().any(of_service));
    assert!(!statements.is_empty(), "nothing of `{service}` is allowed");
    statements
}

/// Those that deny something on exactly this resource.
pub(crate) fn denying<'a>(statements: &'a [Statement], resource: &str) -> Vec<&'a Statement> {
    let on_it = |statement: &&Statement| statement.denies() && statement.resources() == [resource];
    statements.iter().filter(on_it).collect()
}

/// Every action that the role allows.
pub(crate) fn allowed_actions(stack: &Stack) -> Vec<String> {
    let statements = of_role(stack);
    let allowing = statements.iter().filter(|statement| statement.allows());
    allowing.flat_map(Statement::actions).collect()
}
