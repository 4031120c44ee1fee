//! A stack of the release before becomes one of this release.

use std::collections::BTreeMap;

use anyhow::ensure;
use serde_json::json;

use super::Scenario;
use crate::{
    account::secrets::StoredKey,
    bench::{Bench, Deployment},
    report::Notes,
    stack::RESOURCE,
};

pub(super) const SCENARIOS: &[Scenario] = &[(
    "a stack of the release before is upgraded, and rolled back before, with the same key and resources",
    upgrade,
)];

const POLICY: &str = "S3AccessPolicy";

fn upgrade<'a>(bench: &'a Bench<'a>, notes: &mut Notes) -> anyhow::Result<()> {
    let rotates = |mut deployment: Deployment<'a>| {
        deployment.set_parameter("RotationDays", "45");
        deployment.set_parameter("NotificationEmail", "genomics@example.com");
        deployment
    };
    // Without a schedule, because that release's maintenance function got other variables than today's program needs.
    let first = bench
        .stack("upgraded")
        .with_template(bench.release_before()?);
    first.create()?;
    let before = Facts::of(bench, &first)?;
    let release = rotates(bench.stack("upgraded"));

    // Everything of the new template is made before this fails.
    let mut broken = release.template();
    broken["Outputs"]["Broken"] = json!({"Value": {"Fn::GetAtt": [RESOURCE, "Broken"]}});
    widen(bench, &first.user)?;
    let settled = first.stack.update(bench.workplace, &broken)?;
    ensure!(settled.status == "UPDATE_ROLLBACK_COMPLETE", "{settled:?}");
    before.assert_still(&Facts::of(bench, &first)?)?;
    notes.add("rolled back: the same key, the same resources, the policy repaired");

    widen(bench, &first.user)?;
    release.update()?;
    let after = Facts::of(bench, &release)?;
    before.assert_still(&after)?;
    bench.assert_reads(&release.user)?;
    notes.add(format!(
        "upgraded: the same key {}, {} resources as they were, {} more",
        before.key.key.id,
        before.resources.len(),
        after.resources.len() - before.resources.len()
    ));
    release.stack.delete()?;
    bench.assert_nothing_of(&release.user)
}

/// Everything that an upgrade leaves as it is.
struct Facts {
    key: StoredKey,
    policy: String,
    resources: BTreeMap<String, String>,
}

impl Facts {
    fn of(bench: &Bench<'_>, deployment: &Deployment<'_>) -> anyhow::Result<Self> {
        let policy = bench.account.inline_policy(&deployment.user, POLICY)?;
        Ok(Self {
            key: bench.current_key(&deployment.user)?,
            policy: policy.to_string(),
            resources: deployment.stack.resources()?.physical_ids(),
        })
    }

    fn assert_still(&self, later: &Self) -> anyhow::Result<()> {
        let (old, new) = (&self.key, &later.key);
        ensure!(
            (&old.key.id, &old.version_id) == (&new.key.id, &new.version_id),
            "{old:?} became {new:?}"
        );
        // It was widened by hand in the meantime.
        ensure!(
            self.policy == later.policy,
            "the policy is {}",
            later.policy
        );
        for (logical_id, id) in &self.resources {
            let now = later.resources.get(logical_id);
            ensure!(now == Some(id), "{logical_id}: {id} became {now:?}");
        }
        Ok(())
    }
}

/// Gives the user more than the stack does. A check of everything undoes that.
fn widen(bench: &Bench<'_>, user: &str) -> anyhow::Result<()> {
    let wide = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let wide = wide.to_string();
    let named = ["--user-name", user, "--policy-name", POLICY];
    let put = ["iam", "put-user-policy", "--policy-document", &wide];
    bench.account.json(put.into_iter().chain(named))?;
    Ok(())
}
