//! The policies allow exactly what is needed: no call is denied, and no action is unused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

use super::bounded::USES;
use super::calls::{Call, Deployed};
use super::policies::{self, Policies, allowed_actions, statements};
use super::roles::ROLES;
use kit::policy_check::Decision;
use kit::template::document::strings;

/// Every call of each role, by the stack it was made for. The stories run once.
pub(crate) static CALLS: LazyLock<Vec<BTreeMap<Deployed, Vec<Call>>>> = LazyLock::new(|| {
    let of_role = |calls: BTreeSet<Call>| {
        let mut by_stack: BTreeMap<Deployed, Vec<Call>> = BTreeMap::new();
        for call in calls {
            by_stack.entry(call.stack.clone()).or_default().push(call);
        }
        by_stack
    };
    ROLES.iter().map(|role| of_role((role.calls)())).collect()
});

/// The policies of each stack that made a call.
pub(crate) static POLICIES: LazyLock<BTreeMap<Deployed, Policies>> = LazyLock::new(|| {
    let stacks = CALLS.iter().flat_map(BTreeMap::keys);
    stacks
        .map(|stack| (stack.clone(), policies::of(stack)))
        .collect()
});

/// The calls that a role makes and its policies do not allow.
pub(crate) fn lacking(policies: &BTreeMap<Deployed, Policies>) -> Vec<String> {
    let mut lacking = Vec::new();
    for (number, by_stack) in CALLS.iter().enumerate() {
        for (stack, calls) in by_stack {
            let documents = &policies[stack].roles[number];
            let denied = |call: &&Call| call.judged(documents) != Decision::Allowed;
            let denied = calls.iter().filter(denied);
            lacking.extend(
                denied.map(|call| format!("`{}` is called and denied: {call:?}", call.action)),
            );
        }
    }
    lacking
}

/// The actions that a role is allowed and does not use, and what is allowed on everything.
pub(crate) fn excessive(policies: &Policies) -> Vec<String> {
    let mut excessive = Vec::new();
    for (number, documents) in policies.roles.iter().enumerate() {
        let calls = CALLS[number].values().flatten();
        let used: BTreeSet<&str> = calls.map(|call| call.action.as_str()).collect();
        let idle = allowed_actions(documents).into_iter();
        let idle = idle.filter(|action| !used.contains(action.as_str()));
        excessive.extend(idle.map(|action| format!("`{action}` is allowed and never used")));
    }
    let reading: Vec<&str> = USES.iter().map(|attempt| attempt.action).collect();
    let idle = allowed_actions(std::slice::from_ref(&policies.boundary)).into_iter();
    let idle = idle.filter(|action| !reading.contains(&action.as_str()));
    excessive.extend(idle.map(|action| format!("the boundary allows `{action}`")));
    let all = policies.roles.iter().flatten().chain([&policies.boundary]);
    for statement in statements(&all.cloned().collect::<Vec<Value>>()) {
        if statement["Effect"] == "Allow" && strings(&statement["Resource"]).contains(&"*".into()) {
            excessive.push(format!("allowed on everything: {statement}"));
        }
    }
    excessive
}

#[test]
fn every_call_of_every_story_is_allowed() {
    assert_eq!(lacking(&POLICIES), [""; 0]);
}

#[test]
fn every_allowed_action_is_used_in_some_story() {
    let any = POLICIES.values().next().expect("a stack");
    assert_eq!(excessive(any), [""; 0]);
}

#[test]
fn the_stories_reach_every_part_of_the_policies() {
    let calls: usize = CALLS.iter().flat_map(BTreeMap::values).map(Vec::len).sum();
    let stacks: BTreeSet<&Deployed> = CALLS.iter().flat_map(BTreeMap::keys).collect();
    assert!(calls > 150, "{calls} calls");
    let lives: BTreeSet<&str> = stacks.iter().map(|stack| stack.id.as_str()).collect();
    assert_eq!((lives.len(), stacks.len()), (3, 4), "{stacks:?}");
}
