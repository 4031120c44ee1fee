//! An impossible plan: the request fails loudly, and never ends as if all were well.

use std::iter;
use std::time::Duration;

use publisher_s3_access::deadline::Deadline;
use publisher_s3_access::observe::{self, buckets_to_find};
use publisher_s3_access::ownership::{Owner, StackId};
use publisher_s3_access::plan::{self, Access, Change, Goal, Plan, Step};
use publisher_s3_access::properties::Desired;
use publisher_s3_access::run::{Run, Serves};
use publisher_s3_access::settle::{ApplyError, RunError, settle};
use publisher_s3_access::waits::{INVOCATION, ProofTimeouts};
use serde_json::json;

use crate::scene::{Scene, properties_with};

/// Creates the pair with a plan that lacks these steps.
async fn create_without(scene: &Scene, dropped: impl Fn(&Step) -> bool) -> RunError {
    let owner = Owner {
        stack: StackId::parse(&scene.owner().stack_id).expect("an id"),
        logical_id: scene.owner().logical_id.clone(),
    };
    let cloud = scene.stack.cloud();
    let (timeouts, deadline) = (ProofTimeouts::default(), Deadline::after(INVOCATION));
    let run = Run::new(&cloud, &owner, Serves::AnyStack, timeouts, deadline);
    let partition = owner.stack.partition();
    let verify = json!({"VerifyAccess": "false"});
    let desired = Desired::parse(&properties_with(verify), partition).expect("good ones");
    let document = desired
        .policy_document(partition, "amazonaws.com")
        .expect("short");
    let goal = Goal {
        owner: &owner,
        desired: &desired,
        document: &document,
        change: Change::Fresh,
        release: None,
        access: Access::Same,
    };
    let buckets = buckets_to_find(&desired.buckets, desired.verification);
    let settled = settle(
        &run,
        iter::repeat_n(Duration::from_secs(1), 3),
        async || Ok(observe::for_provision(&run, &desired.user, &buckets).await?),
        |observed| {
            let mut plan: Plan = plan::provision(&goal, observed)?;
            for stage in &mut plan.stages {
                stage.retain(|step| !dropped(step));
            }
            Ok(plan)
        },
    );
    settled.await.expect_err("a plan that cannot be")
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_not_made_is_a_defect_and_no_success() {
    let mut scene = Scene::new().await;
    scene.stack.begin_create(&properties_with(json!({})));
    let error = create_without(&scene, |step| matches!(step, Step::MakeKey(_))).await;
    assert!(
        matches!(&error, RunError::Apply(ApplyError::Defect(_))),
        "{error}"
    );
    assert!(error.to_string().contains("defect"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_was_not_made_is_a_defect_and_no_success() {
    let mut scene = Scene::new().await;
    scene.stack.begin_create(&properties_with(json!({})));
    let error = create_without(&scene, |step| matches!(step, Step::CreateSecret(_))).await;
    assert!(
        matches!(&error, RunError::Apply(ApplyError::Defect(_))),
        "{error}"
    );
}
