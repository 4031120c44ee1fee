//! What happens beside a stack's own operations: the stack gets tags, `CloudFormation` shows it late, somebody forges
//! an event, or Lambda delivers an old one again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::made::{Template, template};
use crate::scene::{OTHER_SECRET, SECRET, Scene};
use publisher_s3_access::cloud::TagMap;

use kit::account::cloudformation::ViewLag;
use kit::function::invoke;

/// The stack's tags and how late it is shown, from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings {
    /// This many tags, half of them in capitals after an odd `spelling`.
    tags: usize,
    spelling: usize,
    seconds: u64,
    looks: u32,
}

pub(super) fn surroundings() -> impl Strategy<Value = Surroundings> {
    let late = select(vec![(0, 0), (0, 0), (0, 2), (5, 0), (15, 1)]);
    (select(vec![0, 0, 2, 30, 60]), 0..4_usize, late).prop_map(
        |(tags, spelling, (seconds, looks))| Surroundings {
            tags,
            spelling,
            seconds,
            looks,
        },
    )
}

impl Surroundings {
    /// Sets them; the tags.
    pub(super) fn set(self, scene: &Scene) -> TagMap {
        let Self {
            tags,
            spelling,
            seconds,
            looks,
        } = self;
        let tag = |at: usize| {
            let key = match (at + spelling) % 4 {
                0 => format!("TAG-{at}"),
                1 => format!("aws:tag-{at}"),
                _ => format!("tag-{at}"),
            };
            (key, format!("{spelling}"))
        };
        let stack = &scene.owner().stack_id;
        let tags: TagMap = (0..tags).map(tag).collect();
        scene.account.tag_stack(stack, tags.clone());
        scene.account.view_lags(ViewLag {
            time: Duration::from_secs(seconds),
            looks,
        });
        tags
    }

    /// What the summary counts.
    pub(super) fn kind(self) -> &'static str {
        if self.seconds > 0 || self.looks > 0 {
            "late views from then on"
        } else {
            "changed stack tags"
        }
    }
}

/// User and secret have the stack's tags as CloudFormation showed them last, but for those that AWS reserves. If the stack
/// `ever` had more keys than fit, some may have found no room.
#[track_caller]
pub(super) fn assert_tagged(scene: &Scene, user: &str, tags: &TagMap, ever: &BTreeSet<String>) {
    let fits = ever.len() + 2 <= 50;
    for present in [
        scene.account.user_tags(user),
        scene.account.secret_tags(&format!("publisher/{user}")),
    ] {
        let present = present.expect("it is there");
        for (key, value) in tags {
            let reserved = key.starts_with("aws:");
            let there = !reserved && (fits || present.contains_key(key));
            let expected = there.then_some(value);
            assert_eq!(present.get(key), expected, "{key}: {present:?}");
        }
    }
}

/// An event that no stack sends now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// An earlier request, delivered again.
    Again(usize),
    /// Invented, with the living pair's id or another.
    Forged {
        kind: &'static str,
        template: Template,
        id: &'static str,
    },
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let ids = vec![
        "publisher/publisher-reader",
        "publisher/publisher-other",
        "publisher/publisher-stranger",
        "mine-S3Access-1ABC",
    ];
    let kinds = select(vec!["Create", "Update", "Delete"]);
    let forged = (kinds, template(), select(ids));
    prop_oneof![
        (0..100_usize).prop_map(Event::Again),
        forged.prop_map(|(kind, template, id)| Event::Forged { kind, template, id }),
    ]
}

/// All that there is, to see that nothing was changed. A secret that is pending deletion goes by itself when its time is
/// up.
pub(super) fn everything(scene: &Scene) -> BTreeMap<String, String> {
    let mut all = scene.everything();
    for secret in [SECRET, OTHER_SECRET] {
        if scene.account.is_pending_deletion(secret) {
            all.retain(|arn, _| !arn.contains(&format!(":secret:{secret}-")));
        }
    }
    all
}

impl Event {
    /// The stack is at rest, so no event makes, changes or removes anything.
    pub(super) async fn happen(self, scene: &mut Scene) {
        let event = self.of(scene);
        let before = everything(scene);
        let answer = invoke(&scene.account, &scene.process(), &event).await;
        assert!(answer.is_some(), "{self:?} is answered");
        assert_eq!(everything(scene), before, "{self:?}: {answer:?}");
    }

    /// What the summary counts.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Again(_) => "requests again",
            Self::Forged { .. } => "forged events",
        }
    }

    fn of(self, scene: &mut Scene) -> Value {
        match self {
            Self::Again(at) => {
                let history = scene.stack.history();
                history[at % history.len()].event.clone()
            }
            Self::Forged { kind, template, id } => {
                let id = (kind != "Create").then_some(id);
                let old = json!({"Buckets": "reads"});
                let old = (kind == "Update").then_some(&old);
                let properties = template.properties(99);
                scene.stack.request(kind, id, &properties, old)
            }
        }
    }
}
