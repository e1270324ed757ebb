//! The time as AWS tells it with an answer: the clock that its dates of change are told by too.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};

/// Keeps the date of the last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Date(Arc<Mutex<Option<Timestamp>>>);

impl Date {
    pub(super) fn told(&self) -> Option<Timestamp> {
        *self.0.lock().expect("no code panics while it holds the lock")
    }
}

#[dyn_dispatch_hint]
impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let header = context.response().headers().get("date");
        let date = header.and_then(|text| DateTime::from_str(text, Format::HttpDate).ok());
        let date = date.and_then(|date| Timestamp::from_second(date.secs()).ok());
        *self.0.lock().expect("no code panics while it holds the lock") = date;
        Ok(())
    }
}
