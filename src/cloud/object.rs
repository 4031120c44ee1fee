//! Objects in a bucket, as a proof sees them.

/// An object as S3 lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    pub size: u64,
    /// Whether its storage class has to be restored before it can be read.
    pub archived: bool,
}

/// The result of reading an object's first byte, once access was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectRead {
    /// The byte was read, and decrypted where the object is encrypted.
    Read,
    /// The object is empty: it has no first byte.
    Empty,
    /// The object is archived and has to be restored first.
    Archived,
    /// The object was deleted since it was listed.
    Gone,
    /// The object is encrypted under a key that its owner sends with each request (SSE-C).
    CustomerKey,
}
