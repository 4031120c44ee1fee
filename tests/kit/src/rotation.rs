//! The rotation function as Lambda runs it, and Secrets Manager as it calls it.

use std::future::ready;
use std::time::Duration;

use publisher_s3_access::cloud::{Cloud, VersionId};
use publisher_s3_access::deadline::Deadline;
use publisher_s3_access::plan::RotationStep;
use publisher_s3_access::rotate::{RotationError, Settings, rotate};
use publisher_s3_access::settings::Invocation;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::account::{ACCOUNT, Account, REGION};
use super::faults::Faulty;
use super::function::TIMEOUT;

/// How often Secrets Manager begins the steps anew after a failure, and when.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_secs(300);

/// A secret that is rotated.
pub struct Rotated {
    account: Account,
    pub name: &'static str,
    arn: String,
}

/// How an invocation ended; `None` if the process died.
pub type Ended = Option<Result<(), RotationError>>;

impl Rotated {
    /// The secret of this name, with rotation enabled.
    pub fn new(account: &Account, name: &'static str) -> Self {
        account.by_hand().enable_rotation(name);
        Self {
            account: account.clone(),
            arn: account.secret_arn(name),
            name,
        }
    }

    /// The same secret in a copy of the account.
    pub fn in_copy(&self, account: &Account) -> Self {
        Self {
            account: account.clone(),
            name: self.name,
            arn: self.arn.clone(),
        }
    }

    /// The event of a step.
    pub fn event(&self, step: RotationStep, token: &VersionId) -> Value {
        json!({"Step": step.name(), "SecretId": self.arn, "ClientRequestToken": token.0})
    }

    /// One step.
    pub async fn step<C: Cloud>(
        &self,
        cloud: &Faulty<C>,
        step: RotationStep,
        token: &VersionId,
    ) -> Ended {
        self.invoke(cloud, &self.event(step, token)).await
    }

    /// Runs the function once. One that is not over at its deadline fails the test.
    pub async fn invoke<C: Cloud>(&self, cloud: &Faulty<C>, event: &Value) -> Ended {
        let settings = self.settings();
        let started = Instant::now();
        cloud.revive();
        let event = event.to_string();
        self.account.note(format_args!("-- {}", event));
        let run = rotate(&event, Deadline::after(TIMEOUT), &settings, ready(cloud));
        let ended = cloud.until_killed(run).await;
        if started.elapsed() >= TIMEOUT {
            self.account.violated("Lambda killed the rotation function");
        }
        let how = match &ended {
            None => "died".to_owned(),
            Some(Ok(())) => "well".to_owned(),
            Some(Err(reason)) => reason.to_string(),
        };
        self.account.note(format_args!("-- ended: {how}"));
        ended
    }

    /// All steps with this token, once; the reason if one of them fails.
    pub async fn steps<C: Cloud>(
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

    /// A rotation from its beginning, repeated as Secrets Manager does; the last reason if it gives up.
    pub async fn rotate<C: Cloud>(&self, cloud: &Faulty<C>) -> Result<VersionId, String> {
        let token = self.begin();
        self.go_on(cloud, &token).await.map(|()| token)
    }

    /// The attempts of one rotation.
    pub async fn go_on<C: Cloud>(
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

    fn settings(&self) -> Settings {
        let variable = |name: &str| match name {
            "SECRET_ARN" => Some(self.arn.clone()),
            "BUCKETS" => Some("reads".to_owned()),
            _ => None,
        };
        let function_arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotation");
        let invocation = Invocation {
            id: "invocation",
            function_arn: &function_arn,
        };
        Settings::read(variable, invocation).expect("the settings are whole")
    }
}
