//! lib
pub mod aws;
pub mod buckets;
pub mod cloud;
pub mod names;
pub mod policy;
pub mod properties;
pub mod secret;
