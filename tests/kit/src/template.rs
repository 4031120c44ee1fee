//! The template, and a stack made from it.

pub mod document;
pub mod rendering;
