//! Files as people write them, read by the real consumer and by the product's model of it: where the model takes the file,
//! both agree. The model may refuse what the consumer takes (a line that is passed over, a command), never the reverse.

use super::{Consumer, Cost, EnvFile, Reading, all, corpus};
use std::collections::BTreeMap;
use strongroom::render::{Dialect, read};

/// What people write, and what research found consumers to make of it.
const WRITTEN: [&str; 30] = [
    "A=1\nB=two\n",
    "# c\nA=3\n",
    "\n\nA=1\n\n# A=2\n",
    "A=1",
    "A=1\r\nB=2\r\n",
    "A=\nB=\"\"\nC=''\n",
    "A='x y'\nB=\"x y\"\nC=x y\n",
    "export A=1\n",
    "A = 1\n",
    " A=1\n",
    "A= 1\n",
    "A=1 # c\n",
    "A='1' # c\n",
    "A=\"1\" # c\n",
    "A=a#b\n",
    "A=$B\nB=1\n",
    "B=1\nA=$B\n",
    "B=1\nA=${B}x\n",
    "A=${NOBODY:-d}\n",
    "B=1\nA='$B'\n",
    "A=\"a\\nb\"\n",
    "A='a\\nb'\n",
    "A=\"a\nb\"\n",
    "A='a\nb'\n",
    "A=it's\n",
    "A=C:\\dir\\file\n",
    "A=\"a\\\"b\"\n",
    "A='a'b\n",
    "A=1\nA=2\n",
    "A: 1\n",
];

/// Versions that the product reads like; it writes for older ones too, but a file to import is read as of today.
fn is_current(consumer: &Consumer) -> bool {
    !["1.0", "0.11", "node 20"].iter().any(|old| consumer.name.contains(old)) && consumer.cost == Cost::Cheap
}

/// What releases of one consumer are known to read differently, so that no model can be right about it: a comment that
/// ends in a backslash goes on in systemd before 253; Node skips blanks after `=` as far as the next line in some
/// releases, and tabs only since 22 or so.
fn releases_differ(dialect: Dialect, text: &str) -> bool {
    let comment = |line: &str| line.trim_start().starts_with(['#', ';']) && line.ends_with('\\');
    match dialect {
        Dialect::Systemd => text.lines().any(comment),
        Dialect::NodeBuiltin => {
            text.contains('\t') || text.replace('\r', "").lines().any(no_value) || text.contains('\r')
        }
        _ => false,
    }
}

/// `A=` with nothing or blanks, or with a comment, in its place.
fn no_value(line: &str) -> bool {
    line.split_once('=').is_some_and(|(_, value)| value.trim().is_empty() || value.trim().starts_with('#'))
}

fn file(text: &str) -> EnvFile {
    EnvFile { names: vec!["A".into()], text: text.into() }
}

#[test]
fn every_consumer_reads_a_plain_file() {
    for consumer in all() {
        let files = [file(WRITTEN[0]), file(WRITTEN[1])];
        let Some(readings) = consumer.read(&files) else { continue };
        let value =
            |file: usize| readings[file].as_ref().map(|read| read.get("A").cloned().unwrap_or_default());
        assert_eq!(value(0), Ok(b"1".to_vec()), "{}", consumer.name);
        assert_eq!(value(1), Ok(b"3".to_vec()), "{}", consumer.name);
    }
}

/// What the model makes of the text; `None` where it refuses the file.
fn modelled(dialect: Dialect, text: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let pairs = read(dialect, text).ok()?;
    Some(pairs.into_iter().map(|(key, value)| (key.to_string(), value.expose().into())).collect())
}

fn model_agrees(dialect: Dialect, random: usize) {
    let mut texts: Vec<String> = WRITTEN.map(str::to_owned).into();
    texts.extend(corpus::random_files(random));
    texts.retain(|text| !releases_differ(dialect, text));
    let taken: Vec<(String, BTreeMap<String, Vec<u8>>)> =
        texts.into_iter().filter_map(|text| Some((text.clone(), modelled(dialect, &text)?))).collect();
    assert!(taken.len() > 10, "the model of {dialect} takes {} files", taken.len());
    let files: Vec<EnvFile> = taken.iter().map(|(text, _)| file(text)).collect();
    for consumer in all().into_iter().filter(|one| one.dialect == dialect.as_str()).filter(is_current) {
        let Some(readings) = consumer.read(&files) else { continue };
        let agrees = |reading: &Reading, expected| reading.as_ref().is_ok_and(|read| read == expected);
        let wrong = taken.iter().zip(&readings).filter(|((_, expected), reading)| !agrees(reading, expected));
        let told: Vec<String> = wrong
            .map(|((text, expected), reading)| {
                let shown = |read: &BTreeMap<String, Vec<u8>>| {
                    let pair =
                        |(name, value): (&String, &Vec<u8>)| format!("{name}=`{}`", value.escape_ascii());
                    read.iter().map(pair).collect::<Vec<_>>().join(" ")
                };
                format!(
                    "{text:?}: {} but the model says {}",
                    reading.as_ref().map_or("rejected".into(), shown),
                    shown(expected)
                )
            })
            .collect();
        assert!(
            told.is_empty(),
            "{} of {} files, {}:\n{}",
            told.len(),
            taken.len(),
            consumer.name,
            told.join("\n")
        );
    }
}

macro_rules! models_agree {
    ($($name:ident: $dialect:ident;)+) => {$(
        #[test]
        fn $name() {
            model_agrees(Dialect::$dialect, 400);
        }
    )+};
}

models_agree! {
    the_model_of_docker_reads_as_docker_does: Docker;
    the_model_of_compose_reads_as_compose_does: Compose;
    the_model_of_python_dotenv_reads_as_it_does: PythonDotenv;
    the_model_of_django_environ_reads_as_it_does: DjangoEnviron;
    the_model_of_npm_dotenv_reads_as_it_does: Node;
    the_model_of_node_reads_as_node_does: NodeBuiltin;
    the_model_of_dotenvy_reads_as_it_does: Dotenvy;
    the_model_of_shells_reads_as_they_do: Shell;
    the_model_of_systemd_reads_as_it_does: Systemd;
}
