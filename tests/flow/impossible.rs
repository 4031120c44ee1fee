//! An impossible plan: the request fails loudly, and never ends as if all were well.

use publisher_s3_access::apply::settle;

use publisher_s3_access::observe::{self, Invocation, Progress, Refusal};
use publisher_s3_access::plan::policy::PolicyDocument;
use publisher_s3_access::plan::{self, Change, Goal, Step};
use publisher_s3_access::request::owner::{Owner, StackId};
use publisher_s3_access::request::properties::Desired;
use publisher_s3_access::waits::{Deadline, INVOCATION};
use serde_json::json;

use crate::scene::{Scene, properties_with};

#[tokio::test(start_paused = true)]
async fn a_secret_that_no_step_makes_is_a_defect_and_no_success() {
    let mut scene = Scene::new().await;
    let properties = properties_with(json!({}));
    scene.stack.begin_create(&properties);
    let owner = Owner {
        stack: StackId::parse(&scene.owner().stack_id).expect("an id"),
        logical_id: scene.owner().logical_id.clone(),
    };
    let desired = Desired::parse(&properties, owner.stack.partition()).expect("good ones");
    let deadline = Deadline::after(INVOCATION);
    let invocation = Invocation {
        cloud: &scene.stack.cloud(),
        owner: &owner,
        sent: None,
        deadline,
    };
    let goal = Goal {
        owner: &owner,
        desired: &desired,
        change: Change::Fresh,
        release: None,
        document: &PolicyDocument::of(&desired, owner.stack.partition(), "amazonaws.com")
            .expect("it fits"),
        sent: None,
    };
    let mut progress = Progress::new(deadline);
    let settled = settle(
        &invocation,
        &mut progress,
        async |progress| observe::for_provision(&invocation, progress, &desired.user, &[]).await,
        |observed, progress| {
            let mut plan = plan::provision(&goal, observed, progress)?;
            for stage in &mut plan.stages {
                stage.retain(|step| !matches!(step, Step::CreateSecret(_)));
            }
            Ok(plan)
        },
    );
    let refusal = settled.await.expect_err("a plan that cannot be");
    assert!(matches!(&refusal, Refusal::Defect(_)), "{refusal}");
}
