//! A strict local AWS, to try everything without an account: `cargo run --example local_aws`.
//!
//! Owns the arguments and what is printed; what it answers is in `cloud`.

#[expect(dead_code, reason = "the tests use more of it than this program does")]
mod cloud;

fn main() {}
