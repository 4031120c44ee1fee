//! Between deployments: the daily check, and the messages.

mod faults;
mod findings;
mod messages;
mod years;

use publisher_s3_access::cloud::Message;
use serde_json::{Value, json};

use crate::scene::{SECRET, Scene};
use kit::rotation::Rotated;

/// A created stack that is checked, without a schedule.
async fn watched() -> (Scene, Rotated) {
    looked_after(Scene::created().await)
}

fn looked_after(scene: Scene) -> (Scene, Rotated) {
    let secret = Rotated::without_schedule(&scene.account, SECRET);
    (scene, secret)
}

/// The messages of one day's check. Fails the test if the check could not be made, or changed something.
async fn check(scene: &Scene, secret: &Rotated) -> Vec<Message> {
    let before = scene.everything();
    scene.account.take_messages();
    let ended = secret.invoke(&scene.process(), &secret.daily()).await;
    assert_eq!(ended, Some(Ok(())));
    assert_eq!(scene.everything(), before, "a check changes nothing");
    scene.account.take_messages()
}

/// The answer to a person. Nobody is notified.
async fn ask(scene: &Scene, secret: &Rotated) -> Value {
    scene.account.take_messages();
    let asked = secret.ask(&scene.process(), &json!({"check": {}})).await;
    assert_eq!(scene.account.take_messages(), []);
    asked.expect("it lives").expect("the check is made")
}
