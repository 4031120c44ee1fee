//! What both functions are told by their environment and by Lambda.

use super::response_url::ResponseOrigins;

#[derive(Clone, Debug)]
pub struct Settings {
    /// The function's handler, which Lambda sets as `_HANDLER`: which of the two functions this is.
    pub handler: String,
    /// The one stack that the function serves, from `STACK_ID`. Without it, every event is refused.
    pub stack_id: Option<String>,
    /// The release that the template was made for, from `RELEASE`.
    pub release: Option<String>,
    /// The partition's DNS suffix, from `URL_SUFFIX` (`AWS::URLSuffix`).
    pub url_suffix: String,
    /// The prefix that every user name must have, because the function's role reaches no other; may be empty.
    pub user_name_prefix: String,
    pub response_origins: ResponseOrigins,
    /// The invocation's log stream; empty if unknown.
    pub log_stream: String,
    pub invocation_id: String,
}

/// The handler of the function that answers CloudFormation.
pub const CUSTOM_RESOURCE: &str = "custom-resource";

/// The handler of the function that looks after the pair between deployments.
pub const MAINTENANCE: &str = "maintenance";

impl Settings {
    /// Reads the settings; `variable` looks up an environment variable, and `invocation_id` is Lambda's request id.
    ///
    /// Nothing here fails. A setting that makes work impossible is refused later, when there is somebody to answer.
    pub fn read(variable: impl Fn(&str) -> Option<String>, invocation_id: &str) -> Self {
        let text = |name| variable(name).unwrap_or_default();
        let given = |name| variable(name).filter(|text| !text.is_empty());
        let url_suffix = given("URL_SUFFIX").unwrap_or_else(|| "amazonaws.com".to_owned());
        Self {
            handler: text("_HANDLER"),
            response_origins: ResponseOrigins::new(&url_suffix, &text("EXTRA_RESPONSE_ORIGINS")),
            url_suffix,
            user_name_prefix: text("USER_NAME_PREFIX"),
            log_stream: text("AWS_LAMBDA_LOG_STREAM_NAME"),
            invocation_id: invocation_id.to_owned(),
            stack_id: given("STACK_ID"),
            release: given("RELEASE"),
        }
    }
}
