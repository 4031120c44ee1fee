//! The scene of the stories: an account with buckets and neighbours, and a stack in it.

use std::collections::BTreeMap;
use std::time::Duration;

use publisher_s3_access::cloud::{KeyStatus, TagMap};
use publisher_s3_access::request::buckets::BucketUri;
use serde_json::{Value, json};
use tokio::time::sleep;

use kit::account::s3::Object;
use kit::account::{Account, BOUNDARY, Owner};
use kit::faults::Faulty;
use kit::function::{invoke, invoke_well};
use kit::rotation::DAY;
use kit::stack::{Others, Outcome, Stack};

/// The user that the stack makes.
pub(crate) const USER: &str = "publisher-reader";
/// Its secret.
pub(crate) const SECRET: &str = "publisher/publisher-reader";
/// The user after a replacement.
pub(crate) const OTHER_USER: &str = "publisher-other";
/// Its secret.
pub(crate) const OTHER_SECRET: &str = "publisher/publisher-other";

/// An account with our stack and with things that do not concern it.
pub(crate) struct Scene {
    pub(crate) account: Account,
    pub(crate) stack: Stack,
    neighbours: BTreeMap<String, String>,
    first_key: Option<String>,
}

/// The properties as the documented default has them.
pub(crate) fn properties() -> Value {
    json!({"Buckets": "reads", "UserName": USER, "PermissionsBoundary": BOUNDARY})
}

/// The same with some of them changed.
pub(crate) fn properties_with(changes: Value) -> Value {
    let mut properties = properties();
    let (Value::Object(all), Value::Object(changes)) = (&mut properties, changes) else {
        panic!("properties are an object");
    };
    all.extend(changes);
    properties
}

impl Scene {
    /// Before the stack is created. A stranger's user and secret and a neighbour's whole stack are there.
    pub(crate) async fn new() -> Self {
        let account = Account::new();
        account.bucket(
            "reads",
            "eu-west-1",
            &[("a/b", Object::Plain), ("c", Object::Plain)],
        );
        account.bucket("others", "us-east-1", &[("d", Object::Plain)]);
        account.by_hand().make_user("publisher-stranger");
        account
            .by_hand()
            .make_secret("publisher/publisher-stranger");
        let mut neighbour = Stack::new(&account, "neighbour");
        let cloud = neighbour.cloud();
        let properties = properties_with(json!({"UserName": "publisher-neighbour"}));
        let mut run = async |event| invoke_well(&cloud, &event).await;
        let outcome = neighbour
            .create(properties, Others::Succeed, &mut run)
            .await;
        assert_eq!(outcome, Outcome::Complete);
        let stack = Stack::new(&account, "mine");
        let neighbours = account.foreign_to(stack.owner());
        Self {
            account,
            stack,
            neighbours,
            first_key: None,
        }
    }

    /// A copy, independent of this one.
    pub(crate) fn fork(&self) -> Self {
        let account = self.account.fork();
        Self {
            stack: self.stack.fork(&account),
            account,
            neighbours: self.neighbours.clone(),
            first_key: self.first_key.clone(),
        }
    }

    /// With the stack created as [`properties`] say, a minute ago.
    pub(crate) async fn created() -> Self {
        let mut scene = Self::new().await;
        assert_eq!(scene.create(properties()).await, Outcome::Complete);
        scene.first_key = scene.account.current_key(SECRET);
        sleep(Duration::from_secs(60)).await;
        scene
    }

    /// With the stack created and its key rotated once, so long ago that nobody uses the previous key any more.
    pub(crate) async fn rotated() -> Self {
        let mut scene = Self::created().await;
        assert_eq!(
            scene.update(properties_with(json!({"KeySerial": 2}))).await,
            Outcome::Complete
        );
        scene.first_key = scene.account.current_key(SECRET);
        sleep(DAY * 30).await;
        scene
    }

    /// With what a previous stack has left: a user with two keys, and a secret that was deleted and can still be
    /// restored.
    pub(crate) async fn left_behind() -> Self {
        let mut scene = Self::rotated().await;
        scene.account.by_hand().delete_secret(SECRET, Some(7));
        scene.account.forget_stack(&scene.owner().stack_id.clone());
        scene.stack = scene.stack.reborn();
        scene
    }

    /// Whether the user and its secret are still a previous stack's, not taken over in any part.
    pub(crate) fn still_earlier(&self) -> bool {
        let ours = |tags: Option<TagMap>| {
            tags.is_some_and(|tags| tags.values().any(|value| *value == self.owner().stack_id))
        };
        !ours(self.account.user_tags(USER)) && !ours(self.account.secret_tags(SECRET))
    }

    /// The key that was current at the start.
    pub(crate) fn first_key(&self) -> Option<String> {
        self.first_key.clone()
    }

    /// A process of the stack's function.
    pub(crate) fn process(&self) -> Faulty<Account> {
        Faulty::new(self.stack.cloud())
    }

    /// Creates the stack, without faults.
    pub(crate) async fn create(&mut self, properties: Value) -> Outcome {
        let cloud = self.process();
        let mut run = async |event| invoke(&self.account, &cloud, &event).await;
        self.stack
            .create(properties, Others::Succeed, &mut run)
            .await
    }

    /// Updates the stack, without faults.
    pub(crate) async fn update(&mut self, properties: Value) -> Outcome {
        let cloud = self.process();
        let mut run = async |event| invoke(&self.account, &cloud, &event).await;
        self.stack
            .update(properties, Others::Succeed, &mut run)
            .await
    }

    /// The event of an Update that changes these properties of the created stack.
    pub(crate) fn begin_update(&mut self, changes: Value) -> Value {
        self.stack.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
        let changed = properties_with(changes);
        self.stack
            .request("Update", Some(SECRET), &changed, Some(&properties()))
    }

    /// Continues a rollback that failed, without faults.
    pub(crate) async fn continue_rollback(&mut self) -> Outcome {
        let cloud = self.process();
        let mut run = async |event| invoke(&self.account, &cloud, &event).await;
        self.stack.continue_rollback(&mut run).await
    }

    /// Deletes the stack, without faults.
    pub(crate) async fn delete(&mut self) -> Outcome {
        let cloud = self.process();
        let mut run = async |event| invoke(&self.account, &cloud, &event).await;
        self.stack.delete(&mut run).await
    }

    /// Sends the Delete of a resource whose Create was never answered, without faults.
    pub(crate) async fn delete_created(&mut self, id: &str) -> Outcome {
        let event = self.stack.request("Delete", Some(id), &properties(), None);
        self.stack.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS");
        let cloud = self.process();
        let mut run = async |event| invoke(&self.account, &cloud, &event).await;
        let answer = self.stack.deliver(event, &mut run).await;
        if answer.is_some_and(|answer| answer.succeeded()) {
            Outcome::Complete
        } else {
            Outcome::Blocked
        }
    }

    /// All that there is, to see that nothing was changed.
    pub(crate) fn everything(&self) -> BTreeMap<String, String> {
        self.account.foreign_to(&Owner {
            stack_id: String::new(),
            logical_id: String::new(),
        })
    }

    /// Accepts what is not the stack's as it is now.
    pub(crate) fn look_around(&mut self) {
        self.neighbours = self.account.foreign_to(self.owner());
    }

    /// The reason of the last answer.
    pub(crate) fn reason(&self) -> String {
        self.stack
            .last_answer()
            .map(|answer| answer.reason().to_owned())
            .unwrap_or_default()
    }

    pub(crate) fn owner(&self) -> &Owner {
        self.stack.owner()
    }

    /// Fails the test if something that is not the stack's has changed, or an invariant was broken on the way.
    #[track_caller]
    pub(crate) fn assert_neighbours_untouched(&self) {
        self.account.verify();
        assert_eq!(self.account.foreign_to(self.owner()), self.neighbours);
    }

    /// Fails the test unless the user is in order and Publisher can list the bucket with the current key.
    #[track_caller]
    pub(crate) fn assert_works(&self, user: &str, bucket: &str) {
        self.assert_works_but(user, bucket, 0);
    }

    /// The same, with this many lost keys at most.
    #[track_caller]
    pub(crate) fn assert_works_but(&self, user: &str, bucket: &str, lost: usize) {
        self.account.assert_in_order_but(user, self.owner(), lost);
        let key = self
            .account
            .stored_key(&format!("publisher/{user}"))
            .expect("in order");
        assert!(
            self.account
                .can_list(&key, &BucketUri::parse(bucket).expect("a bucket")),
            "{user} reads {bucket}"
        );
        self.assert_neighbours_untouched();
    }

    /// Fails the test if anything of the stack is left.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        self.account.assert_nothing_of(self.owner());
        self.assert_neighbours_untouched();
    }

    /// The ids of the user's active keys.
    pub(crate) fn active_keys(&self, user: &str) -> Vec<String> {
        let active = self
            .account
            .keys(user)
            .into_iter()
            .filter(|key| key.status == KeyStatus::Active);
        active.map(|key| key.id).collect()
    }
}
