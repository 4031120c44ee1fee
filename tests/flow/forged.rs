//! Events that no stack sent. Someone who may invoke the function forges every kind of event, with every field right or
//! wrong, against every state that `CloudFormation` can show. Only what `CloudFormation` itself has begun to remove is
//! removed, and nothing is made or changed.

use kit::account::Owner;
use kit::function::invoke;
use kit::stack::{Answer, LOGICAL_ID};
use serde_json::{Value, json};

use crate::scene::{OTHER_SECRET, OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use crate::tries_all;

/// Every resource status that AWS documents, one that it may add, and none at all.
const RESOURCES: [&str; 31] = [
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_COMPLETE",
    "DELETE_SKIPPED",
    "UPDATE_IN_PROGRESS",
    "UPDATE_FAILED",
    "UPDATE_COMPLETE",
    "IMPORT_FAILED",
    "IMPORT_COMPLETE",
    "IMPORT_IN_PROGRESS",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "IMPORT_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
    "EXPORT_FAILED",
    "EXPORT_COMPLETE",
    "EXPORT_IN_PROGRESS",
    "EXPORT_ROLLBACK_IN_PROGRESS",
    "EXPORT_ROLLBACK_FAILED",
    "EXPORT_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "REFACTORED",
    "MISSING",
    "OTHER_TYPE",
];

/// Stacks at rest and at work, and none.
const STACKS: [&str; 10] = [
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
    "DELETE_FAILED",
    "REVIEWED",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "MISSING",
];

/// What `CloudFormation` shows.
#[derive(Clone, Copy, Debug)]
struct State {
    stack: &'static str,
    resource: &'static str,
}

impl State {
    fn set(self, scene: &Scene) {
        let Self { stack, resource } = self;
        let Owner {
            stack_id,
            logical_id,
        } = scene.owner();
        let account = &scene.account;
        match stack {
            "MISSING" => account.unknown_stack(stack_id),
            status => account.set_stack(stack_id, status),
        }
        match resource {
            "MISSING" => account.forget_resource(stack_id, logical_id),
            "OTHER_TYPE" => account.add_other_resource(stack_id, logical_id, "AWS::IAM::User"),
            status => account.set_resource(stack_id, logical_id, status, SECRET),
        }
    }

    /// Whether `CloudFormation` is at work on this very resource, or is about to be. A forged event then looks like a
    /// real one, and docs/security.md lists what it can do.
    fn at_work(self, kind: &str) -> bool {
        let Self { stack, resource } = self;
        let known = stack != "MISSING";
        let in_progress = stack.ends_with("_IN_PROGRESS");
        match kind {
            "Delete" => {
                let held = resource == "DELETE_SKIPPED"
                    || (!resource.starts_with("DELETE_")
                        && (resource.ends_with("_IN_PROGRESS") || resource.ends_with("_COMPLETE")));
                in_progress && !held
            }
            _ => {
                known
                    && (resource == "CREATE_FAILED"
                        || (resource.starts_with("DELETE_") && resource != "DELETE_SKIPPED")
                        || (resource.ends_with("_IN_PROGRESS") && !resource.starts_with("EXPORT_")))
            }
        }
    }
}

/// A forged event and what is wrong with it.
struct Forged {
    what: String,
    kind: &'static str,
    /// Whether the function must refuse it whatever `CloudFormation` shows.
    never: bool,
    event: Value,
}

/// Every kind of event, with every field as the stack would send it and otherwise.
fn forgeries(scene: &mut Scene) -> Vec<Forged> {
    let mut forged = of_the_resource(scene);
    for kind in ["Create", "Update", "Delete"] {
        forged.extend(of_something_else(scene, kind));
    }
    forged
}

/// For the stack's own resource: its own properties and others, its own id and others.
fn of_the_resource(scene: &mut Scene) -> Vec<Forged> {
    let replaced = properties_with(json!({"UserName": OTHER_USER}));
    let wanted = [
        ("as it is", properties()),
        ("rotated", properties_with(json!({"KeySerial": 99}))),
        ("widened", properties_with(json!({"Buckets": "others"}))),
        ("replaced", replaced.clone()),
        (
            "a stranger's",
            properties_with(json!({"UserName": "publisher-stranger"})),
        ),
        (
            "a neighbour's",
            properties_with(json!({"UserName": "publisher-neighbour"})),
        ),
    ];
    let mut forged = Vec::new();
    for kind in ["Create", "Update", "Delete"] {
        for (what, properties) in &wanted {
            for id in [SECRET, OTHER_SECRET, "mine-S3Access-1ABC"] {
                if kind == "Create" && id != SECRET {
                    continue;
                }
                let sent = (kind != "Create").then_some(id);
                let old = (kind == "Update").then_some(&replaced);
                forged.push(Forged {
                    what: format!("{kind} of `{id}`, {what}"),
                    kind,
                    never: false,
                    event: scene.stack.request(kind, sent, properties, old),
                });
            }
        }
    }
    forged
}

/// Events with one field that names another stack, another resource, another request, or nothing.
fn of_something_else(scene: &mut Scene, kind: &'static str) -> Vec<Forged> {
    let own = scene.owner().stack_id.clone();
    let fields = [
        ("StackId", json!(own.replace("/00000001-", "/0000000f-"))),
        ("StackId", json!(own.replace("/mine/", "/yours/"))),
        ("StackId", json!(own.replace("/mine/", "/neighbour/"))),
        ("StackId", json!(own.replace("us-east-1", "us-west-2"))),
        (
            "StackId",
            json!(own.replace("111122223333", "999988887777")),
        ),
        ("StackId", json!(own.to_uppercase())),
        ("StackId", json!("mine")),
        ("StackId", json!("")),
        ("StackId", Value::Null),
        ("LogicalResourceId", json!("Unknown")),
        ("LogicalResourceId", json!("FunctionLogs")),
        ("LogicalResourceId", json!("")),
        ("RequestType", json!("Remove")),
    ];
    let rotated = properties_with(json!({"KeySerial": 99}));
    let forged = fields.into_iter().map(|(field, value)| {
        let sent = (kind != "Create").then_some(SECRET);
        let old = (kind == "Update").then(properties);
        let mut event = scene.stack.request(kind, sent, &rotated, old.as_ref());
        let what = format!("{kind} with {field} {value}");
        event[field] = value;
        Forged {
            what,
            kind,
            never: true,
            event,
        }
    });
    forged.collect()
}

fn everything(scene: &Scene) -> std::collections::BTreeMap<String, String> {
    scene.account.foreign_to(&Owner {
        stack_id: String::new(),
        logical_id: String::new(),
    })
}

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stdout, reason = "the figure that `make test` shows")]
async fn a_forged_event_changes_nothing_while_cloudformation_is_not_at_work_on_the_resource() {
    let mut living = Scene::created().await;
    let logs = "FunctionLogs";
    let stack = living.owner().stack_id.clone();
    let account = &living.account;
    account.add_other_resource(&stack, logs, "AWS::Logs::LogGroup");
    let forged = forgeries(&mut living);
    let before = everything(&living);
    let (mut tried, mut refused) = (0, 0);
    let states = STACKS
        .iter()
        .flat_map(|stack| RESOURCES.iter().map(|resource| State { stack, resource }));
    for (at, state) in states.enumerate() {
        for (number, forgery) in forged.iter().enumerate() {
            let Forged {
                what,
                kind,
                never,
                event,
            } = forgery;
            // Half of them, the other half at the next state.
            let left_out = !tries_all() && (at + number) % 2 == 1;
            if left_out || state.at_work(kind) && !never {
                continue;
            }
            let scene = living.fork();
            state.set(&scene);
            let answer = invoke(&scene.account, &scene.process(), event).await;
            let answer = Answer(answer.expect("it lives"));
            assert_eq!(
                everything(&scene),
                before,
                "{what} at {state:?}: {}\n  {}",
                answer.reason(),
                scene.account.log().join("\n  ")
            );
            tried += 1;
            if answer.succeeded() {
                assert_all_is_as_it_asks(state, what, event);
            } else {
                refused += 1;
                let reason = answer.reason();
                let says = [
                    "CloudFormation says",
                    "CloudFormation does not wait",
                    "CloudFormation did not say",
                ];
                let confirmation = says.iter().any(|words| reason.contains(words));
                // Some of the others are refused before CloudFormation is asked.
                assert!(
                    !reason.is_empty() && (*never || confirmation),
                    "{what} at {state:?}: {reason}"
                );
            }
            scene.assert_neighbours_untouched();
        }
    }
    assert!(tried > 10_000, "only {tried}");
    println!("{tried} forged events, {refused} of them answered FAILED");
}

/// The answer is SUCCESS only if nothing had to be done for it.
#[track_caller]
fn assert_all_is_as_it_asks(state: State, what: &str, event: &Value) {
    let late_duplicate = state.resource.ends_with("_COMPLETE")
        && state.resource != "DELETE_COMPLETE"
        && event["ResourceProperties"]["UserName"] == USER
        && event["ResourceProperties"]["KeySerial"].is_null()
        && event["ResourceProperties"]["Buckets"] == "reads";
    let nothing_to_delete = event["RequestType"] == "Delete";
    assert!(late_duplicate || nothing_to_delete, "{what} at {state:?}");
    assert!(event["LogicalResourceId"] != "");
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_stack_than_the_one_served_makes_no_call() {
    let mut scene = Scene::created().await;
    for Forged {
        what,
        kind: _,
        never: _,
        mut event,
    } in forgeries(&mut scene)
    {
        let served = scene.owner().stack_id.clone();
        if event["StackId"] == served.as_str() {
            event["StackId"] = json!(served.replace("/mine/", "/yours/"));
        }
        let process = scene.process();
        let answer =
            kit::function::invoke_with(&scene.account, &process, &event, &[("STACK_ID", &served)])
                .await;
        let answer = Answer(answer.expect("it lives"));
        assert!(!answer.succeeded(), "{what}");
        assert!(
            answer.reason().contains(&served) && answer.reason().contains("nothing was changed"),
            "{what}: {}",
            answer.reason()
        );
        assert_eq!(process.calls(), Vec::<&str>::new(), "{what}");
    }
    assert_eq!(scene.owner().logical_id, LOGICAL_ID);
}
