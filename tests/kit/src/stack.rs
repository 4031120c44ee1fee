//! A CloudFormation with one custom resource in one stack: it makes the events, checks the answers, and sends what
//! CloudFormation sends after them. It also sets how the account's `DescribeStackResource` sees the resource.

mod changes;

use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value, json};

use super::account::{ACCOUNT, Account, Owner, REGION};

/// The function behind the resource.
const SERVICE_TOKEN: &str = "arn:aws:lambda:us-east-1:111122223333:function:publisher-s3-access";
/// How long CloudFormation waits for an answer.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long Lambda waits before it repeats a failed asynchronous invocation, first and second time.
const REPEATS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// The logical id of the resource.
pub const LOGICAL_ID: &str = "S3Access";

/// A stack.
pub struct Stack {
    account: Account,
    owner: Owner,
    life: u32,
    requests: u32,
    resource: Option<Resource>,
    /// The update whose rollback failed.
    stuck: Option<Attempt>,
    history: Vec<Exchange>,
}

/// The resource as CloudFormation recorded it last.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub physical_id: String,
    pub properties: Value,
}

/// An update under way: its old and its new properties.
#[derive(Clone)]
struct Attempt {
    good: Resource,
    /// The id that is recorded now, with the properties that were tried.
    tried: Resource,
}

/// A request and what was answered in time.
#[derive(Clone)]
pub struct Exchange {
    pub event: Value,
    pub answer: Option<Answer>,
}

/// The body that was put.
#[derive(Clone, Debug)]
pub struct Answer(pub Value);

/// How an operation on the stack ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As asked for.
    Complete,
    /// It failed, and all is as before.
    RolledBack,
    /// The stack is blocked: `ROLLBACK_FAILED`, `UPDATE_ROLLBACK_FAILED` or `DELETE_FAILED`.
    Blocked,
}

/// What the rest of the stack does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Every other resource succeeds.
    Succeed,
    /// One of them fails after ours has succeeded.
    Fail,
}

impl Answer {
    pub fn succeeded(&self) -> bool {
        self.0["Status"] == "SUCCESS"
    }

    pub fn physical_id(&self) -> &str {
        self.0["PhysicalResourceId"].as_str().unwrap_or_default()
    }

    pub fn reason(&self) -> &str {
        self.0["Reason"].as_str().unwrap_or_default()
    }

    pub fn data(&self) -> &Value {
        &self.0["Data"]
    }
}

impl Stack {
    /// A stack of this name that was never created.
    pub fn new(account: &Account, name: &str) -> Self {
        let owner = Owner {
            stack_id: stack_id(name, 1),
            logical_id: LOGICAL_ID.to_owned(),
        };
        let (requests, resource, stuck, history) = (0, None, None, Vec::new());
        Self {
            account: account.clone(),
            owner,
            life: 1,
            requests,
            resource,
            stuck,
            history,
        }
    }

    /// The same stack in a copy of its account.
    pub fn fork(&self, account: &Account) -> Self {
        Self {
            account: account.clone(),
            owner: self.owner.clone(),
            life: self.life,
            requests: self.requests,
            resource: self.resource.clone(),
            stuck: self.stuck.clone(),
            history: self.history.clone(),
        }
    }

    /// The same name with another GUID, as after deleting and creating the stack again.
    pub fn reborn(&self) -> Self {
        let name = self.owner.stack_id.split('/').nth(1).unwrap_or_default();
        let life = self.life + 1;
        let owner = Owner {
            stack_id: stack_id(name, life),
            logical_id: LOGICAL_ID.to_owned(),
        };
        Self {
            owner,
            life,
            ..Self::new(&self.account, name)
        }
    }

    /// The account as the stack's function acts on it. Touching anything that is not the stack's fails the test.
    pub fn cloud(&self) -> Account {
        self.account.acting_for(self.owner.clone())
    }

    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    pub fn resource(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    /// Every request so far with its answer.
    pub fn history(&self) -> &[Exchange] {
        &self.history
    }

    /// The last answer that came.
    pub fn last_answer(&self) -> Option<&Answer> {
        self.history
            .iter()
            .rev()
            .find_map(|exchange| exchange.answer.as_ref())
    }

    /// Creates the stack.
    pub async fn create(
        &mut self,
        properties: Value,
        others: Others,
        run: &mut impl AsyncFnMut(Value) -> Option<Value>,
    ) -> Outcome {
        assert!(self.resource.is_none(), "the stack is there");
        let event = self.begin_create(&properties);
        let answer = self.deliver(event, run).await;
        let physical_id = match &answer {
            Some(answer) => answer.physical_id().to_owned(),
            None => self.invented_id(),
        };
        self.resource = Some(Resource {
            physical_id,
            properties,
        });
        if answer.is_some_and(|answer| answer.succeeded()) && others == Others::Succeed {
            self.set("CREATE_COMPLETE", "CREATE_COMPLETE");
            return Outcome::Complete;
        }
        self.set("ROLLBACK_IN_PROGRESS", "CREATE_FAILED");
        if self.remove_resource(run).await {
            self.stack_is("ROLLBACK_COMPLETE");
            Outcome::RolledBack
        } else {
            self.set("ROLLBACK_FAILED", "DELETE_FAILED");
            Outcome::Blocked
        }
    }

    /// Updates the stack.
    pub async fn update(
        &mut self,
        properties: Value,
        others: Others,
        run: &mut impl AsyncFnMut(Value) -> Option<Value>,
    ) -> Outcome {
        let good = self.resource.clone().expect("the stack is there");
        self.set("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS");
        let event = self.request(
            "Update",
            Some(&good.physical_id),
            &properties,
            Some(&good.properties),
        );
        let answer = self.deliver(event, run).await;
        // CloudFormation records the id of a failed update as well.
        let physical_id = answer
            .as_ref()
            .map_or(good.physical_id.as_str(), Answer::physical_id)
            .to_owned();
        let tried = Resource {
            physical_id,
            properties,
        };
        if answer.is_some_and(|answer| answer.succeeded()) && others == Others::Succeed {
            self.resource = Some(tried.clone());
            self.set("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE");
            if good.physical_id != tried.physical_id {
                self.clean_up(&good, run).await;
            }
            self.set("UPDATE_COMPLETE", "UPDATE_COMPLETE");
            return Outcome::Complete;
        }
        self.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_FAILED");
        self.roll_back(Attempt { good, tried }, run).await
    }

    /// Continues a rollback that failed.
    pub async fn continue_rollback(
        &mut self,
        run: &mut impl AsyncFnMut(Value) -> Option<Value>,
    ) -> Outcome {
        let attempt = self.stuck.take().expect("a rollback has failed");
        self.roll_back(attempt, run).await
    }

    /// Whether a rollback has failed.
    pub fn is_stuck(&self) -> bool {
        self.stuck.is_some()
    }

    /// Deletes the stack, a second time if that failed.
    pub async fn delete(&mut self, run: &mut impl AsyncFnMut(Value) -> Option<Value>) -> Outcome {
        self.stack_is("DELETE_IN_PROGRESS");
        if !self.remove_resource(run).await {
            self.set("DELETE_FAILED", "DELETE_FAILED");
            return Outcome::Blocked;
        }
        self.account.forget_stack(&self.owner.stack_id);
        Outcome::Complete
    }

    /// The Create event, with the stack in progress; for tests that deliver it themselves.
    pub fn begin_create(&mut self, properties: &Value) -> Value {
        self.set("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS");
        self.request("Create", None, properties, None)
    }

    /// The Delete event after another resource failed while ours is being created. It carries an invented id.
    pub fn cancel_create(&mut self, properties: &Value) -> Value {
        self.set("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS");
        let invented = self.invented_id();
        self.request("Delete", Some(&invented), properties, None)
    }

    /// Says how CloudFormation sees stack and resource.
    pub fn set(&self, stack: &str, resource: &str) {
        self.stack_is(stack);
        let physical_id = self
            .resource
            .as_ref()
            .map_or("", |resource| resource.physical_id.as_str());
        self.account.set_resource(
            &self.owner.stack_id,
            &self.owner.logical_id,
            resource,
            physical_id,
        );
    }

    /// A request as CloudFormation writes it: every scalar is a string.
    pub fn request(
        &mut self,
        kind: &str,
        physical_id: Option<&str>,
        properties: &Value,
        old: Option<&Value>,
    ) -> Value {
        self.requests += 1;
        let request_id = format!("{:08x}-0000-4000-8000-{:012x}", self.life, self.requests);
        let Owner {
            stack_id,
            logical_id,
        } = &self.owner;
        let mut event = json!({
            "RequestType": kind,
            "RequestId": request_id,
            "ResponseURL": self.response_url(&request_id),
            "ServiceToken": SERVICE_TOKEN,
            "StackId": stack_id,
            "LogicalResourceId": logical_id,
            "ResourceType": "Custom::PublisherS3Access",
            "ResourceProperties": as_sent(properties),
        });
        if let Some(id) = physical_id {
            event["PhysicalResourceId"] = json!(id);
        }
        if let Some(old) = old {
            event["OldResourceProperties"] = as_sent(old);
        }
        event
    }

    /// Hands the event to the function, with Lambda's repeats, until an answer comes or time is up.
    pub async fn deliver(
        &mut self,
        event: Value,
        run: &mut impl AsyncFnMut(Value) -> Option<Value>,
    ) -> Option<Answer> {
        let deadline = tokio::time::Instant::now() + SERVICE_TIMEOUT;
        self.account.note(format_args!(
            "-- {} {}",
            event["RequestType"], event["PhysicalResourceId"]
        ));
        let mut answer = run(event.clone()).await;
        for pause in REPEATS {
            if answer.is_none() {
                tokio::time::sleep(pause).await;
                self.account.note("-- repeated by Lambda");
                answer = run(event.clone()).await;
            }
        }
        if answer.is_none() {
            tokio::time::sleep_until(deadline).await;
        }
        let answer = answer.map(Answer);
        if let Some(answer) = &answer {
            self.account.note(format_args!(
                "-- answered {} {}",
                answer.0["Status"],
                answer.reason()
            ));
            for fault in faults_of(answer, &event) {
                self.account.violated(fault);
            }
        }
        self.history.push(Exchange {
            event,
            answer: answer.clone(),
        });
        answer
    }

    async fn roll_back(
        &mut self,
        attempt: Attempt,
        run: &mut impl AsyncFnMut(Value) -> Option<Value>,
    ) -> Outcome {
        self.set("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS");
        let Attempt { good, tried } = attempt;
        self.resource = Some(Resource {
            physical_id: tried.physical_id.clone(),
            properties: good.properties.clone(),
        });
        let event = self.request(
            "Update",
            Some(&tried.physical_id),
            &good.properties,
            Some(&tried.properties),
        );
        let answer = match self.deliver(event, run).await {
            Some(answer) if answer.succeeded() => answer,
            failed => {
                self.set("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED");
                let physical_id =
                    failed.map_or(tried.physical_id, |failed| failed.physical_id().to_owned());
                self.stuck = Some(Attempt {
                    good,
                    tried: Resource {
                        physical_id,
                        ..tried
                    },
                });
                return Outcome::Blocked;
            }
        };
        let physical_id = answer.physical_id().to_owned();
        self.resource = Some(Resource {
            physical_id: physical_id.clone(),
            properties: good.properties,
        });
        self.set(
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_COMPLETE",
        );
        if physical_id != tried.physical_id {
            self.clean_up(&tried, run).await;
        }
        self.set("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE");
        Outcome::RolledBack
    }

    /// The Delete of what was replaced. A failure is only reported, because CloudFormation forgets the resource anyway.
    async fn clean_up(
        &mut self,
        replaced: &Resource,
        run: &mut impl AsyncFnMut(Value) -> Option<Value>,
    ) {
        let event = self.request(
            "Delete",
            Some(&replaced.physical_id),
            &replaced.properties,
            None,
        );
        let _ = self.deliver(event, run).await;
    }

    /// Sends the Delete of the resource, if there is one, and says whether it is gone.
    async fn remove_resource(&mut self, run: &mut impl AsyncFnMut(Value) -> Option<Value>) -> bool {
        let Some(Resource {
            physical_id,
            properties,
        }) = self.resource.clone()
        else {
            return true;
        };
        self.account.set_resource(
            &self.owner.stack_id,
            &self.owner.logical_id,
            "DELETE_IN_PROGRESS",
            &physical_id,
        );
        let event = self.request("Delete", Some(&physical_id), &properties, None);
        let gone = self
            .deliver(event, run)
            .await
            .is_some_and(|answer| answer.succeeded());
        if gone {
            self.resource = None;
            let Owner {
                stack_id,
                logical_id,
            } = &self.owner;
            self.account.forget_resource(stack_id, logical_id);
        }
        gone
    }

    fn stack_is(&self, status: &str) {
        self.account.set_stack(&self.owner.stack_id, status);
    }

    /// The id that CloudFormation invents if no answer gave one.
    fn invented_id(&self) -> String {
        let name = self.owner.stack_id.split('/').nth(1).unwrap_or_default();
        format!(
            "{name}-{}-{:0>12}",
            self.owner.logical_id,
            format!("{:X}Q", self.requests)
        )
    }

    fn response_url(&self, request_id: &str) -> String {
        let Owner {
            stack_id,
            logical_id,
        } = &self.owner;
        // It takes a moment until the function is invoked.
        let issued = DateTime::from(self.account.time() - Duration::from_secs(1))
            .fmt(Format::DateTime)
            .expect("a date of this century");
        let issued = issued.replace(['-', ':'], "");
        let key = format!("{stack_id}|{logical_id}|{request_id}")
            .replace(':', "%3A")
            .replace('|', "%7C");
        format!(
            "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/{key}\
             ?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={issued}&X-Amz-SignedHeaders=host&X-Amz-Expires=7200\
             &X-Amz-Credential=AKIAEXAMPLE%2F20261101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=5167a7u2e"
        )
    }
}

fn stack_id(name: &str, life: u32) -> String {
    format!(
        "arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{life:08x}-1111-11f1-8000-0a1b2c3d4e5f"
    )
}

/// The properties as they arrive, with the service token and every scalar as a string.
fn as_sent(properties: &Value) -> Value {
    let mut sent = as_strings(properties);
    if let Value::Object(sent) = &mut sent {
        sent.insert("ServiceToken".to_owned(), json!(SERVICE_TOKEN));
    }
    sent
}

fn as_strings(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), as_strings(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(as_strings).collect()),
        Value::String(text) => json!(text),
        Value::Null => Value::Null,
        scalar @ (Value::Bool(_) | Value::Number(_)) => json!(scalar.to_string()),
    }
}

/// Why CloudFormation would reject the answer.
fn faults_of(Answer(body): &Answer, event: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for field in ["StackId", "RequestId", "LogicalResourceId"] {
        if body[field] != event[field] {
            faults.push(format!("the answer has another {field}: {}", body[field]));
        }
    }
    let id = body["PhysicalResourceId"].as_str().unwrap_or_default();
    if id.is_empty() || id.len() > 1024 {
        faults.push(format!("Invalid PhysicalResourceId: `{id}`"));
    }
    if event["RequestType"] == "Delete" && body["PhysicalResourceId"] != event["PhysicalResourceId"]
    {
        faults.push(format!("a Delete was answered with another id: `{id}`"));
    }
    match body["Status"].as_str() {
        Some("SUCCESS") => {}
        Some("FAILED") => {
            let reason = body["Reason"].as_str().unwrap_or_default();
            if reason.is_empty() || reason.contains('\n') {
                faults.push(format!("FAILED needs a reason in one line: `{reason}`"));
            }
        }
        _ => faults.push(format!("no status: {}", body["Status"])),
    }
    let text = body.to_string();
    if text.len() > 4096 {
        faults.push(format!("Response object is too long: {} bytes", text.len()));
    }
    if text.contains(":null") {
        faults.push(format!("null in the answer: {text}"));
    }
    if text.contains("s3cr3t/+") {
        faults.push("the answer contains a secret key".to_owned());
    }
    let data = body["Data"]
        .as_object()
        .into_iter()
        .flat_map(|data| data.values());
    if data.into_iter().any(|value| !value.is_string()) {
        faults.push(format!("Data must be strings: {}", body["Data"]));
    }
    faults
}
