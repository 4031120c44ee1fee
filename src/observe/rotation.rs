//! What a rotation by Secrets Manager has to know.

use futures_util::future::try_join4;

use super::{ObservedSecret, ObservedUser, Pair, stored};
use crate::cloud::{Cloud, Result, Secret};
use crate::names::UserName;
use crate::ownership::Owner;

/// Observes the user with its keys, and what the labelled versions of its secret hold. `owner` is whom the secret's tags
/// name. The user's policies and what else hangs on it are no rotation's business and are not asked for.
pub async fn for_rotation<C: Cloud>(
    cloud: &C,
    owner: &Owner,
    name: &UserName,
    secret: Secret,
) -> Result<Pair> {
    let secret_name = name.secret_name();
    let (user, keys, versions, stored) = try_join4(
        cloud.find_user(name),
        cloud.list_keys(name),
        cloud.list_versions(&secret_name),
        stored(cloud, &secret),
    )
    .await?;
    let user = user.map(|user| ObservedUser {
        ownership: owner.classify(&user.tags),
        user,
        policies: Default::default(),
        keys,
        attachments: Vec::new(),
    });
    let ownership = owner.classify(&secret.tags);
    let secret = ObservedSecret {
        secret,
        ownership,
        versions,
        stored,
    };
    Ok(Pair {
        name: name.clone(),
        user,
        secret: Some(secret),
        renamed_to: None,
    })
}
