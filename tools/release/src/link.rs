//! The addresses of a release in a bucket.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters that need no escape in a link's query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The name that the link proposes for the stack.
pub(crate) const STACK: &str = "publisher";

/// Where a release was uploaded to.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) region: &'a str,
    pub(crate) bucket: &'a str,
    /// Empty, or a folder with its final `/`.
    pub(crate) prefix: &'a str,
    /// The release's folder.
    pub(crate) folder: &'a str,
}

impl Place<'_> {
    /// The template's address, in the form that works for every bucket name.
    pub(crate) fn template(&self) -> String {
        let Self {
            region,
            bucket,
            prefix,
            folder,
        } = self;
        let (_, suffix) = partition(region);
        format!("https://s3.{region}.{suffix}/{bucket}/{prefix}{folder}/template.yaml")
    }

    /// The parameters that do not have their default.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let all = [("CodeBucket", self.bucket), ("CodePrefix", self.prefix)];
        all.into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    /// The console's page for a new stack, filled in.
    pub(crate) fn quick_create(&self) -> String {
        let (console, _) = partition(self.region);
        let region = self.region;
        let escaped = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let mut link = format!(
            "https://{region}.{console}/cloudformation/home?region={region}#/stacks/create/review?templateURL={}&stackName={STACK}",
            escaped(&self.template())
        );
        for (name, value) in self.parameters() {
            link.push_str(&format!("&param_{name}={}", escaped(value)));
        }
        link
    }
}

/// The console's host and the DNS suffix of the partition that a region is in.
fn partition(region: &str) -> (&'static str, &'static str) {
    match region.split_once('-').map_or("", |(start, _)| start) {
        "cn" => ("console.amazonaws.cn", "amazonaws.com.cn"),
        "eusc" => ("console.amazonaws-eusc.eu", "amazonaws.eu"),
        _ if region.starts_with("us-gov-") => ("console.amazonaws-us-gov.com", "amazonaws.com"),
        _ => ("console.aws.amazon.com", "amazonaws.com"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place {
        region: "eu-west-1",
        bucket: "genome.releases",
        prefix: "",
        folder: "publisher-s3-access-0.2.0",
    };

    #[test]
    fn the_link_is_the_consoles_quick_create_link_with_the_bucket_filled_in() {
        assert_eq!(
            HERE.quick_create(),
            "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#/stacks/create/review\
             ?templateURL=https%3A%2F%2Fs3.eu-west-1.amazonaws.com%2Fgenome.releases%2Fpublisher-s3-access-0.2.0%2Ftemplate.yaml\
             &stackName=publisher&param_CodeBucket=genome.releases"
        );
        let link = Place {
            prefix: "lambda/",
            ..HERE
        }
        .quick_create();
        assert!(
            link.ends_with("&param_CodeBucket=genome.releases&param_CodePrefix=lambda%2F"),
            "{link}"
        );
    }

    #[test]
    fn every_partition_has_its_own_hosts() {
        for (region, console, s3) in [
            (
                "cn-north-1",
                "https://cn-north-1.console.amazonaws.cn/",
                "https://s3.cn-north-1.amazonaws.com.cn/",
            ),
            (
                "us-gov-west-1",
                "https://us-gov-west-1.console.amazonaws-us-gov.com/",
                "https://s3.us-gov-west-1.amazonaws.com/",
            ),
            (
                "eusc-de-east-1",
                "https://eusc-de-east-1.console.amazonaws-eusc.eu/",
                "https://s3.eusc-de-east-1.amazonaws.eu/",
            ),
        ] {
            let place = Place { region, ..HERE };
            assert!(
                place.quick_create().starts_with(console),
                "{}",
                place.quick_create()
            );
            assert!(place.template().starts_with(s3), "{}", place.template());
        }
    }
}
