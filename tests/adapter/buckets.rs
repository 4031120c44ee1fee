//! The bucket's region, and what the user's own key reads.

use publisher_s3_access::cloud::{ErrorKind, ListedObject, ObjectRead, Objects, Page};
use publisher_s3_access::request::buckets::BucketName;

use crate::wire::{
    Answer, Wire, header_only, query_error, query_result, reply, s3_error, with_header,
};
use crate::{TELLTALE, bucket, folder, stored_key};

const REGION: &str = "x-amz-bucket-region";

#[tokio::test(start_paused = true)]
async fn the_region_of_a_bucket_comes_with_every_answer_and_the_question_is_not_signed() {
    for status in [200, 301, 307, 400, 403] {
        let wire = Wire::playing([header_only(status, REGION, "ap-southeast-2")]);
        assert_eq!(
            wire.aws().bucket_region(&bucket()).await,
            Ok(Some("ap-southeast-2".to_owned())),
            "{status}"
        );
        let sent = &wire.sent()[0];
        let asked = (&*sent.method, &*sent.uri, &sent.authorization);
        assert_eq!(
            asked,
            (
                "HEAD",
                "https://s3.eu-west-1.amazonaws.com/genomes.example.org/",
                &None
            )
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_named_in_the_path_whether_or_not_its_name_has_dots() {
    let wire = Wire::playing([header_only(200, REGION, "eu-west-1")]);
    let plain = BucketName::parse("genomes").unwrap();
    wire.aws().bucket_region(&plain).await.unwrap();
    assert_eq!(
        wire.sent()[0].uri,
        "https://s3.eu-west-1.amazonaws.com/genomes/"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_not_there_has_no_region() {
    let wire = Wire::playing([header_only(404, "server", "AmazonS3")]);
    assert_eq!(wire.aws().bucket_region(&bucket()).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_region_is_unclear() {
    for answer in [
        header_only(200, "server", "AmazonS3"),
        header_only(200, REGION, ""),
        header_only(403, "server", "AmazonS3"),
        header_only(403, REGION, ""),
        Answer::BrokenConnection,
        Answer::Silence,
    ] {
        let wire = Wire::always(answer.clone());
        let region = wire.aws().bucket_region(&bucket()).await;
        let told = region.map_err(|error| (error.operation, error.kind));
        assert_eq!(
            told,
            Err(("s3:HeadBucket", ErrorKind::Indeterminate)),
            "{answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_region_is_asked_for_again_after_a_failure_of_s3() {
    let wire = Wire::playing([
        header_only(503, "server", "AmazonS3"),
        Answer::BrokenConnection,
        header_only(200, REGION, "eu-west-1"),
    ]);
    assert_eq!(
        wire.aws().bucket_region(&bucket()).await,
        Ok(Some("eu-west-1".to_owned()))
    );
    wire.assert_played();
}

fn listing(contents: &str) -> Answer {
    reply(
        200,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Name>genomes.example.org</Name><Prefix>run 1/</Prefix><KeyCount>1</KeyCount><MaxKeys>1</MaxKeys>\
             <IsTruncated>true</IsTruncated>{contents}</ListBucketResult>"
        ),
    )
}

fn entry() -> Answer {
    listing("<Contents><Key>run 1/a &amp; b.vcf</Key><Size>0</Size></Contents>")
}

fn listed() -> ListedObject {
    ListedObject {
        key: "run 1/a & b.vcf".to_owned(),
        size: 0,
        archived: false,
    }
}

fn page(objects: Vec<ListedObject>) -> Page {
    Page {
        objects,
        next: None,
    }
}

fn signed_by_the_user_in(authorization: Option<&str>, region: &str) -> bool {
    let scope = format!("/{region}/s3/aws4_request");
    authorization.is_some_and(|text| {
        text.contains("Credential=AKIAIOSFODNN7EXAMPLE/") && text.contains(&scope)
    })
}

#[tokio::test(start_paused = true)]
async fn objects_are_listed_with_the_users_key_in_the_buckets_region() {
    let wire = Wire::playing([entry()]);
    let first = wire
        .aws()
        .list_objects(&stored_key(), "us-east-2", &folder(), None)
        .await;
    assert_eq!(first, Ok(page(vec![listed()])));
    let sent = &wire.sent()[0];
    assert!(
        sent.uri
            .starts_with("https://s3.us-east-2.amazonaws.com/genomes.example.org/?"),
        "{}",
        sent.uri
    );
    assert!(
        sent.uri.contains("list-type=2") && !sent.uri.contains("max-keys"),
        "{}: a page has S3's 1,000 keys",
        sent.uri
    );
    assert!(sent.uri.contains("prefix=run%201%2F"), "{}", sent.uri);
    assert!(
        signed_by_the_user_in(sent.authorization.as_deref(), "us-east-2"),
        "{sent:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_listing_goes_on_where_the_page_before_it_ended() {
    let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>a+b</NextContinuationToken>";
    let wire = Wire::playing([listing(more), entry()]);
    let aws = wire.aws();
    let (key, folder) = (stored_key(), folder());
    let first = aws.list_objects(&key, "us-east-2", &folder, None).await;
    let next = first.expect("listed").next;
    assert_eq!(next.as_deref(), Some("a+b"));
    let second = aws.list_objects(&key, "us-east-2", &folder, next.as_deref());
    assert_eq!(second.await, Ok(page(vec![listed()])));
    let asked = &wire.sent()[1].uri;
    assert!(asked.contains("continuation-token=a%2Bb"), "{asked}");
}

/// A bucket's answer comes from whoever owns it, and its region becomes a part of the next host's name.
#[tokio::test(start_paused = true)]
async fn a_region_without_the_form_of_one_is_not_believed() {
    for region in [
        "evil.example/",
        "eu-west-1.evil.example",
        "evil.example#-1",
        "eu-west-1@evil.example",
        "EU-WEST-1",
        "eu--1",
        "-1",
        "1",
    ] {
        let wire = Wire::always(header_only(403, REGION, region));
        let found = wire.aws().bucket_region(&bucket()).await;
        assert!(found.is_err(), "{region}: {found:?}");
        let wire = Wire::always(redirect(301, "PermanentRedirect", region));
        let listed = wire
            .aws()
            .list_objects(&stored_key(), "us-east-2", &folder(), None)
            .await;
        assert!(listed.is_err(), "{region}");
        let sent = wire.sent();
        assert!(
            sent.iter()
                .all(|sent| sent.uri.starts_with("https://s3.us-east-2.amazonaws.com/")),
            "{region}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_with_characters_that_xml_forbids_is_read_as_it_is() {
    let wire = Wire::playing([listing(
        "<Contents><Key>run+1/a%01%2B%C3%A9</Key><Size>5</Size></Contents>",
    )]);
    let listed = wire
        .aws()
        .list_objects(&stored_key(), "us-east-2", &folder(), None)
        .await
        .expect("listed");
    assert_eq!(listed.objects[0].key, "run 1/a\u{1}+é");
    assert!(wire.sent()[0].uri.contains("encoding-type=url"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_folder_lists_nothing() {
    let wire = Wire::playing([listing("")]);
    assert_eq!(
        wire.aws()
            .list_objects(&stored_key(), "eu-west-1", &folder(), None)
            .await,
        Ok(page(Vec::new()))
    );
}

#[tokio::test(start_paused = true)]
async fn one_byte_of_an_object_is_asked_for_and_the_body_is_not_waited_for() {
    let torn = Answer::BrokenOff {
        status: 206,
        body: "A".to_owned(),
    };
    let wire = Wire::playing([torn]);
    assert_eq!(
        wire.aws()
            .read_byte(&stored_key(), "us-east-2", &bucket(), "run 1/a?b")
            .await,
        Ok(ObjectRead::Read)
    );
    let sent = &wire.sent()[0];
    assert!(
        sent.uri
            .starts_with("https://s3.us-east-2.amazonaws.com/genomes.example.org/run%201/a%3Fb"),
        "{}",
        sent.uri
    );
    assert_eq!(sent.range.as_deref(), Some("bytes=0-0"));
    assert!(
        signed_by_the_user_in(sent.authorization.as_deref(), "us-east-2"),
        "{sent:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn size_and_storage_class_tell_which_object_proves_something() {
    let entries = [
        ("folder/", 0, "STANDARD", false),
        ("old", 9, "GLACIER", true),
        ("oldest", 9, "DEEP_ARCHIVE", true),
        ("at hand", 9, "GLACIER_IR", false),
        ("clever", 9, "INTELLIGENT_TIERING", false),
        ("plain", 9, "STANDARD", false),
    ];
    let contents = entries.map(|(key, size, class, _)| {
        format!("<Contents><Key>{key}</Key><Size>{size}</Size><StorageClass>{class}</StorageClass></Contents>")
    });
    let wire = Wire::playing([listing(&contents.concat())]);
    let aws = wire.aws();
    let (key, folder) = (stored_key(), folder());
    let objects = aws.list_objects(&key, "us-east-2", &folder, None);
    let expected = entries.map(|(key, size, _, archived)| ListedObject {
        key: key.to_owned(),
        size,
        archived,
    });
    assert_eq!(objects.await, Ok(page(expected.to_vec())));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_s3_gives_only_after_allowing_access_is_no_error() {
    for (status, code, expected) in [
        (416, "InvalidRange", ObjectRead::Empty),
        (403, "InvalidObjectState", ObjectRead::Archived),
        (404, "NoSuchKey", ObjectRead::Gone),
        (400, "InvalidRequest", ObjectRead::CustomerKey),
    ] {
        let message = "The object was stored using a form of Server Side Encryption. The correct parameters must be \
                       provided to retrieve the object.";
        let wire = Wire::playing([s3_error(status, code, message)]);
        let aws = wire.aws();
        let (key, bucket) = (stored_key(), bucket());
        let read = aws.read_byte(&key, "eu-west-1", &bucket, "run 1/a");
        assert_eq!(read.await, Ok(expected), "{code}");
    }
}

fn redirect(status: u16, code: &str, region: &str) -> Answer {
    with_header(
        status,
        REGION,
        region,
        &format!("<Error><Code>{code}</Code><Message>Elsewhere.</Message></Error>"),
    )
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_elsewhere_is_read_there() {
    for (status, code) in [
        (301, "PermanentRedirect"),
        (307, "TemporaryRedirect"),
        (400, "AuthorizationHeaderMalformed"),
    ] {
        let wire = Wire::playing([redirect(status, code, "eu-north-1"), entry()]);
        let first = wire
            .aws()
            .list_objects(&stored_key(), "us-east-2", &folder(), None)
            .await;
        assert_eq!(first, Ok(page(vec![listed()])), "{code}");
        let there = &wire.sent()[1];
        assert!(
            there
                .uri
                .starts_with("https://s3.eu-north-1.amazonaws.com/"),
            "{}",
            there.uri
        );
        assert!(
            signed_by_the_user_in(there.authorization.as_deref(), "eu-north-1"),
            "{there:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_followed_once_and_only_to_another_region() {
    let there_and_back = [
        redirect(301, "PermanentRedirect", "eu-north-1"),
        redirect(301, "PermanentRedirect", "us-east-2"),
    ];
    for (answers, requests) in [
        (there_and_back.to_vec(), 2),
        (vec![redirect(301, "PermanentRedirect", "us-east-2")], 1),
    ] {
        let wire = Wire::playing(answers);
        let error = wire
            .aws()
            .list_objects(&stored_key(), "us-east-2", &folder(), None)
            .await
            .expect_err("no end");
        assert_eq!(
            (error.code.as_deref(), wire.sent().len()),
            (Some("PermanentRedirect"), requests)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_read_is_reported_without_the_key() {
    let wire = Wire::playing([s3_error(
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist.",
    )]);
    let error = wire
        .aws()
        .list_objects(&stored_key(), "eu-west-1", &folder(), None)
        .await
        .expect_err("unknown");
    assert_eq!(error.kind, ErrorKind::UnknownKey);
    assert!(
        !format!("{error} {error:?}").contains(TELLTALE),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_caller_is_asked_for_with_the_users_key() {
    let arn = "arn:aws:iam::111122223333:user/publisher-connectors";
    let inside = format!(
        "<Arn>{arn}</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId><Account>111122223333</Account>"
    );
    let wire = Wire::playing([query_result("GetCallerIdentity", &inside)]);
    assert_eq!(
        wire.aws().caller_of(&stored_key()).await,
        Ok(arn.to_owned())
    );
    let sent = &wire.sent()[0];
    assert_eq!(
        (sent.action(), &*sent.uri),
        ("GetCallerIdentity", "https://sts.eu-west-1.amazonaws.com/")
    );
    let authorization = sent.authorization.as_deref().unwrap();
    assert!(
        authorization.contains("Credential=AKIAIOSFODNN7EXAMPLE/"),
        "{authorization}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_known_yet_is_reported_as_unknown() {
    let text = "The security token included in the request is invalid.";
    let wire = Wire::playing([query_error(403, "InvalidClientTokenId", text)]);
    let error = wire
        .aws()
        .caller_of(&stored_key())
        .await
        .expect_err("not yet");
    assert_eq!(error.kind, ErrorKind::UnknownKey);

    let wire = Wire::playing([query_result("GetCallerIdentity", "")]);
    let error = wire
        .aws()
        .caller_of(&stored_key())
        .await
        .expect_err("no ARN");
    assert_eq!(error.kind, ErrorKind::Indeterminate);
}

#[tokio::test(start_paused = true)]
async fn half_a_callers_arn_is_not_accepted() {
    let arn = "arn:aws:iam::111122223333:user/publisher-connectors";
    let Answer::Reply { body, .. } =
        query_result("GetCallerIdentity", &format!("<Arn>{arn}</Arn>"))
    else {
        panic!("a reply")
    };
    let cut = body.find("-connectors").unwrap();
    let wire = Wire::playing([reply(200, &body[..cut])]);
    let told = wire.aws().caller_of(&stored_key()).await;
    assert_eq!(
        told.map_err(|error| error.kind),
        Err(ErrorKind::Indeterminate)
    );
}
