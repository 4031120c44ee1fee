//! The function's environment, as the function reads it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use publisher_s3_access::request::settings::Settings;
use serde_json::{Map, Value};

use kit::template::rendering::{CHINA, COMMERCIAL, Place, Stack};

fn variables(stack: &Stack) -> Map<String, Value> {
    let function = stack.properties_of("AWS::Lambda::Function");
    let variables = &function["Environment"]["Variables"];
    variables.as_object().expect("variables").clone()
}

/// The settings of the function in a stack.
pub(crate) fn settings(stack: &Stack) -> Settings {
    let variables = variables(stack);
    let value = |name: &str| variables.get(name)?.as_str().map(str::to_owned);
    Settings::read(value, "")
}

#[test]
fn every_variable_of_the_template_is_one_that_the_function_reads() {
    let read = RefCell::new(BTreeSet::new());
    let remember = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        None
    };
    drop(Settings::read(remember, ""));
    for name in variables(&Stack::usual()).keys() {
        assert!(read.borrow().contains(name), "`{name}`");
    }
}

#[test]
fn the_function_gets_the_stacks_dns_suffix() {
    for place in [COMMERCIAL, CHINA] {
        let Place { url_suffix, .. } = place;
        let stack = Stack::new(place, &[("Buckets", "genomes")]);
        assert_eq!(variables(&stack)["URL_SUFFIX"], url_suffix);
        assert_eq!(settings(&stack).url_suffix, url_suffix);
    }
}

#[test]
fn nothing_is_set_that_is_meant_for_tests_or_debugging() {
    let variables = variables(&Stack::usual());
    assert!(!variables.contains_key("EXTRA_RESPONSE_ORIGINS"));
}
