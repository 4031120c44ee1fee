//! An AWS account in memory that refuses what AWS refuses.
//!
//! Clones share one account, so that several runs can act on it at once. Every call yields before and after its
//! effect: runs polled side by side interleave at every call. Time is tokio's: under a paused clock lags cost nothing.
//!
//! A broken invariant must not be a panic inside a call, because the handler under test catches panics: it is
//! recorded, and dropping the account (or [`Account::verify`]) fails the test.

pub mod by_hand;
pub mod cloudformation;
pub mod iam;
pub mod invariants;
pub mod messages;
mod port;
pub mod rotation;
pub mod s3;
pub mod secrets;

use std::fmt::{Display, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use publisher_s3_access::cloud::{
    CloudError, Denial, ErrorKind, Message, Result, Subscriptions, TagMap,
};
use publisher_s3_access::request::names::UserName;
use tokio::time::Instant;

use cloudformation::Stacks;
use iam::Iam;
use s3::Buckets;
use secrets::Secrets;

/// The number of the account.
pub const ACCOUNT: &str = "111122223333";
/// The region that stacks and secrets live in.
pub const REGION: &str = "us-east-1";
/// A managed policy that exists from the start, to be used as the boundary.
pub const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/PublisherBoundary";
/// A second one.
pub const OTHER_BOUNDARY: &str = "arn:aws:iam::111122223333:policy/OtherBoundary";

/// A handle on the account.
#[derive(Clone)]
pub struct Account {
    state: Arc<Mutex<State>>,
    /// The resource that this handle's calls are made for; `None` checks nobody's ownership.
    actor: Option<Owner>,
}

/// Everything there is.
#[derive(Clone)]
pub struct State {
    started: Instant,
    /// The wall clock at the start; tokio's clock goes on from there.
    epoch: SystemTime,
    serial: u64,
    role_works_from: Instant,
    lags: Lags,
    iam: Iam,
    secrets: Secrets,
    stacks: Stacks,
    buckets: Buckets,
    /// The user whose current key has to work at every instant.
    watched: Option<UserName>,
    /// How many subscriptions the topic has; `None` if the role may not look.
    subscriptions: Option<Subscriptions>,
    /// The messages that people got.
    messages: Vec<Message>,
    log: Vec<String>,
    violations: Vec<String>,
}

/// How far reads lag behind writes. Nothing lags unless a test says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lags {
    /// A fresh user is not found by anything but `CreateUser`.
    pub user: Duration,
    /// Changes of a user or secret whose tags or boundary were just set are denied: the role's conditions read them.
    pub tags: Duration,
    /// A fresh key is unknown to S3 and STS.
    pub key: Duration,
    /// A fresh key is not listed, and a deleted one still is.
    pub key_list: Duration,
    /// A fresh key is missing to whoever deletes it.
    pub key_deletion: Duration,
    /// The use of a key is not shown yet.
    pub last_use: Duration,
    /// A policy just put does not count yet; the previous one does.
    pub policy: Duration,
    /// A removing call on a missing thing is denied, as it is for a role whose conditions read tags.
    pub missing: Missing,
}

/// The answer to a removing call on a missing user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// `NoSuchEntity`, which the port turns into success.
    #[default]
    IsGone,
    /// `AccessDenied`.
    IsDenied,
}

/// The resource that a run acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub stack_id: String,
    pub logical_id: String,
}

impl Owner {
    /// Whether these tags name this resource, of this stack or a previous one.
    pub fn owns(&self, tags: &TagMap) -> bool {
        let life = |id: &str| id.rsplit_once('/').map(|(stack, _)| stack.to_owned());
        let stack = tags.get("publisher-s3-access:stack-id");
        stack.is_some_and(|id| life(id).is_some() && life(id) == life(&self.stack_id))
            && tags.get("publisher-s3-access:logical-id") == Some(&self.logical_id)
    }
}

/// The moment of a call.
#[derive(Clone, Copy)]
pub struct At {
    now: Instant,
    time: SystemTime,
    lags: Lags,
}

/// AWS's answer if it refuses.
#[derive(Debug)]
pub struct Refusal {
    kind: ErrorKind,
    code: &'static str,
    message: String,
}

/// A refusal, in AWS's words.
pub fn refusal(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        kind,
        code,
        message: message.into(),
    }
}

/// The result of an effect.
pub type Effect<T> = std::result::Result<T, Refusal>;

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}

impl Account {
    /// An account with two managed policies and nothing else.
    pub fn new() -> Self {
        let started = Instant::now();
        let state = State {
            started,
            // Not on the first day of a month, when a check says that all is well.
            epoch: SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_620_800),
            serial: 0,
            role_works_from: started,
            lags: Lags::default(),
            iam: Iam::default(),
            secrets: Secrets::default(),
            stacks: Stacks::default(),
            buckets: Buckets::default(),
            watched: None,
            subscriptions: Some(Subscriptions {
                confirmed: 1,
                pending: 0,
            }),
            messages: Vec::new(),
            log: Vec::new(),
            violations: Vec::new(),
        };
        let account = Self {
            state: Arc::new(Mutex::new(state)),
            actor: None,
        };
        account.by_hand().make_managed_policy(BOUNDARY);
        account.by_hand().make_managed_policy(OTHER_BOUNDARY);
        account
    }

    /// A handle whose changing calls may only touch what carries this owner's tags.
    pub fn acting_for(&self, owner: Owner) -> Self {
        Self {
            state: Arc::clone(&self.state),
            actor: Some(owner),
        }
    }

    /// A copy of the account, independent of this one.
    pub fn fork(&self) -> Self {
        let state = self.state().clone();
        Self {
            state: Arc::new(Mutex::new(state)),
            actor: self.actor.clone(),
        }
    }

    /// Takes this copy's clock back to `then`, as if no time had passed since.
    pub fn rewind(&self, then: Instant) {
        self.state().started += then.elapsed();
    }

    /// Sets the lags from now on.
    pub fn lag(&self, lags: Lags) {
        self.state().lags = lags;
    }

    /// Denies every call of the role for this long, as for a new role.
    pub fn role_is_fresh_for(&self, time: Duration) {
        self.state().role_works_from = Instant::now() + time;
    }

    /// The time of the account's clock.
    pub fn time(&self) -> SystemTime {
        self.state().time()
    }

    /// Adds a line to the log, such as where a fault struck.
    pub fn note(&self, line: impl Display) {
        self.state().log.push(line.to_string());
    }

    /// Every call and its result, one a line, without secrets.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that failed under the lock must not hide behind a poisoned one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call: yields, lets the effect happen at one instant, checks what must hold at every instant, yields.
    async fn act<T: std::fmt::Debug>(
        &self,
        operation: &'static str,
        what: impl Display,
        by: By,
        effect: impl FnOnce(&mut State, At) -> Effect<T>,
    ) -> Result<T> {
        tokio::task::yield_now().await;
        let result = self.state().call(operation, what, by, effect);
        tokio::task::yield_now().await;
        result
    }
}

/// The credentials that a call is made with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The function's role.
    Role,
    /// The user's own key, or nobody's.
    Other,
}

impl State {
    fn time(&self) -> SystemTime {
        self.epoch + self.started.elapsed()
    }

    fn call<T: std::fmt::Debug>(
        &mut self,
        operation: &'static str,
        what: impl Display,
        by: By,
        effect: impl FnOnce(&mut Self, At) -> Effect<T>,
    ) -> Result<T> {
        let at = self.at();
        self.secrets.purge(at);
        let result = if by == By::Role && at.now < self.role_works_from {
            Err(denied(
                operation,
                "because no identity-based policy allows it",
            ))
        } else {
            effect(self, at)
        };
        let outcome = match &result {
            Ok(value) => short(value),
            Err(refusal) => refusal.code.to_owned(),
        };
        self.log.push(format!("{operation} {what} -> {outcome}"));
        self.check_watched();
        result.map_err(
            |Refusal {
                 kind,
                 code,
                 message,
             }| CloudError {
                operation,
                kind,
                denial: Denial::read(kind, Some(code), &message),
                code: Some(code.to_owned()),
                message,
                request_id: Some(format!("request-{}", self.log.len())),
            },
        )
    }

    fn at(&self) -> At {
        At {
            now: Instant::now(),
            time: self.time(),
            lags: self.lags,
        }
    }

    /// A number that no other thing of this account has.
    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

/// `AccessDenied`, in AWS's words.
pub fn denied(action: &str, why: &str) -> Refusal {
    refusal(
        ErrorKind::Denied,
        "AccessDenied",
        format!("not authorized to perform: {action} {why}"),
    )
}

/// The first characters of a printed value.
fn short(value: &impl std::fmt::Debug) -> String {
    let mut text = Beginning(String::new());
    let whole = write!(text, "{value:?}").is_ok();
    let Beginning(mut text) = text;
    text.push_str(if whole { "" } else { "…" });
    text
}

/// Takes text up to a limit, and then refuses more, because formatting the rest would take most of a test's time.
struct Beginning(String);

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = 120_usize.saturating_sub(self.0.chars().count());
        self.0.extend(text.chars().take(room));
        if text.chars().count() > room {
            Err(std::fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// The rules that tags of every service share: at most 50, lengths, and no `aws:`.
pub fn check_tags(tags: &TagMap, code: &'static str) -> Effect<()> {
    let refuse = |message: String| Err(refusal(ErrorKind::Rejected, code, message));
    if tags.len() > 50 {
        return refuse(format!("{} tags; at most 50 are allowed", tags.len()));
    }
    for (key, value) in tags {
        let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return refuse(format!("tag `{key}` is too long"));
        }
        if key.to_ascii_lowercase().starts_with("aws:")
            || !key.chars().chain(value.chars()).all(allowed)
        {
            return refuse(format!(
                "tag `{key}` is reserved or has a character that is not allowed"
            ));
        }
    }
    Ok(())
}
