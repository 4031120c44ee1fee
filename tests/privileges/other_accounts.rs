//! The statements for the owners of other accounts' buckets and KMS keys in docs/other-accounts.md end with the stack.

use std::fs;

use kit::policy_check::{Decision, Request};
use serde_json::{Value, json};

const TAG: &str = "aws:PrincipalTag/publisher-s3-access:stack-id";
const STACK: &str =
    "arn:aws:cloudformation:eu-west-1:111122223333:stack/publisher/EXAMPLE-a1b2-c3d4";
const SUCCESSOR: &str =
    "arn:aws:cloudformation:eu-west-1:111122223333:stack/publisher/EXAMPLE-e5f6-a7b8";

#[test]
fn the_statements_let_in_the_stacks_user_and_no_successor_of_its_name() {
    let page = fs::read_to_string("docs/other-accounts.md").expect("the page");
    let mut blocks: Vec<Value> = (page.split("```json\n").skip(1))
        .map(|rest| rest.split("```").next().expect("an end"))
        .map(|block| serde_json::from_str(block).expect(block))
        .collect();
    let [bucket, key] = &mut blocks[..] else {
        panic!("two blocks")
    };
    // The evaluator knows the policies of identities, which have no `Principal`.
    let account = json!({"AWS": "arn:aws:iam::111122223333:root"});
    assert_eq!(key["Principal"].take(), account);
    key.as_object_mut()
        .expect("a statement")
        .remove("Principal");
    for statement in bucket["Statement"].as_array_mut().expect("statements") {
        let statement = statement.as_object_mut().expect("a statement");
        assert_eq!(statement.remove("Principal"), Some(account.clone()));
    }
    let key = json!({ "Statement": key });
    let cases = [
        (&*bucket, "s3:ListBucket", "arn:aws:s3:::partner-genomics"),
        (&*bucket, "s3:GetObject", "arn:aws:s3:::partner-genomics/a"),
        (
            &key,
            "kms:Decrypt",
            "arn:aws:kms:eu-west-1:444455556666:key/1",
        ),
    ];
    for (policy, action, resource) in cases {
        let ask = |stack: Option<&'static str>| {
            let request =
                Request::new(action, resource).with("kms:ViaService", "s3.eu-west-1.amazonaws.com");
            let request = match stack {
                Some(stack) => request.with(TAG, stack),
                None => request,
            };
            request.judged([policy])
        };
        assert_eq!(ask(Some(STACK)), Decision::Allowed, "{action}");
        for other in [None, Some(SUCCESSOR)] {
            assert_eq!(ask(other), Decision::NotAllowed, "{action}, {other:?}");
        }
    }
}
