//! The lock that an app takes before it refreshes, as the documents have it.
