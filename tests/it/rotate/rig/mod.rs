//! A load on a login that is rotated.

pub(super) mod site;
