//! What tests stand on. Each file owns one thing; this one is a list.

pub(crate) mod env;
pub(crate) mod machine;
pub(crate) mod provision;
pub(crate) mod vault;

pub(crate) use machine::program;
