//! What people do to a resource besides updating it: take it out of the template, put it back, and go on without a
//! rollback.

use serde_json::Value;

use super::{Answer, Outcome, Resource, Stack};

impl Stack {
    /// An update that takes the resource out of the template: its Delete comes in the clean-up.
    pub async fn remove(&mut self, run: &mut impl AsyncFnMut(Value) -> Option<Value>) -> Outcome {
        self.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE");
        let gone = self.remove_resource(run).await;
        self.stack_is("UPDATE_COMPLETE");
        if gone {
            Outcome::Complete
        } else {
            Outcome::Blocked
        }
    }

    /// The same with `DeletionPolicy: Retain`: no request is sent.
    pub fn retain(&mut self) {
        self.set("UPDATE_COMPLETE", "DELETE_SKIPPED");
    }

    /// An update that puts the resource into the template, under the logical id that it may have had before.
    pub async fn add(
        &mut self,
        properties: Value,
        run: &mut impl AsyncFnMut(Value) -> Option<Value>,
    ) -> Outcome {
        self.resource = None;
        self.set("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS");
        let event = self.request("Create", None, &properties, None);
        let answer = self.deliver(event, run).await;
        let physical_id = answer.as_ref().map_or("", Answer::physical_id).to_owned();
        self.resource = Some(Resource {
            physical_id,
            properties,
        });
        if answer.is_some_and(|answer| answer.succeeded()) {
            self.set("UPDATE_COMPLETE", "CREATE_COMPLETE");
            Outcome::Complete
        } else {
            self.set("UPDATE_FAILED", "CREATE_FAILED");
            Outcome::Blocked
        }
    }

    /// An update with `--disable-rollback`. After a failure, everything stays as it is until the next update.
    pub async fn update_for_good(
        &mut self,
        properties: Value,
        run: &mut impl AsyncFnMut(Value) -> Option<Value>,
    ) -> Outcome {
        let before = self.resource.clone().expect("the stack is there");
        self.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
        let Resource {
            physical_id: id,
            properties: old,
        } = &before;
        let event = self.request("Update", Some(id), &properties, Some(old));
        let answer = self.deliver(event, run).await;
        let physical_id = answer.as_ref().map_or(id.as_str(), Answer::physical_id);
        self.resource = Some(Resource {
            physical_id: physical_id.to_owned(),
            properties,
        });
        if !answer.is_some_and(|answer| answer.succeeded()) {
            self.set("UPDATE_FAILED", "UPDATE_FAILED");
            return Outcome::Blocked;
        }
        self.set("UPDATE_COMPLETE", "UPDATE_COMPLETE");
        Outcome::Complete
    }
}
