//! The functions of the template, each with its role and the calls that are made with it.

use std::collections::BTreeSet;

use super::calls::Call;
use super::{policies, stories};

/// A function, its role, and its calls with that role.
pub(crate) struct Role {
    /// The function's logical id.
    pub(crate) function: &'static str,
    /// The role's logical id.
    pub(crate) role: &'static str,
    /// Runs the function through its stories: every call that they made.
    pub(crate) calls: fn() -> BTreeSet<Call>,
}

/// All functions. Another function with its role is another line here.
pub(crate) const ROLES: &[Role] = &[
    Role {
        function: "Function",
        role: "FunctionRole",
        calls: stories::of_custom_resource,
    },
    Role {
        function: "RotationFunction",
        role: "RotationRole",
        calls: stories::of_maintenance,
    },
];

/// The custom resource's place among [`ROLES`].
pub(crate) const CUSTOM_RESOURCE: usize = 0;
/// The maintenance function's.
pub(crate) const ROTATION: usize = 1;

#[test]
fn every_function_and_every_role_of_the_template_is_looked_at() {
    let stack = policies::stack();
    let of_type = |kind: &str| -> BTreeSet<&str> {
        let resources = stack.template.section("Resources").iter();
        let found = resources.filter(|(_, resource)| resource["Type"] == kind);
        found.map(|(logical_id, _)| logical_id.as_str()).collect()
    };
    let listed = ROLES.iter();
    assert_eq!(
        of_type("AWS::Lambda::Function"),
        listed.map(|role| role.function).collect()
    );
    let listed = ROLES.iter();
    assert_eq!(
        of_type("AWS::IAM::Role"),
        listed.map(|role| role.role).collect()
    );
    for Role { function, role, .. } in ROLES {
        let properties = &stack.template.resource(function)["Properties"];
        assert_eq!(properties["Role"]["Fn::GetAtt"][0], *role, "{function}");
        assert!(properties.get("Policies").is_none(), "{function}");
        let bounded_by = &stack.properties(role)["PermissionsBoundary"];
        assert_eq!(bounded_by, policies::ROLE_BOUNDARY, "{role}");
    }
    assert!(of_type("AWS::IAM::Policy").is_empty());
    assert!(of_type("AWS::IAM::RolePolicy").is_empty());
}
