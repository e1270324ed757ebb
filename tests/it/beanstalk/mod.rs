//! The properties of a Beanstalk environment as a place, on the local AWS.

mod reading;
mod reviewing;
mod settling;
mod stage;
mod writing;
