//! Mutation tests of the policies: some guard notices every small harm done to them.

use serde_json::{Value, json};

use super::permitted::{POLICIES, excessive, lacking};
use super::policies::{self, Policies};
use super::{attempt, bounded, escalations};
use kit::template::document::strings;

/// A harm, and the harmed policies.
pub(crate) type Change = Box<dyn Fn(&mut Policies)>;

/// Whether any guard notices.
fn is_noticed(change: &Change) -> bool {
    let mut stacks = POLICIES.clone();
    stacks.values_mut().for_each(change);
    assert_ne!(stacks, *POLICIES, "nothing was changed");
    // They differ in the stack's id only, which no attempt depends on.
    let any = stacks.values().next().expect("a stack");
    !excessive(any).is_empty()
        || !attempt::successes(escalations::ATTEMPTS, any).is_empty()
        || !attempt::successes(bounded::ATTEMPTS, any).is_empty()
        || attempt::successes(bounded::USES, any).len() < bounded::USES.len()
        || !lacking(&stacks).is_empty()
}

/// All documents of the roles, then the boundary.
fn documents(policies: &mut Policies) -> Vec<&mut Value> {
    let Policies { roles, boundary } = policies;
    roles.iter_mut().flatten().chain([boundary]).collect()
}

fn on(document: usize, statement: usize, change: impl Fn(&mut Value) + 'static) -> Change {
    Box::new(move |policies| {
        let mut all = documents(policies);
        change(&mut all[document]["Statement"][statement]);
    })
}

/// A list without one of its items; a single text is a list of one.
fn without(list: &Value, item: usize) -> Value {
    let mut items = list
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![list.clone()]);
    items.remove(item);
    Value::Array(items)
}

fn length(list: &Value) -> usize {
    list.as_array()
        .map_or(usize::from(list.is_string()), Vec::len)
}

/// Every harm of one kind to every place where it can be done.
pub(crate) fn all() -> Vec<(String, Change)> {
    let mut policies = policies::of(&attempt::deployed());
    let mut all: Vec<(String, Change)> = Vec::new();
    for (d, document) in documents(&mut policies).into_iter().enumerate() {
        let statements = document["Statement"]
            .as_array()
            .expect("statements")
            .clone();
        for (s, statement) in statements.iter().enumerate() {
            let sid = statement["Sid"]
                .as_str()
                .expect("every statement has an id");
            let mut add = |what: String, change| all.push((format!("{sid}: {what}"), change));
            add(
                "dropped".into(),
                on(d, s, |it| {
                    *it = json!({"Effect": "Deny", "Action": [], "Resource": []});
                }),
            );
            for (operator, _) in statement["Condition"].as_object().into_iter().flatten() {
                let name = operator.clone();
                let drop = move |it: &mut Value| {
                    drop(
                        it["Condition"]
                            .as_object_mut()
                            .expect("there")
                            .remove(&name),
                    );
                };
                add(format!("without the condition {operator}"), on(d, s, drop));
            }
            for list in ["Action", "NotAction", "NotResource"] {
                for item in 0..length(&statement[list]) {
                    let name = list;
                    let drop = move |it: &mut Value| it[name] = without(&it[name], item);
                    add(format!("without {list} {item}"), on(d, s, drop));
                }
            }
            if statement["Effect"] == "Allow" {
                add(
                    "on everything".into(),
                    on(d, s, |it| it["Resource"] = json!("*")),
                );
                let idle = |it: &mut Value| {
                    let mut actions = strings(&it["Action"]);
                    actions.push("iam:ListRoles".to_owned());
                    it["Action"] = json!(actions);
                };
                add("with an idle action".into(), on(d, s, idle));
            }
        }
    }
    all
}

#[test]
fn every_harm_to_the_policies_is_noticed() {
    let all = all();
    println!("{} mutants", all.len());
    assert!(all.len() > 100, "only {} mutants", all.len());
    let unnoticed = all.iter().filter(|(_, change)| !is_noticed(change));
    let unnoticed: Vec<&str> = unnoticed.map(|(name, _)| name.as_str()).collect();
    assert_eq!(unnoticed, [""; 0], "of {} mutants", all.len());
}
