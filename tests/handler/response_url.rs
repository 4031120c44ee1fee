//! Which URLs answers may go to, and which parts of them are shown.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use publisher_s3_access::request::response_url::{ResponseOrigins, ResponseUrl, ResponseUrlError};

const URL: &str = "https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/arn%3Aaws%3A\
    cloudformation%3Aeu-west-1%3A123456789012%3Astack/publisher/guid%7CAccess%7Crequest?X-Amz-Algorithm=AWS4-HMAC-\
    SHA256&X-Amz-Date=20261123T182340Z&X-Amz-SignedHeaders=host&X-Amz-Expires=7200&X-Amz-Signature=canary";

fn parse(url: &str, extra: &str) -> Result<ResponseUrl, ResponseUrlError> {
    ResponseUrl::parse(url, &ResponseOrigins::new("amazonaws.com", extra))
}

fn at(rfc3339: &str) -> SystemTime {
    DateTime::from_str(rfc3339, Format::DateTime)
        .expect("a value")
        .try_into()
        .expect("a value")
}

#[test]
fn urls_of_every_partition_are_taken_unchanged() {
    assert_eq!(parse(URL, "").expect("a value").expose(), URL);
    for suffix in [
        "amazonaws.com",
        "amazonaws.com.cn",
        "amazonaws.eu",
        "c2s.ic.gov",
        "sc2s.sgov.gov",
        "cloud.adc-e.uk",
        "csp.hci.ic.gov",
    ] {
        let url = URL.replace("amazonaws.com", suffix);
        assert_eq!(parse(&url, "").expect("a value").expose(), url);
    }
}

#[test]
fn a_suffix_from_the_template_is_admitted_beside_the_known_ones() {
    let origins = ResponseOrigins::new("aws.example", "");
    let url = |host: &str| ResponseUrl::parse(&format!("https://{host}/x"), &origins);
    assert!(url("s3.aws.example").is_ok() && url("s3.amazonaws.com").is_ok());
    assert!(url("aws.example").is_err() && url("s3.example").is_err());
}

#[test]
fn a_suffix_of_one_label_admits_nothing() {
    for suffix in ["", "com", ".com"] {
        let origins = ResponseOrigins::new(suffix, "");
        assert!(
            ResponseUrl::parse("https://evil.com/", &origins).is_err(),
            "{suffix}"
        );
    }
}

#[test]
fn anything_but_https_on_its_own_port_under_an_aws_suffix_is_refused() {
    for url in [
        "http://bucket.s3.amazonaws.com/x",
        "http://bucket.s3.amazonaws.com:443/x",
        "https://bucket.s3.amazonaws.com:8443/x",
        "https://amazonaws.com/x",
        "https://.amazonaws.com/x",
        "https://evilamazonaws.com/x",
        "https://bucket.s3.amazonaws.com.evil.example/x",
        "https://evil.example/bucket.s3.amazonaws.com",
        "https://bucket.s3.amazonaws.com@evil.example/x",
        "https://user:password@bucket.s3.amazonaws.com/x",
        "https://169.254.169.254/x",
        "https://[::1]/x",
        "ftp://bucket.s3.amazonaws.com/x",
        "bucket.s3.amazonaws.com/x",
        "/x",
        "",
        "not a url",
    ] {
        assert!(parse(url, "").is_err(), "{url}");
    }
}

#[test]
fn an_extra_origin_is_admitted_with_exactly_its_scheme_host_and_port() {
    let extra = "http://localhost:4566, https://emulator.example,nonsense,,";
    for url in [
        "http://localhost:4566/x",
        "http://LOCALHOST:4566/x",
        "https://emulator.example:443/x",
    ] {
        assert!(parse(url, extra).is_ok(), "{url}");
    }
    for url in [
        "http://localhost/x",
        "https://localhost:4566/x",
        "http://emulator.example/x",
        "http://a.localhost:4566/",
    ] {
        assert!(parse(url, extra).is_err(), "{url}");
    }
}

#[test]
fn neither_debug_nor_display_nor_a_refusal_shows_more_than_the_origin() {
    let url = parse(URL, "").expect("a value");
    let refused = parse(&URL.replace("https", "http"), "").expect_err("a refusal");
    let other = parse("https://user:canary@evil.example/canary?canary", "").expect_err("a refusal");
    for shown in [
        format!("{url}"),
        format!("{url:?}"),
        format!("{refused} {refused:?}"),
        format!("{other} {other:?}"),
    ] {
        assert!(
            !shown.contains("canary") && !shown.contains("arn"),
            "{shown}"
        );
    }
    assert!(format!("{url:?}").contains("s3-eu-west-1.amazonaws.com"));
}

#[test]
fn a_url_of_signature_version_4_says_when_it_was_made() {
    let url = parse(URL, "").expect("a value");
    assert_eq!(url.sent(), Some(at("2026-11-23T18:23:40Z")));
}

#[test]
fn any_other_url_does_not_say_when_it_was_made() {
    for query in [
        "",
        "?",
        "?X-Amz-Date=yesterday",
        "?X-Amz-Date=",
        "?Expires=1000",
        "?X-Amz-Date=2026112éT182340Z",
    ] {
        let Ok(url) = parse(&format!("https://b.s3.amazonaws.com/k{query}"), "") else {
            continue;
        };
        assert_eq!(url.sent(), None, "{query}");
    }
}
