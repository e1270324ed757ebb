//! The manifest from the outside: a whole one, every way to break one, and its schema.

use strongroom::manifest::Manifest;

const WHOLE: &str = include_str!("manifest/design.toml");

#[test]
fn a_manifest_with_everything_in_it_is_read() {
    Manifest::parse("strongroom.toml", WHOLE).unwrap_or_else(|error| panic!("{error}"));
}
