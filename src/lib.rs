//! strongroom: the secrets of an app on AWS Elastic Beanstalk, where each lives, how it reaches the containers, and how
//! it changes without anybody losing it.

pub mod apply;
#[doc(hidden)]
pub mod cli;
pub mod document;
pub mod durable;
pub mod journal;
pub mod manifest;
pub mod name;
pub mod plan;
pub mod render;
pub mod seal;
pub mod secret;
pub mod snapshot;
pub mod store;
