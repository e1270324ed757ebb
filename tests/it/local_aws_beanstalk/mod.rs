//! The local AWS's Beanstalk, asked by the clients that people use: the Rust SDK, boto3 and the aws program.

mod clients;
mod deployments;
mod readings;
mod references;
mod stage;
