//! The stack's own tags reach user and secret as they reach native resources, and no stack tag makes a request fail.

use publisher_s3_access::cloud::TagMap;
use serde_json::{Value, json};

use crate::scene::{OTHER_USER, SECRET, Scene, USER, properties, properties_with};
use kit::function::invoke;
use kit::stack::{Others, Outcome};

/// AWS's limit of tags on a user or a secret, and how many of them are ownership tags.
const LIMIT: usize = 50;
const OWNERSHIP: usize = 2;

fn tags<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> TagMap {
    let pairs = pairs.into_iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// This many tags, in alphabetical order.
fn many(count: usize) -> TagMap {
    (0..count)
        .map(|at| (format!("tag-{at:02}"), "a".to_owned()))
        .collect()
}

fn tag(scene: &Scene, tags: TagMap) {
    let stack = &scene.owner().stack_id;
    scene.account.tag_stack(stack, tags);
}

/// A stack that had these tags when it was created.
async fn created_with(stack_tags: TagMap, properties: Value) -> Scene {
    let mut scene = Scene::new().await;
    tag(&scene, stack_tags);
    let outcome = scene.create(properties).await;
    assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
    scene
}

async fn update(scene: &mut Scene, changes: Value) {
    let outcome = scene.update(properties_with(changes)).await;
    assert_eq!(outcome, Outcome::Complete, "{}", scene.reason());
}

/// The tags of user and secret, which are the same, without ownership tags.
#[track_caller]
fn tags_of(scene: &Scene, user: &str) -> TagMap {
    let secret = format!("publisher/{user}");
    let both = [
        scene.account.user_tags(user),
        scene.account.secret_tags(&secret),
    ];
    let [user, secret] = both.map(|tags| {
        let mut tags = tags.expect("it is there");
        let all = tags.len();
        tags.retain(|key, _| !key.starts_with("publisher-s3-access:"));
        assert_eq!(all - tags.len(), OWNERSHIP);
        tags
    });
    assert_eq!(user, secret, "user and secret");
    user
}

#[tokio::test(start_paused = true)]
async fn stack_tags_are_set_by_the_calls_that_create_and_cost_no_further_call() {
    let given = tags([("CostCenter", "4711"), ("Team", "")]);
    let tagged = created_with(given.clone(), properties()).await;
    assert_eq!(tags_of(&tagged, USER), given);
    tagged.assert_works(USER, "reads");
    let plain = created_with(TagMap::new(), properties()).await;
    let calls = |scene: &Scene| {
        let log = scene.account.log().into_iter();
        log.filter(|line| line.contains(" -> ")).count()
    };
    assert_eq!(calls(&tagged), calls(&plain));
}

#[tokio::test(start_paused = true)]
async fn stack_tags_follow_with_the_next_update_and_are_never_removed() {
    let mut scene = Scene::created().await;
    for (given, expected) in [
        (
            tags([("CostCenter", "1"), ("Team", "a")]),
            tags([("CostCenter", "1"), ("Team", "a")]),
        ),
        (
            tags([("CostCenter", "2")]),
            tags([("CostCenter", "2"), ("Team", "a")]),
        ),
        (TagMap::new(), tags([("CostCenter", "2"), ("Team", "a")])),
    ] {
        let before = tags_of(&scene, USER);
        tag(&scene, given.clone());
        assert_eq!(
            tags_of(&scene, USER),
            before,
            "nobody has told the function"
        );
        update(&mut scene, json!({"Revision": format!("{given:?}")})).await;
        assert_eq!(tags_of(&scene, USER), expected, "{given:?}");
        scene.assert_works(USER, "reads");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_is_born_with_the_stacks_tags() {
    let mut scene = created_with(tags([("Team", "a")]), properties()).await;
    tag(&scene, tags([("Team", "b")]));
    update(&mut scene, json!({"UserName": OTHER_USER})).await;
    assert_eq!(tags_of(&scene, OTHER_USER), tags([("Team", "b")]));
    scene.account.assert_gone(USER);
}

#[tokio::test(start_paused = true)]
async fn only_the_first_of_keys_that_differ_in_case_is_taken_in_alphabetical_order() {
    let given = tags([("team", "c"), ("TEAM", "a"), ("Team", "b"), ("Other", "d")]);
    let mut scene = created_with(given, properties()).await;
    let expected = tags([("TEAM", "a"), ("Other", "d")]);
    assert_eq!(tags_of(&scene, USER), expected);
    update(&mut scene, json!({"Revision": "2"})).await;
    assert_eq!(tags_of(&scene, USER), expected);
}

#[tokio::test(start_paused = true)]
async fn as_many_stack_tags_as_fit_are_taken_in_alphabetical_order() {
    let room = LIMIT - OWNERSHIP;
    for count in [room, room + 1, 60] {
        let scene = created_with(many(count), properties()).await;
        assert_eq!(tags_of(&scene, USER), many(room), "{count}");
    }
    let own: Vec<_> = (0..45)
        .map(|at| json!({"Key": format!("own-{at:02}"), "Value": "b"}))
        .collect();
    let mut scene = created_with(many(60), properties_with(json!({ "Tags": own }))).await;
    let taken = tags_of(&scene, USER);
    assert_eq!(taken.len(), room);
    let of_stack = taken.into_iter().filter(|(key, _)| key.starts_with("tag-"));
    assert_eq!(of_stack.collect::<TagMap>(), many(room - own.len()));
    // A tag that the properties no longer name makes room.
    update(&mut scene, json!({"Revision": "2"})).await;
    assert_eq!(tags_of(&scene, USER), many(room));
}

#[tokio::test(start_paused = true)]
async fn tags_that_aws_reserves_or_refuses_and_those_of_ownership_are_left_out() {
    let (long, longer) = ("k".repeat(129), "v".repeat(257));
    let given = tags([
        ("aws:cloudformation:stack-name", "mine"),
        ("AWS:any", "a"),
        ("Reserved", "aws:value"),
        ("No,comma", "a"),
        ("Value", "no;semicolon"),
        // Letters that combine with the one before them.
        ("Thai", "\u{e17}\u{e35}\u{e48}"),
        ("Hindi", "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}"),
        ("", "no key"),
        (&long, "a"),
        ("Long", &longer),
        ("publisher-s3-access:stack-id", "another"),
        ("Publisher-S3-Access:Logical-Id", "Another"),
        ("publisher-s3-access:new", "a"),
        ("Größe", "ok / + = . @ - _ :"),
    ]);
    let expected = tags([("Größe", "ok / + = . @ - _ :")]);
    let mut scene = created_with(given, properties()).await;
    assert_eq!(tags_of(&scene, USER), expected);
    update(&mut scene, json!({"Revision": "2"})).await;
    assert_eq!(tags_of(&scene, USER), expected);
    scene.assert_works(USER, "reads");
}

/// `DescribeStacks` is throttled four times in a row, and the SDK gives up.
#[tokio::test(start_paused = true)]
async fn a_create_that_cloudformation_does_not_answer_at_first_gets_the_stacks_tags() {
    let mut scene = Scene::new().await;
    tag(&scene, tags([("Team", "a")]));
    scene.account.throttle_views(4);
    assert_eq!(scene.create(properties()).await, Outcome::Complete);
    assert_eq!(tags_of(&scene, USER), tags([("Team", "a")]));
}

#[tokio::test(start_paused = true)]
async fn a_tag_of_the_properties_wins_over_a_stack_tag_ignoring_case() {
    let own = |key: &str| json!({"Tags": [{"Key": key, "Value": "own"}]});
    let stack_tags = tags([("Team", "stack"), ("Other", "stack")]);
    for key in ["Team", "team"] {
        let mut scene = created_with(stack_tags.clone(), properties_with(own(key))).await;
        let expected = tags([(key, "own"), ("Other", "stack")]);
        assert_eq!(tags_of(&scene, USER), expected);
        // Without it, the stack's has its place.
        update(&mut scene, json!({"Revision": "2"})).await;
        assert_eq!(tags_of(&scene, USER), stack_tags);
        update(&mut scene, own(key)).await;
        let taken = scene.account.user_tags(USER).expect("it is there");
        let values: Vec<_> = (taken.iter())
            .filter(|(key, _)| key.to_lowercase() == "team")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(values, ["own"]);
    }
}

/// An update with new stack tags that is rolled back, which brings the old ones back.
#[tokio::test(start_paused = true)]
async fn tags_that_change_during_a_rollback_do_not_stop_it() {
    for (others, changes) in [
        (Others::Fail, json!({"KeySerial": 2})),
        (Others::Fail, json!({"UserName": OTHER_USER})),
        (Others::Succeed, json!({"Buckets": "missing"})),
    ] {
        for (forward, back) in [
            (tags([("Team", "b"), ("New", "b")]), tags([("Team", "a")])),
            (tags([("Team", "b")]), tags([("TEAM", "c")])),
            (many(60), tags([("aws:x", "a"), ("Team", "a")])),
            (TagMap::new(), many(60)),
        ] {
            let mut scene = created_with(tags([("Team", "a")]), properties()).await;
            tag(&scene, forward.clone());
            let stack_id = scene.owner().stack_id.clone();
            let (account, cloud) = (scene.account.clone(), scene.process());
            let mut sent = 0;
            let mut run = async |event| {
                sent += 1;
                if sent == 2 {
                    account.tag_stack(&stack_id, back.clone());
                }
                invoke(&account, &cloud, &event).await
            };
            let changed = properties_with(changes.clone());
            let outcome = scene.stack.update(changed, others, &mut run).await;
            let story = format!("{changes} {forward:?} {back:?}: {}", scene.reason());
            assert_eq!(outcome, Outcome::RolledBack, "{story}");
            scene.assert_works(USER, "reads");
            if let Some(value) = back.get("Team") {
                let now = scene.account.user_tags(USER).expect("it is there");
                assert_eq!(now.get("Team"), Some(value), "{story}");
            }
            assert_eq!(scene.delete().await, Outcome::Complete, "{story}");
            scene.assert_nothing_left();
        }
    }
}

/// IAM replaces a tag by one with another spelling; Secrets Manager keeps both.
#[tokio::test(start_paused = true)]
async fn stack_tags_whose_spelling_changes_take_no_more_room_than_there_is() {
    let mut scene = created_with(many(LIMIT - OWNERSHIP), properties()).await;
    let shouted = many(60).into_iter();
    tag(
        &scene,
        shouted
            .map(|(key, _)| (key.to_uppercase(), "b".into()))
            .collect(),
    );
    update(&mut scene, json!({"Revision": "2"})).await;
    scene.assert_works(USER, "reads");
    let now = scene.account.secret_tags(SECRET).expect("it is there");
    assert!(now.len() <= LIMIT, "{}", now.len());
}

/// Tags that somebody else has put on user and secret stay, and take up room.
#[tokio::test(start_paused = true)]
async fn tags_of_others_are_kept_and_leave_less_room() {
    let mut scene = Scene::created().await;
    for at in 0..40 {
        scene
            .account
            .by_hand()
            .tag_user(USER, &format!("by-hand-{at:02}"), "x");
        scene
            .account
            .by_hand()
            .tag_secret(SECRET, &format!("by-hand-{at:02}"), "x");
    }
    tag(&scene, many(60));
    update(&mut scene, json!({"Revision": "2"})).await;
    let now = tags_of(&scene, USER);
    assert_eq!(now.len(), LIMIT - OWNERSHIP);
    assert_eq!(
        now.keys().filter(|key| key.starts_with("by-hand-")).count(),
        40
    );
}
