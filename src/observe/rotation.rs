//! What a rotation by Secrets Manager observes.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join, try_join3};

use super::{KeyUse, Observed, ObservedSecret, ObservedUser, Pair, read_values};
use crate::cloud::{Cloud, Key, Result, Secret};
use crate::names::UserName;
use crate::run::Run;
use crate::secret::AccessKeyId;

/// Observes the user with its keys, and what the labelled versions of its secret hold. A rotation does not need the
/// user's policies and attachments.
pub async fn for_rotation<C: Cloud>(
    run: &Run<'_, C>,
    name: &UserName,
    secret: Secret,
) -> Result<Observed> {
    let mut secret = ObservedSecret {
        ownership: run.owner.classify(&secret.tags),
        secret,
        versions: Vec::new(),
        stored: Default::default(),
        unreadable: None,
    };
    let lists = run.patiently(async || {
        try_join3(
            run.cloud.find_user(name),
            run.cloud.list_keys(name),
            run.cloud.list_versions(&name.secret_name()),
        )
        .await
    });
    let values = read_values(run, &mut secret);
    let ((user, keys, versions), ()) = try_join(lists, values).await?;
    let user = user.map(|user| ObservedUser {
        ownership: run.owner.classify(&user.tags),
        user,
        policies: Default::default(),
        keys,
        attachments: Vec::new(),
        last_used: BTreeMap::new(),
    });
    let secret = ObservedSecret { versions, ..secret };
    Ok(Observed::unasked(
        run,
        Pair {
            name: name.clone(),
            user,
            secret: Some(secret),
            renamed_to: None,
        },
    ))
}

/// The last use of each of these keys, or why it cannot be read.
pub async fn last_uses<C: Cloud>(
    run: &Run<'_, C>,
    keys: impl IntoIterator<Item = &Key>,
) -> BTreeMap<AccessKeyId, KeyUse> {
    let use_of = async |key: &Key| (key.id.clone(), run.cloud.last_used(&key.id).await);
    join_all(keys.into_iter().map(use_of))
        .await
        .into_iter()
        .collect()
}
