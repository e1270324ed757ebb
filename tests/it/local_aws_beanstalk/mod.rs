//! The local AWS's Beanstalk, asked by the clients that people use: the Rust SDK, boto3 and the aws program.

mod apps;
mod clients;
mod deployments;
mod readings;
mod references;
mod stage;
mod templates;
