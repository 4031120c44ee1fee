//! What CloudFormation sends, read in two stages: first whom to answer ([`Envelope`]), then what to do ([`Request`]).

mod envelope;
mod request;
mod response_url;

pub use envelope::{Channel, Envelope, Unanswerable};
pub use request::{PhysicalId, Request};
pub use response_url::{ResponseOrigins, ResponseUrl, UrlRefused};
