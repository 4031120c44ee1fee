//! The real sink: the SDK's own HTTPS client, without the SDK around it.

use std::sync::OnceLock;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use super::{PutError, Sink};
use crate::request::response_url::ResponseUrl;
use crate::waits::CONNECT;

/// Puts answers over HTTPS, and over plain HTTP where an extra origin says so.
///
/// The connector adds no header but `host` and `content-length`, follows no redirect and leaves the URL's escapes
/// alone. The first answer makes it, because reading the system's root certificates takes time.
#[derive(Debug, Default)]
pub struct Https {
    connector: OnceLock<Connector>,
}

impl Https {
    fn connector(&self) -> &Connector {
        self.connector.get_or_init(|| {
            let settings = HttpConnectorSettings::builder()
                .connect_timeout(CONNECT)
                .build();
            Connector::builder()
                .connector_settings(settings)
                // As the SDK's own clients do.
                .proxy_config(ProxyConfig::from_env())
                // Lambda freezes the process between invocations, so a kept connection would be dead by the next one.
                .pool_max_idle_per_host(0)
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .build()
        })
    }
}

impl Sink for Https {
    async fn put(&self, url: &ResponseUrl, body: &str) -> Result<u16, PutError> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("PUT").map_err(|_| PutError::Request)?;
        request
            .set_uri(url.expose())
            .map_err(|_| PutError::Request)?;
        // The error's text may contain the URL, so only its kind is kept.
        match self.connector().call(request).await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) if error.is_timeout() => Err(PutError::Timeout),
            Err(_) => Err(PutError::Connection),
        }
    }
}
