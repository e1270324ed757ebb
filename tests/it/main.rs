//! The one integration binary: a list of its files and nothing else.

mod manifest;
