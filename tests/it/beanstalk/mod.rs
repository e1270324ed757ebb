//! The properties of a Beanstalk environment as a place, on the local AWS.

mod home;
mod pipe;
mod reading;
mod reviewing;
mod settling;
mod stage;
mod writing;
