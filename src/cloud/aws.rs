//! The port over AWS's SDK: the only module that names it.
//!
//! Each module below implements one trait of the port, call by call. The same rules hold for all: every error passes [`error`], what AWS asks to repeat is repeated
//! ([`retry`]), and half an answer is none ([`complete`]).

mod attachments;
mod complete;
mod error;
mod keys;
mod objects;
mod retry;
mod secrets;
mod stacks;
mod topics;
mod users;

pub use self::topics::Topics;

use std::time::SystemTime;

use aws_config::{BehaviorVersion, SdkConfig};

use self::complete::CompleteDocument;
use super::Cloud;

/// AWS, as the function reaches it. Made once and kept: its clients share one pool of connections.
#[derive(Debug)]
pub struct Aws {
    iam: aws_sdk_iam::Client,
    secrets: aws_sdk_secretsmanager::Client,
    cloudformation: aws_sdk_cloudformation::Client,
    s3: aws_sdk_s3::Client,
    sts: aws_sdk_sts::Client,
}

impl Aws {
    /// Reads region, endpoints and credentials where every SDK reads them, which in a function is its environment.
    /// Sends nothing: the first call fetches the credentials.
    pub async fn load() -> Self {
        Self::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
    }

    /// The same, and SNS with the same configuration.
    pub async fn load_with_topics() -> (Self, Topics) {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        (Self::new(&config), Topics::new(&config))
    }

    /// Uses the given configuration, with this crate's time limits and retries.
    pub fn new(config: &SdkConfig) -> Self {
        let config = config
            .to_builder()
            .timeout_config(retry::timeouts())
            .retry_config(retry::retries())
            .build();
        let iam = aws_sdk_iam::config::Builder::from(&config)
            .retry_classifier(retry::RetryIamConflicts)
            .interceptor(CompleteDocument);
        let secrets = aws_sdk_secretsmanager::config::Builder::from(&config)
            .retry_classifier(retry::NoRetryOnQuota);
        let cloudformation =
            aws_sdk_cloudformation::config::Builder::from(&config).interceptor(CompleteDocument);
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(CompleteDocument);
        Self {
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            secrets: aws_sdk_secretsmanager::Client::from_conf(secrets.build()),
            cloudformation: aws_sdk_cloudformation::Client::from_conf(cloudformation.build()),
            s3: objects::s3(&config),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
        }
    }
}

impl Cloud for Aws {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
