//! The one integration binary: a list of its files and nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aws;
mod backup_aws;
mod bad_input;
mod beanstalk;
mod cli_backup;
mod cli_basics;
mod cli_change;
mod cli_edit;
mod cli_exchange;
mod cli_exec;
mod cli_hooks;
mod cli_init;
mod cli_policy;
mod cli_project;
mod cli_recipients;
mod cli_render;
mod cli_status;
mod consumers;
mod crash;
mod database;
mod docs;
mod doctor;
mod examples;
mod leaks;
mod lease;
mod local_aws;
mod local_aws_beanstalk;
mod manifest;
mod migrate;
mod pipe;
mod recovery;
mod rotate;
mod seal;
mod secrets_manager;
mod ssm;
mod store_contract;
mod support;
mod tidy;
mod xero;
mod xero_login;
