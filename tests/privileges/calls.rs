//! Requests as IAM sees them.

use serde_json::Value;

use kit::policy_check::{Decision, Request};

/// A request: the action, the resource and the condition keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// A key with several values appears several times.
    pub(crate) context: Vec<(String, String)>,
    /// The stack for which it is made.
    pub(crate) stack: Deployed,
}

/// A stack, and the user that its template names when a call is made. The role may make keys for no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deployed {
    pub(crate) id: String,
    pub(crate) user: String,
}

impl Deployed {
    pub(crate) fn new(id: &str, user: &str) -> Self {
        Self {
            id: id.to_owned(),
            user: user.to_owned(),
        }
    }
}

impl Call {
    pub(crate) fn new(action: &str, resource: &str, stack: &Deployed) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: Vec::new(),
            stack: stack.clone(),
        }
    }

    pub(crate) fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.context.push((key.into(), value.into()));
        self
    }

    pub(crate) fn with_all(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.context.extend(pairs);
        self
    }

    /// What identity policies say about it.
    pub(crate) fn judged<'d>(&self, documents: impl IntoIterator<Item = &'d Value>) -> Decision {
        let request = Request::new(&self.action, &self.resource);
        let context = self.context.iter();
        let request = context.fold(request, |request, (key, value)| request.with(key, value));
        request.judged(documents)
    }
}
