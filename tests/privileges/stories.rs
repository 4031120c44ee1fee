//! What happens to a stack in its life, enough to make every call.

use std::collections::BTreeSet;

use publisher_s3_access::cloud::AttachmentKind;
use publisher_s3_access::plan::RotationStep;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::calls::{Call, Deployed};
use super::policies;
use super::watched::Watched;
use kit::account::s3::Object;
use kit::account::{Account, OTHER_BOUNDARY};
use kit::faults::{Fault, Faulty};
use kit::function::invoke;
use kit::rotation::{DAY, Rotated};
use kit::stack::{Others, Outcome, Stack};
use kit::template::rendering::NAME;

const USER: &str = "publisher-reader";
const OTHER_USER: &str = "publisher-other";
const SECRET: &str = "publisher/publisher-reader";

/// A stack in an account, and all calls that were made for it.
struct Story {
    account: Account,
    stack: Stack,
    calls: BTreeSet<Call>,
}

/// The template's properties, with others added.
fn properties(changes: &Value) -> Value {
    let boundary = policies::boundary(&policies::stack());
    let mut all = json!({"Buckets": ["reads"], "UserName": USER, "PermissionsBoundary": boundary});
    let changes = changes.as_object().expect("an object").clone();
    all.as_object_mut().expect("an object").extend(changes);
    all
}

impl Story {
    fn begin() -> Self {
        let account = Account::new();
        let by_hand = account.by_hand();
        by_hand.make_managed_policy(&policies::boundary(&policies::stack()));
        let objects = [("a", Object::Plain), ("a/b", Object::Plain)];
        account.bucket("reads", "eu-west-1", &objects);
        let stack = Stack::new(&account, NAME);
        let calls = BTreeSet::new();
        Self {
            account,
            stack,
            calls,
        }
    }

    /// Begun, and created.
    async fn created() -> Self {
        let mut story = Self::begin();
        assert_eq!(story.create(&json!({})).await, Outcome::Complete);
        story
    }

    fn process(&self) -> Watched {
        let stack_id = &self.stack.owner().stack_id;
        Watched::new(self.stack.cloud(), stack_id)
    }

    async fn create(&mut self, changes: &Value) -> Outcome {
        let (watched, account) = (self.process(), self.account.clone());
        let cloud = Faulty::new(watched.clone());
        let mut run = async |event| {
            watched.is_sent(&event);
            invoke(&account, &cloud, &event).await
        };
        let properties = properties(changes);
        let outcome = (self.stack)
            .create(properties, Others::Succeed, &mut run)
            .await;
        self.calls.extend(watched.calls());
        outcome
    }

    async fn update(&mut self, changes: &Value) -> Outcome {
        self.update_with(changes, None).await
    }

    /// Updates; the call of this number is made and its answer lost.
    async fn update_with(&mut self, changes: &Value, lost: Option<usize>) -> Outcome {
        self.update_beside(changes, lost, Others::Succeed).await
    }

    /// The same beside other resources.
    async fn update_beside(
        &mut self,
        changes: &Value,
        lost: Option<usize>,
        others: Others,
    ) -> Outcome {
        let (watched, account) = (self.process(), self.account.clone());
        let faults = lost.map(|k| (k, Fault::LoseAnswer));
        let cloud = Faulty::with_all(watched.clone(), faults);
        let mut run = async |event| {
            watched.is_sent(&event);
            invoke(&account, &cloud, &event).await
        };
        let properties = properties(changes);
        let outcome = (self.stack).update(properties, others, &mut run).await;
        self.calls.extend(watched.calls());
        outcome
    }

    async fn delete(&mut self) -> Outcome {
        let (watched, account) = (self.process(), self.account.clone());
        let cloud = Faulty::new(watched.clone());
        let of_resource = self.stack.resource().map(|resource| &resource.properties);
        watched.is_sent(&json!({ "ResourceProperties": of_resource }));
        let mut run = async |event| invoke(&account, &cloud, &event).await;
        let outcome = self.stack.delete(&mut run).await;
        self.calls.extend(watched.calls());
        outcome
    }
}

/// A life with every property changed.
async fn updated_and_replaced() -> Story {
    let mut story = Story::begin();
    let first = json!({
        "Tags": [{"Key": "Team", "Value": "a"}], "SecretKmsKeyId": "alias/secrets", "SecretRecoveryDays": 7,
    });
    assert_eq!(story.create(&first).await, Outcome::Complete);
    for changes in [
        json!({"KeySerial": 2, "Tags": [{"Key": "Owner", "Value": "b"}]}),
        json!({"KeySerial": 3, "PolicyName": "Renamed", "SecretKmsKeyId": "alias/others"}),
        json!({"KeySerial": 3, "Buckets": ["reads", "s3://reads/a/"], "SecretRecoveryDays": 7}),
        json!({"UserName": OTHER_USER, "SecretRecoveryDays": 7}),
    ] {
        assert_eq!(story.update(&changes).await, Outcome::Complete, "{changes}");
    }
    assert_eq!(story.delete().await, Outcome::Complete);
    story
}

/// People change the stack's user and secret, and attachments are removed.
async fn changed_by_hand() -> Story {
    let mut story = Story::created().await;
    let by_hand = story.account.by_hand();
    by_hand.add_key(USER);
    by_hand.edit_secret(SECRET, "{}");
    by_hand.put_policy(USER, "Added", r#"{"Version":"2012-10-17","Statement":[]}"#);
    by_hand.set_boundary(USER, None);
    let revised = json!({"Revision": "2"});
    assert_eq!(story.update(&revised).await, Outcome::Complete);
    let by_hand = story.account.by_hand();
    by_hand.set_boundary(USER, Some(OTHER_BOUNDARY));
    for kind in AttachmentKind::ALL {
        if kind != AttachmentKind::Group {
            by_hand.attach(USER, kind, "it");
        }
    }
    by_hand.replicate(SECRET, "eu-west-1");
    assert_eq!(story.delete().await, Outcome::Complete);
    story
}

/// A replacement is rolled back, after somebody has deactivated the key that has to come back.
async fn replaced_and_rolled_back() -> Story {
    let mut story = Story::created().await;
    let key = story.account.current_key(SECRET).expect("a key");
    story.account.by_hand().deactivate_key(USER, &key);
    let replaced = json!({"UserName": OTHER_USER});
    let outcome = story.update_beside(&replaced, None, Others::Fail).await;
    assert_eq!(outcome, Outcome::RolledBack);
    story
}

/// The user is renamed behind the stack's back, and its key shows where it is.
async fn renamed() -> Story {
    let mut story = Story::created().await;
    story
        .account
        .by_hand()
        .rename_user(USER, "publisher-renamed");
    let outcome = story.update(&json!({"Revision": "2"})).await;
    assert_eq!(outcome, Outcome::Blocked, "the rollback meets the same");
    story
}

/// A later stack of the same name takes over what a previous one kept, then restores what it deleted.
async fn reborn() -> Story {
    let mut story = Story::begin();
    let restorable = json!({"SecretRecoveryDays": 30});
    assert_eq!(story.create(&restorable).await, Outcome::Complete);
    story.account.forget_stack(&story.stack.owner().stack_id);
    story.stack = story.stack.reborn();
    assert_eq!(story.create(&restorable).await, Outcome::Complete);
    assert_eq!(story.delete().await, Outcome::Complete);
    story.stack = story.stack.reborn();
    assert_eq!(story.create(&restorable).await, Outcome::Complete);
    story
}

/// The proof fails, on Create and on a rotation.
async fn unproved() -> Story {
    let mut story = Story::begin();
    let nowhere = json!({"Buckets": ["reads-not"]});
    assert_eq!(story.create(&nowhere).await, Outcome::RolledBack);
    story.stack = story.stack.reborn();
    assert_eq!(story.create(&json!({})).await, Outcome::Complete);
    let nowhere = json!({"Buckets": ["reads-not"], "KeySerial": 2});
    assert_eq!(story.update(&nowhere).await, Outcome::RolledBack);
    story
}

/// A name that belongs to another stack, which is looked at and left alone.
async fn taken() -> Story {
    let mut story = Story::begin();
    let mut neighbour = Stack::new(&story.account, "neighbour");
    let (cloud, account) = (Faulty::new(neighbour.cloud()), story.account.clone());
    let mut run = async |event| invoke(&account, &cloud, &event).await;
    let of_neighbour = properties(&json!({}));
    let outcome = neighbour.create(of_neighbour, Others::Succeed, &mut run);
    assert_eq!(outcome.await, Outcome::Complete);
    assert_eq!(story.create(&json!({})).await, Outcome::RolledBack);
    story
}

/// A rotation whose `k`-th answer is lost, and what follows.
async fn interrupted(k: usize) -> Story {
    let mut story = Story::created().await;
    story.update_with(&json!({"KeySerial": 2}), Some(k)).await;
    story
}

/// Three rotations. In one, every step is repeated. In another, the `k`-th answer is lost and the rest is repeated.
async fn rotated(k: usize) -> Story {
    let mut story = Story::created().await;
    let secret = Rotated::new(&story.account, SECRET);
    let watched = story.process();
    watched.is_sent(&json!({"ResourceProperties": {"UserName": USER}}));
    for faults in [vec![], vec![(k, Fault::LoseAnswer)]] {
        sleep(DAY * 30).await;
        let token = secret.begin();
        let cloud = Faulty::with_all(watched.clone(), faults);
        for step in RotationStep::ALL.into_iter().flat_map(|step| [step; 2]) {
            drop(secret.step(&cloud, step, &token).await);
        }
    }
    let well = Faulty::new(watched.clone());
    drop(secret.rotate(&well).await);
    // The next one comes at once, so it is held up and a message is sent. A new key and a check's findings are sent
    // too.
    drop(secret.steps(&well, &secret.begin()).await);
    for event in [secret.label_moved(), secret.daily()] {
        story.account.by_hand().set_boundary(USER, None);
        drop(secret.invoke(&well, &event).await);
    }
    // The template's stack knows the secret by the characters that its ARN ends in.
    let (ends_in, known_by) = (
        story.account.secret_arn(SECRET),
        policies::stack().attribute("S3Access", "SecretArn"),
    );
    let calls = watched.calls().into_iter();
    story.calls = calls
        .map(|call| Call {
            resource: call.resource.replace(&ends_in, &known_by),
            ..call
        })
        .collect();
    story
}

/// Every call that the maintenance function made, and what Lambda does with its role.
pub(crate) fn of_maintenance() -> BTreeSet<Call> {
    let mut calls: BTreeSet<Call> = lambdas("RotationLogs");
    for story in run(async {
        let mut stories = Vec::new();
        for k in 0..25 {
            stories.push(rotated(k).await);
        }
        stories
    }) {
        calls.extend(story.calls);
    }
    calls
}

/// Every call that the custom resource's function made in all stories, and what Lambda does with its role.
pub(crate) fn of_custom_resource() -> BTreeSet<Call> {
    let stories = run(async {
        let mut stories = vec![
            updated_and_replaced().await,
            changed_by_hand().await,
            replaced_and_rolled_back().await,
            renamed().await,
            reborn().await,
            unproved().await,
            taken().await,
        ];
        for k in 0..25 {
            stories.push(interrupted(k).await);
        }
        stories
    });
    let mut calls: BTreeSet<Call> = lambdas("FunctionLogs");
    for story in stories {
        calls.extend(story.calls);
    }
    calls
}

/// Stories with their own clock, each checked at its end.
fn run(stories: impl Future<Output = Vec<Story>>) -> Vec<Story> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let stories = runtime.expect("a runtime").block_on(stories);
    stories.iter().for_each(|story| story.account.verify());
    stories
}

/// Lambda writes the logs.
fn lambdas(group: &str) -> BTreeSet<Call> {
    let group = policies::stack().attribute(group, "Arn");
    let stream = group.replace(":*", ":log-stream:2026/11/23/[$LATEST]0a1b2c");
    let id = Stack::new(&Account::new(), NAME).owner().stack_id.clone();
    let stack = Deployed::new(&id, USER);
    let actions = ["logs:CreateLogStream", "logs:PutLogEvents"];
    actions
        .map(|action| Call::new(action, &stream, &stack))
        .into()
}
