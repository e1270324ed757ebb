//! Moving the secrets of a Beanstalk environment from its plain properties to references.

pub mod obstacles;
