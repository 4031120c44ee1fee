//! The other end of the wire: plays answers as AWS sends them, and records the requests.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::Frame;
use publisher_s3_access::cloud::aws::{Aws, Topics};

/// The answer to one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A whole HTTP answer.
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// An HTTP answer whose body breaks off after this much.
    BrokenOff { status: u16, body: String },
    /// Nothing, ever.
    Silence,
    /// The connection breaks.
    BrokenConnection,
}

/// An answer with this status and body, and a request id as AWS gives one.
pub(crate) fn reply(status: u16, body: impl Into<String>) -> Answer {
    Answer::Reply {
        status,
        headers: vec![("x-amzn-requestid", "request-1".to_owned())],
        body: body.into(),
    }
}

/// An answer without a body, such as every answer to a HEAD, with one header.
pub(crate) fn header_only(status: u16, header: &'static str, value: &str) -> Answer {
    Answer::Reply {
        status,
        headers: vec![(header, value.to_owned())],
        body: String::new(),
    }
}

/// An answer with a body and one header.
pub(crate) fn with_header(status: u16, header: &'static str, value: &str, body: &str) -> Answer {
    Answer::Reply {
        status,
        headers: vec![(header, value.to_owned())],
        body: body.to_owned(),
    }
}

/// A refusal in the XML of the Query protocol: IAM, STS, CloudFormation.
pub(crate) fn query_error(status: u16, code: &str, message: &str) -> Answer {
    reply(
        status,
        format!(
            "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n  <Error>\n    <Type>Sender</Type>\n    \
             <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
             <RequestId>request-1</RequestId>\n</ErrorResponse>\n"
        ),
    )
}

/// A refusal in Secrets Manager's JSON.
pub(crate) fn json_error(status: u16, code: &str, message: &str) -> Answer {
    reply(
        status,
        serde_json::json!({ "__type": code, "Message": message }).to_string(),
    )
}

/// A refusal in S3's XML.
pub(crate) fn s3_error(status: u16, code: &str, message: &str) -> Answer {
    reply(
        status,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>request-1</RequestId><HostId>host</HostId></Error>"
        ),
    )
}

/// A success of the Query protocol with this inside its result element.
pub(crate) fn query_result(operation: &str, inside: &str) -> Answer {
    reply(
        200,
        format!(
            "<{operation}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{operation}Result>{inside}\
             </{operation}Result><ResponseMetadata><RequestId>request-1</RequestId></ResponseMetadata>\
             </{operation}Response>\n"
        ),
    )
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) body: String,
}

impl Sent {
    /// The operation: the action of the Query protocol, or Secrets Manager's target.
    pub(crate) fn action(&self) -> &str {
        let query = self
            .body
            .strip_prefix("Action=")
            .and_then(|rest| rest.split('&').next());
        let target = self
            .target
            .as_deref()
            .and_then(|target| target.split('.').next_back());
        query.or(target).unwrap_or(&self.method)
    }
}

/// The script of one test, and the record of the requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    script: Arc<Mutex<VecDeque<Answer>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
    for_ever: Option<Answer>,
}

impl Wire {
    /// Plays these answers in order. One more request fails the test.
    pub(crate) fn playing(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            script: Arc::new(Mutex::new(answers.into_iter().collect())),
            ..Self::default()
        }
    }

    /// Gives this answer to every request.
    pub(crate) fn always(answer: Answer) -> Self {
        Self {
            for_ever: Some(answer),
            ..Self::default()
        }
    }

    /// The adapter at this end of the wire, in `eu-west-1`.
    pub(crate) fn aws(&self) -> Aws {
        Aws::new(&self.config())
    }

    /// The topics at this end of the wire.
    pub(crate) fn topics(&self) -> Topics {
        Topics::new(&self.config())
    }

    fn config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        let credentials = Credentials::new(
            "AKIAFUNCTION00000000",
            "function-secret",
            None,
            None,
            "test",
        );
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build()
    }

    /// What was asked so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// The operations that were asked for, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.sent()
            .iter()
            .map(|sent| sent.action().to_owned())
            .collect()
    }

    /// Fails the test if not every answer was fetched.
    pub(crate) fn assert_played(&self) {
        let left = self.script.lock().unwrap();
        assert!(left.is_empty(), "nobody asked for {left:?}");
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |name: &str| request.headers().get(name).map(str::to_owned);
        self.sent.lock().unwrap().push(Sent {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            authorization: header("authorization"),
            range: header("range"),
            target: header("x-amz-target"),
            body: request
                .body()
                .bytes()
                .map(|body| String::from_utf8_lossy(body).into_owned())
                .unwrap_or_default(),
        });
        let answer = self
            .script
            .lock()
            .unwrap()
            .pop_front()
            .or_else(|| self.for_ever.clone());
        match answer {
            Some(Answer::Reply {
                status,
                headers,
                body,
            }) => {
                let mut response =
                    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
                for (name, value) in headers {
                    response.headers_mut().insert(name, value);
                }
                HttpConnectorFuture::ready(Ok(response))
            }
            Some(Answer::BrokenOff { status, body }) => {
                let body = SdkBody::from_body_1_x(Torn(Some(body.into())));
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), body)))
            }
            Some(Answer::Silence) => HttpConnectorFuture::new(std::future::pending()),
            Some(Answer::BrokenConnection) => {
                let broken = io::Error::from(io::ErrorKind::ConnectionReset);
                HttpConnectorFuture::ready(Err(ConnectorError::io(broken.into())))
            }
            None => panic!("one request too many: {:?}", self.sent().last()),
        }
    }
}

/// A body that breaks off after its content.
struct Torn(Option<Bytes>);

impl http_body::Body for Torn {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(match self.0.take() {
            Some(data) => Ok(Frame::data(data)),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }))
    }
}
