//! What Secrets Manager itself does when it rotates a secret.

use publisher_s3_access::cloud::Label;
use publisher_s3_access::cloud::{ErrorKind, Rotation, VersionId};

use super::secrets::{StoredSecret, no_such_secret};
use super::{Account, At, Effect, refusal};

impl Account {
    /// `RotateSecret`: a version without a value under `AWSPENDING`, whose id is the token of all steps.
    pub fn begin_rotation(&self, secret: &str) -> Effect<VersionId> {
        let mut state = self.state();
        let (at, number) = (state.at(), state.next());
        let token = VersionId(format!("00000000-0000-4000-8000-{number:012}"));
        state
            .log
            .push(format!("-- Secrets Manager rotates {secret} to {token}"));
        let found = state.secrets.named_mut(secret).ok_or_else(no_such_secret)?;
        found.begin_rotation(&token, at)?;
        Ok(token)
    }

    /// How a new schedule's own test ends.
    pub fn forget_rotation(&self, secret: &str, token: &VersionId) {
        let mut state = self.state();
        let secret = state
            .secrets
            .named_mut(secret)
            .expect("the secret is there");
        secret.versions.remove(token);
    }

    /// The full ARN of the secret.
    pub fn secret_arn(&self, secret: &str) -> String {
        let state = self.state();
        let found = state.secrets.named(secret).expect("the secret is there");
        found.arn.0.clone()
    }

    /// The version with this label.
    pub fn version_under(&self, secret: &str, label: Label) -> Option<VersionId> {
        let state = self.state();
        state.secrets.named(secret)?.holder(label.as_str()).cloned()
    }
}

impl StoredSecret {
    fn begin_rotation(&mut self, token: &VersionId, at: At) -> Effect<()> {
        self.must_live()?;
        let refuse = |message: &str| {
            Err(refusal(
                ErrorKind::Rejected,
                "InvalidRequestException",
                message,
            ))
        };
        if self.rotation != Rotation::Enabled {
            return refuse("No Lambda rotation function ARN is associated with this secret.");
        }
        let (pending, current) = (Label::Pending.as_str(), Label::Current.as_str());
        if self.holder(pending).is_some() && self.holder(pending) != self.holder(current) {
            return refuse(
                "A previous rotation isn't complete. That rotation will be reattempted.",
            );
        }
        self.make_version(token, at);
        self.attach(pending, token);
        Ok(())
    }
}
