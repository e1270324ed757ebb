//! The rig itself, on files as people write them: every consumer reads what research measured on it.

use super::{EnvFile, all};

#[test]
fn every_consumer_reads_a_plain_file() {
    for consumer in all() {
        let files =
            ["A=1\nB=two\n", "# c\nA=3\n"].map(|text| EnvFile { names: vec!["A".into()], text: text.into() });
        let Some(readings) = consumer.read(&files) else { continue };
        let value =
            |file: usize| readings[file].as_ref().map(|read| read.get("A").cloned().unwrap_or_default());
        assert_eq!(value(0), Ok(b"1".to_vec()), "{}", consumer.name);
        assert_eq!(value(1), Ok(b"3".to_vec()), "{}", consumer.name);
    }
}
