//! The function's settings, from its environment and from Lambda.

use std::time::Duration;

use crate::names::{Arn, Partition};
use crate::response_url::ResponseOrigins;
use crate::run::Serves;
use crate::waits::ProofTimeouts;

/// The function's settings in one invocation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the function runs; `None` if its ARN cannot be read. Events from elsewhere are refused. If this is
    /// unknown, all events are.
    pub home: Option<Home>,
    /// The partition's DNS suffix, `AWS::URLSuffix`.
    pub url_suffix: String,
    /// The prefix that every user name must have, because the function's role reaches no other; may be empty.
    pub user_name_prefix: String,
    /// Where answers may go.
    pub response_origins: ResponseOrigins,
    /// The invocation's log stream; empty if unknown.
    pub log_stream: String,
    /// Lambda's id of this invocation.
    pub invocation_id: String,
    /// Whether the AWS SDK was told to log request and response bodies.
    pub body_logging: BodyLogging,
    /// How long a proof waits for IAM.
    pub proof_timeouts: ProofTimeouts,
    /// The one stack that the function serves, from `STACK_ID`. `None` means every stack of its account and region.
    pub stack_id: Option<String>,
    /// The release that the template was made for, from `RELEASE`.
    pub release: Option<String>,
}

/// Where the function runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    pub partition: Partition,
    pub region: String,
    pub account: String,
}

/// Whether the AWS SDK logs bodies, which hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLogging {
    /// It does not, which is the default.
    Off,
    /// `LOG_SENSITIVE_BODIES` is set.
    On,
}

/// What Lambda says about an invocation.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// Lambda's request id.
    pub id: &'a str,
    /// The ARN the function was invoked by.
    pub function_arn: &'a str,
}

impl Settings {
    /// Which stacks the function serves.
    #[must_use]
    pub fn serves(&self) -> Serves {
        match self.stack_id {
            Some(_) => Serves::OneStack,
            None => Serves::AnyStack,
        }
    }

    /// Reads the settings; `variable` looks up an environment variable.
    ///
    /// Nothing here fails. A setting that makes work impossible is refused later, when there is somebody to answer.
    #[must_use]
    pub fn read(variable: impl Fn(&str) -> Option<String>, invocation: Invocation<'_>) -> Self {
        let Invocation { id, function_arn } = invocation;
        let text = |name| variable(name).unwrap_or_default();
        // `cargo lambda watch` gives no ARN. Unset in the template; where Lambda gives one, that counts.
        let home =
            Home::of_function(function_arn).or_else(|| Home::of_function(&text("FUNCTION_ARN")));
        let url_suffix = match (text("URL_SUFFIX"), &home) {
            (given, _) if !given.is_empty() => given,
            (_, Some(home)) if home.partition.as_str() == "aws-cn" => "amazonaws.com.cn".to_owned(),
            (_, _) => "amazonaws.com".to_owned(),
        };
        Self {
            response_origins: ResponseOrigins::new(&url_suffix, &text("EXTRA_RESPONSE_ORIGINS")),
            home,
            url_suffix,
            user_name_prefix: text("USER_NAME_PREFIX"),
            log_stream: text("AWS_LAMBDA_LOG_STREAM_NAME"),
            invocation_id: id.to_owned(),
            body_logging: match variable("LOG_SENSITIVE_BODIES") {
                Some(_) => BodyLogging::On,
                None => BodyLogging::Off,
            },
            proof_timeouts: proof_timeouts(|name| variable(name)?.parse().ok()),
            stack_id: variable("STACK_ID").filter(|id| !id.is_empty()),
            release: variable("RELEASE").filter(|release| !release.is_empty()),
        }
    }
}

/// `KEY_KNOWN_SECONDS` and `POLICY_ALLOWED_SECONDS` shorten a proof in tests, where nothing lags. The template does not
/// set them.
fn proof_timeouts(seconds: impl Fn(&str) -> Option<u64>) -> ProofTimeouts {
    let ProofTimeouts {
        known,
        allowed,
        allowed_by_others,
    } = ProofTimeouts::default();
    let or = |name, default| seconds(name).map_or(default, Duration::from_secs);
    let allowed = or("POLICY_ALLOWED_SECONDS", allowed);
    ProofTimeouts {
        known: or("KEY_KNOWN_SECONDS", known),
        allowed,
        allowed_by_others: allowed_by_others.min(allowed),
    }
}

impl Home {
    /// Reads `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:VERSION]`; `None` for anything else.
    fn of_function(arn: &str) -> Option<Self> {
        let Arn {
            partition,
            service: "lambda",
            region,
            account,
            resource,
        } = Arn::split(arn)?
        else {
            return None;
        };
        let known = resource.starts_with("function:") && !region.is_empty() && !account.is_empty();
        known.then_some(Self {
            partition: Partition::parse(partition).ok()?,
            region: region.to_owned(),
            account: account.to_owned(),
        })
    }
}
