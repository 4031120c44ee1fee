//! Lambda may deliver a request again at any later time. In every story of a stack, each request is delivered again at
//! each later point at which `CloudFormation` is not at work on this very resource. The pair that it names is not
//! touched, and nothing is made.

use std::cell::RefCell;
use std::collections::BTreeMap;

use publisher_s3_access::cloud::{ErrorKind, StackResource, Stacks};
use publisher_s3_access::request::buckets::BucketUri;
use serde_json::{Value, json};

use crate::scene::{OTHER_USER, Scene, USER, properties, properties_with};
use kit::account::{Account, Owner};
use kit::faults::Faulty;
use kit::function::invoke;
use kit::stack::{Answer, Others, Outcome};

/// The stack while `CloudFormation` is at work on its other resources.
const OTHERS_AT_WORK: [&str; 5] = [
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
];

/// A moment of a story: the account as it was, and how many requests had been sent.
struct Point {
    what: String,
    account: Account,
    sent: usize,
}

/// A story under way.
struct Told {
    scene: Scene,
    record: RefCell<Record>,
}

#[derive(Default)]
struct Record {
    sent: Vec<Value>,
    points: Vec<Point>,
}

/// The next event in a story.
enum Next {
    Create,
    Update(Value, Others),
    /// The rollback fails too, until somebody continues it.
    Stuck(Value),
    ContinueRollback,
    /// Without a rollback.
    ForGood(Value, Outcome),
    Remove,
    Retain,
    Add,
    Delete,
}

impl Told {
    async fn new() -> Self {
        Self {
            scene: Scene::new().await,
            record: RefCell::default(),
        }
    }

    async fn go_on(&mut self, name: &str, next: Next) {
        let Self { scene, record } = self;
        let (account, cloud) = (scene.account.clone(), scene.stack.cloud());
        let stuck = matches!(next, Next::Stuck(_));
        let mut requests = 0;
        let mut run = async |event: Value| {
            requests += 1;
            record
                .borrow_mut()
                .take(&account, format!("{name}, before request {requests}"));
            record.borrow_mut().sent.push(event.clone());
            let process = if stuck && requests > 1 {
                Faulty::with_outage(cloud.clone(), 3, ErrorKind::Throttled)
            } else {
                Faulty::new(cloud.clone())
            };
            invoke(&account, &process, &event).await
        };
        let stack = &mut scene.stack;
        let (outcome, expected) = match next {
            Next::Create => {
                let outcome = stack.create(properties(), Others::Succeed, &mut run).await;
                (outcome, Outcome::Complete)
            }
            Next::Update(changes, others) => {
                let expected = match others {
                    Others::Succeed => Outcome::Complete,
                    Others::Fail => Outcome::RolledBack,
                };
                let changed = properties_with(changes);
                (stack.update(changed, others, &mut run).await, expected)
            }
            Next::Stuck(changes) => {
                let changed = properties_with(changes);
                let outcome = stack.update(changed, Others::Fail, &mut run).await;
                (outcome, Outcome::Blocked)
            }
            Next::ContinueRollback => {
                (stack.continue_rollback(&mut run).await, Outcome::RolledBack)
            }
            Next::ForGood(changes, expected) => {
                let changed = properties_with(changes);
                (stack.update_for_good(changed, &mut run).await, expected)
            }
            Next::Remove => (stack.remove(&mut run).await, Outcome::Complete),
            Next::Retain => {
                stack.retain();
                (Outcome::Complete, Outcome::Complete)
            }
            Next::Add => (stack.add(properties(), &mut run).await, Outcome::Complete),
            Next::Delete => (stack.delete(&mut run).await, Outcome::Complete),
        };
        assert_eq!(outcome, expected, "{name}: {}", scene.reason());
        record.borrow_mut().take(&account, format!("after {name}"));
    }
}

impl Record {
    fn take(&mut self, account: &Account, what: String) {
        let (account, sent) = (account.fork(), self.sent.len());
        self.points.push(Point {
            what,
            account,
            sent,
        });
    }
}

/// Everything in the account, by ARN.
fn everything(account: &Account) -> BTreeMap<String, String> {
    account.foreign_to(&Owner {
        stack_id: String::new(),
        logical_id: String::new(),
    })
}

/// The user whose pair an ARN belongs to.
fn is_of(arn: &str, user: &str) -> bool {
    arn.ends_with(&format!(":user/{user}")) || arn.contains(&format!(":secret:publisher/{user}-"))
}

fn reads(account: &Account, user: &str) -> bool {
    let key = account.stored_key(&format!("publisher/{user}"));
    let bucket = BucketUri::parse("reads").expect("a bucket");
    key.is_some_and(|key| account.can_list(&key, &bucket))
}

/// The resource's status, and the user that `CloudFormation` names.
async fn shown(account: &Account, owner: &Owner) -> (String, Option<String>) {
    let Owner {
        stack_id,
        logical_id,
    } = owner;
    let view = account.stack_resource(stack_id, logical_id).await;
    match view.expect("it answers") {
        StackResource::Custom(resource) => {
            let user = resource.physical_id.user().map(|user| user.to_string());
            (resource.status, user)
        }
        StackResource::OtherType(_) | StackResource::Missing(_) => (String::new(), None),
    }
}

/// The results of all requests that were delivered again.
#[derive(Default)]
struct Tally {
    points: usize,
    requests: usize,
    succeeded: usize,
}

impl Tally {
    /// Delivers every request of a story again, at every later point.
    async fn redeliver(&mut self, story: &str, told: Told) {
        let owner = told.scene.owner().clone();
        let Record { sent, points } = told.record.into_inner();
        for Point {
            what,
            account,
            sent: before,
        } in points
        {
            let (status, user) = shown(&account, &owner).await;
            if status.ends_with("_IN_PROGRESS") {
                continue; // `CloudFormation` is at work on this very resource.
            }
            let others = OTHERS_AT_WORK.iter().copied().map(Some);
            let others =
                others.filter(|_| status.ends_with("_COMPLETE") && what.starts_with("after"));
            for stack in [None].into_iter().chain(others) {
                self.points += 1;
                for event in &sent[..before] {
                    let account = account.fork();
                    if let Some(stack) = stack {
                        account.set_stack(&owner.stack_id, stack);
                    }
                    let kind = &event["RequestType"];
                    let when = format!("{story}: {kind} {what}, {status}, {stack:?}");
                    let living = user.as_deref();
                    self.again(&account, &owner, event, living, &when).await;
                }
            }
        }
    }

    async fn again(
        &mut self,
        account: &Account,
        owner: &Owner,
        event: &Value,
        living: Option<&str>,
        when: &str,
    ) {
        let before = everything(account);
        let read = living.is_some_and(|user| reads(account, user));
        let process = Faulty::new(account.acting_for(owner.clone()));
        let answer = invoke(account, &process, event).await.map(Answer);
        let answer = answer.expect("it lives");
        let after = everything(account);
        let log = || {
            format!(
                "{when}: {}\n  {}",
                answer.reason(),
                account.log().join("\n  ")
            )
        };
        for (arn, now) in &after {
            assert_eq!(
                before.get(arn),
                Some(now),
                "{arn} is new or changed: {}",
                log()
            );
        }
        for arn in before.keys().filter(|arn| !after.contains_key(*arn)) {
            let lives = living.is_none_or(|user| is_of(arn, user));
            let ours = is_of(arn, USER) || is_of(arn, OTHER_USER);
            assert!(ours && !lives, "{arn} was removed: {}", log());
        }
        if let Some(user) = living {
            assert_eq!(reads(account, user), read, "{}", log());
        }
        account.verify();
        self.requests += 1;
        self.succeeded += usize::from(answer.succeeded());
    }
}

/// The events of each story, after the Create.
fn chapters() -> Vec<(&'static str, Vec<Next>)> {
    let other = || json!({"UserName": OTHER_USER});
    let rotated = |serial: u64| json!({ "KeySerial": serial });
    let (done, failing) = (Others::Succeed, Others::Fail);
    let missing = json!({"Buckets": "missing"});
    vec![
        (
            "rotations",
            vec![
                Next::Update(rotated(2), done),
                Next::Update(rotated(3), done),
            ],
        ),
        (
            "a replacement with clean-up, and back",
            vec![Next::Update(other(), done), Next::Update(rotated(4), done)],
        ),
        (
            "cancelled updates with rollback",
            vec![
                Next::Update(rotated(5), failing),
                Next::Update(other(), failing),
                Next::Update(rotated(5), done),
            ],
        ),
        (
            "removed and added again",
            vec![Next::Remove, Next::Add, Next::Update(rotated(6), done)],
        ),
        (
            "retained, and added again",
            vec![Next::Update(rotated(7), done), Next::Retain, Next::Add],
        ),
        (
            "rollbacks that failed and were continued",
            vec![
                Next::Stuck(other()),
                Next::ContinueRollback,
                Next::Stuck(rotated(8)),
                Next::ContinueRollback,
            ],
        ),
        (
            "without rollback, and tried again",
            vec![
                Next::ForGood(missing, Outcome::Blocked),
                Next::ForGood(rotated(9), Outcome::Complete),
            ],
        ),
    ]
}

/// Creates a stack, plays these events, deletes it, and delivers everything again.
async fn tell(story: &str, chapter: Vec<Next>, tally: &mut Tally) {
    let mut told = Told::new().await;
    let whole = [Next::Create].into_iter().chain(chapter);
    for (number, next) in whole.chain([Next::Delete]).enumerate() {
        told.go_on(&format!("step {number}"), next).await;
    }
    tally.redeliver(story, told).await;
}

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stdout, reason = "the figures that `make test` shows")]
async fn a_request_that_is_delivered_again_later_never_touches_the_living_pair() {
    let mut all = Tally::default();
    for (story, chapter) in chapters() {
        tell(story, chapter, &mut all).await;
    }
    let in_a_row = chapters().into_iter().flat_map(|(_, chapter)| chapter);
    tell("all in a row", in_a_row.collect(), &mut all).await;
    let Tally {
        points,
        requests,
        succeeded,
    } = all;
    assert!(requests > 1_000, "only {requests}");
    println!("{requests} requests again at {points} later points, {succeeded} answered SUCCESS");
}
