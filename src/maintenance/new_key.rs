//! `AWSCURRENT` has moved. People are asked to paste the new key, if there is one that works: whoever may write to the secret
//! could put anything there.

use serde_json::Value;
use tokio::time::{Instant, sleep};
use tracing::info;

use super::findings::{listed, of_plan};
use super::{Work, message};
use crate::cloud::{Cloud, KeyStatus, Label, Notifier, VersionId};
use crate::observe::{AtWork, Observed, Refusal};
use crate::waits::{IAM_LAG, between_rounds};

impl<C: Cloud, N: Notifier> Work<'_, C, N> {
    /// Tells of the new key, or of what stands in its place. IAM may list a new key late.
    pub(super) async fn new_key(&self, time: &str) -> Result<Value, Refusal> {
        let until = Instant::now() + IAM_LAG;
        let mut pauses = between_rounds();
        loop {
            let (at_work, observed) = self.observe_all().await?;
            if let Some(version) = to_paste(&observed) {
                info!(time, version = %version, "a new key is in use");
                let message = message::new_key(self.environment, time, version);
                return self.tell(&message).await.map(|()| Value::Null);
            }
            // An update repairs it, and moves the label again.
            if at_work == AtWork::Yes {
                info!(
                    time,
                    "the current version holds no key that works, and the stack is at work"
                );
                return Ok(Value::Null);
            }
            if Instant::now() >= until {
                let next = of_plan(&self.planned(&observed)).map(|finding| finding.text);
                let message =
                    message::changed_by_hand(self.environment, time, &next.unwrap_or_default());
                return self.tell(&message).await.map(|()| Value::Null);
            }
            sleep(pauses.next().unwrap_or_default()).await;
        }
    }
}

/// The current version, if it holds an active key of the user.
fn to_paste(observed: &Observed) -> Option<&VersionId> {
    let (user, secret) = (observed.pair.user.as_ref()?, observed.pair.secret.as_ref()?);
    let active = listed(user, secret, Label::Current)
        .is_some_and(|listed| listed.status == KeyStatus::Active);
    let own = secret.key_under(Label::Current)?.user == observed.pair.name.as_str();
    secret.labelled(Label::Current).filter(|_| active && own)
}
