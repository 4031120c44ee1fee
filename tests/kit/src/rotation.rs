//! The maintenance function as Lambda runs it, and Secrets Manager and EventBridge as they call it.

use std::collections::BTreeMap;
use std::future::ready;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use publisher_s3_access::cloud::{Cloud, Notifier, VersionId};
use publisher_s3_access::maintenance::{Environment, maintain};
use publisher_s3_access::observe::Refusal;
use publisher_s3_access::plan::RotationStep;
use publisher_s3_access::request::settings::Settings;
use publisher_s3_access::waits::Deadline;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::account::messages::topic;
use super::account::{ACCOUNT, Account, REGION};
use super::faults::Faulty;
use super::function::{TIMEOUT, rendered};

/// How often Secrets Manager repeats the steps after a failure, and when.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_secs(300);

/// How often it rotates, unless a test says so.
pub const ROTATION_DAYS: u64 = 30;

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// A secret that is rotated.
pub struct Rotated {
    account: Account,
    pub name: &'static str,
    arn: String,
    variables: BTreeMap<String, String>,
}

/// How an invocation ended; `None` if the process died.
pub type Ended = Option<Result<(), Refusal>>;

impl Rotated {
    /// The secret of this name, with rotation enabled.
    pub fn new(account: &Account, name: &'static str) -> Self {
        account.by_hand().enable_rotation(name);
        Self::without_schedule(account, name).with("ROTATION_DAYS", ROTATION_DAYS.to_string())
    }

    /// The same without rotation, so the function only checks and notifies.
    pub fn without_schedule(account: &Account, name: &'static str) -> Self {
        let tags = account.secret_tags(name).expect("the secret is there");
        let user = name.trim_start_matches("publisher/");
        let arn = account.secret_arn(name);
        // As the template sets it, for this stack and its parameters.
        let mut variables = rendered("RotationFunction");
        let own = [
            ("STACK_ID", tags["publisher-s3-access:stack-id"].clone()),
            ("LOGICAL_ID", tags["publisher-s3-access:logical-id"].clone()),
            ("SECRET_ARN", arn.clone()),
            ("TOPIC_ARN", topic().0),
            ("USER_NAME", user.to_owned()),
            ("BUCKETS", "reads".to_owned()),
            (
                "PERMISSIONS_BOUNDARY",
                account.boundary(user).unwrap_or_default(),
            ),
            ("ROTATION_DAYS", "0".to_owned()),
            ("MAX_KEY_AGE_DAYS", "0".to_owned()),
        ];
        for (name, value) in own {
            let replaced = variables.insert(name.to_owned(), value);
            assert!(replaced.is_some(), "the template does not set {name}");
        }
        Self {
            account: account.clone(),
            name,
            arn,
            variables,
        }
    }

    /// With another value of a variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// The same secret in a copy of the account.
    pub fn in_copy(&self, account: &Account) -> Self {
        Self {
            account: account.clone(),
            name: self.name,
            arn: self.arn.clone(),
            variables: self.variables.clone(),
        }
    }

    /// What EventBridge sends once a day.
    pub fn daily(&self) -> Value {
        json!({"check": {"time": text(self.account.time())}})
    }

    /// What Secrets Manager sends when `AWSCURRENT` has moved.
    pub fn label_moved(&self) -> Value {
        json!({
            "version": "0",
            "detail-type": "Secret Label Updated",
            "source": "aws.secretsmanager",
            "account": ACCOUNT,
            "region": REGION,
            "time": text(self.account.time()),
            "resources": [self.arn],
            "detail": {"labelUpdated": "AWSCURRENT"},
        })
    }

    /// The event of a step.
    pub fn event(&self, step: RotationStep, token: &VersionId) -> Value {
        json!({"Step": step.name(), "SecretId": self.arn, "ClientRequestToken": token.0})
    }

    /// One step.
    pub async fn step<C: Cloud + Notifier>(
        &self,
        cloud: &Faulty<C>,
        step: RotationStep,
        token: &VersionId,
    ) -> Ended {
        self.invoke(cloud, &self.event(step, token)).await
    }

    /// Runs the function once.
    pub async fn invoke<C: Cloud + Notifier>(&self, cloud: &Faulty<C>, event: &Value) -> Ended {
        let ended = self.ask(cloud, event).await;
        ended.map(|ended| ended.map(drop))
    }

    /// Runs the function once, and returns its answer. Missing the deadline fails the test.
    pub async fn ask<C: Cloud + Notifier>(
        &self,
        cloud: &Faulty<C>,
        event: &Value,
    ) -> Option<Result<Value, Refusal>> {
        let environment = self.environment();
        let started = Instant::now();
        cloud.revive();
        let event = event.to_string();
        self.account.note(format_args!("-- {event}"));
        let aws = ready((cloud, cloud));
        let run = maintain(&event, Deadline::after(TIMEOUT), &environment, aws);
        let ended = cloud.until_killed(run).await;
        if started.elapsed() >= TIMEOUT {
            self.account
                .violated("Lambda killed the maintenance function");
        }
        let how = match &ended {
            None => "died".to_owned(),
            Some(Ok(answer)) => format!("well: {answer}"),
            Some(Err(reason)) => reason.to_string(),
        };
        self.account.note(format_args!("-- ended: {how}"));
        ended
    }

    /// All steps with this token, once; the reason if one of them fails.
    pub async fn steps<C: Cloud + Notifier>(
        &self,
        cloud: &Faulty<C>,
        token: &VersionId,
    ) -> Result<(), String> {
        for step in RotationStep::ALL {
            match self.step(cloud, step, token).await {
                Some(Ok(())) => {}
                Some(Err(reason)) => return Err(format!("{}: {reason}", step.name())),
                None => return Err(format!("{}: the process died", step.name())),
            }
        }
        Ok(())
    }

    /// The next rotation on schedule, repeated as Secrets Manager does; the last reason if it gives up.
    pub async fn rotate<C: Cloud + Notifier>(
        &self,
        cloud: &Faulty<C>,
    ) -> Result<VersionId, String> {
        sleep(DAY * 30).await;
        let token = self.begin();
        self.go_on(cloud, &token).await.map(|()| token)
    }

    /// The attempts of one rotation.
    pub async fn go_on<C: Cloud + Notifier>(
        &self,
        cloud: &Faulty<C>,
        token: &VersionId,
    ) -> Result<(), String> {
        let mut last = self.steps(cloud, token).await;
        for _ in 1..ATTEMPTS {
            if last.is_ok() {
                break;
            }
            sleep(PAUSE).await;
            last = self.steps(cloud, token).await;
        }
        last
    }

    /// Stages a new version.
    pub fn begin(&self) -> VersionId {
        self.account
            .begin_rotation(self.name)
            .expect("no rotation is under way")
    }

    fn environment(&self) -> Environment {
        let variable = |name: &str| self.variables.get(name).cloned();
        let settings = Settings::read(variable, "invocation");
        Environment::read(variable, settings).expect("the environment is whole")
    }
}

fn text(time: SystemTime) -> String {
    let seconds = DateTime::from_secs(DateTime::from(time).secs());
    seconds.fmt(Format::DateTime).expect("a date of our time")
}
