//! What CloudFormation sends, read in two stages: first where to send the answer ([`Envelope`]), then what to do
//! ([`Request`]).

mod envelope;
mod request;

pub use envelope::{Channel, Envelope, EnvelopeError};
pub use request::{Action, Request};
