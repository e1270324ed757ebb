//! What tests stand on. Each file owns one thing; this one is a list.

pub(crate) mod account;
#[expect(dead_code, reason = "the example starts with what no test needs")]
#[path = "../../../examples/local_aws/cloud/mod.rs"]
pub(crate) mod cloud;
pub(crate) mod env;
pub(crate) mod machine;
pub(crate) mod moto;
pub(crate) mod policy;
pub(crate) mod postgres;
pub(crate) mod provision;
pub(crate) mod tree;
pub(crate) mod vault;
#[expect(dead_code, reason = "the example starts with what no test needs")]
#[path = "../../../examples/local_xero/xero/mod.rs"]
pub(crate) mod xero;

pub(crate) use machine::program;
