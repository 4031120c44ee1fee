//! The steps on the secret, apart from its keys.

use super::Step;
use super::goal::Goal;
use super::tags::{Retagging, retagging, wanted_tags};
use crate::buckets::BucketName;
use crate::cloud::{NewSecret, TagMap};
use crate::observe::{BucketRegion, Observed, ObservedSecret};
use crate::ownership::Owner;

/// The steps on a secret that is absent or live.
pub(super) fn secret_steps(goal: &Goal<'_>, observed: &Observed) -> Vec<Step> {
    // The user's steps already note which stack tags are left out.
    let notes = &mut Vec::new();
    let Goal {
        owner: _,
        desired,
        document: _,
        change,
        release: _,
        access: _,
    } = goal;
    let description = description(goal, observed);
    let kms_key = desired.secret_kms_key.clone();
    let Some(ObservedSecret { secret, .. }) = &observed.pair.secret else {
        let name = observed.pair.name.secret_name();
        return vec![Step::CreateSecret(NewSecret {
            name,
            description,
            kms_key,
            tags: wanted_tags(goal, observed, &TagMap::new(), notes),
        })];
    };
    let wanted = wanted_tags(goal, observed, &secret.tags, notes);
    let mut steps = Vec::new();
    let Retagging { remove, write } = retagging(&wanted, &secret.tags, change);
    if !remove.is_empty() {
        steps.push(Step::UntagSecret(remove));
    }
    if !write.is_empty() {
        steps.push(Step::TagSecret(write));
    }
    let same_key = match (&kms_key, &secret.kms_key) {
        (None, None) => true,
        (Some(wanted), Some(described)) => wanted.same_as(described),
        (None, Some(_)) | (Some(_), None) => false,
    };
    if secret.description != description || !same_key {
        steps.push(Step::UpdateSecret {
            description,
            kms_key,
        });
    }
    steps
}

/// The secret's description: what Publisher's form asks for besides the key.
fn description(goal: &Goal<'_>, observed: &Observed) -> String {
    let first = goal.desired.buckets.first();
    let more = match goal.desired.buckets.iter().count() {
        1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    format!(
        "Access key of IAM user {} for DNAstack Publisher. Bucket: {first}{more}. Region: {}.",
        observed.pair.name,
        observed.region(goal.owner, &first.bucket)
    )
}

impl Observed {
    /// The bucket's region, or the stack's if it could not be found.
    pub fn region<'a>(&'a self, owner: &'a Owner, bucket: &BucketName) -> &'a str {
        match self.regions.get(bucket) {
            Some(BucketRegion::In(region)) => region,
            Some(BucketRegion::NoSuchBucket | BucketRegion::Unknown(_)) | None => {
                owner.stack.region()
            }
        }
    }
}
