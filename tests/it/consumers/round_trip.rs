//! What a consumer reads is what was stored: hostile values are rendered, and the real program reads equal bytes, or the
//! value was refused, and then only where the dialect truly cannot hold it.

use super::{Consumer, Cost, EnvFile, Reading, all, corpus, limits};
use std::collections::BTreeMap;
use strongroom::name::Key;
use strongroom::render::{Dialect, RenderError, render};
use strongroom::secret::Secret;

/// Hostile itself: quotes, a dollar, and a backslash at the end of a line.
const HEADER: &str = "made by a test's \"hand\", `secret`, do not edit\nV000=header $HOME ${HOME} \\\n";

type Variables = Vec<(String, String)>;

/// Neighbours that would complete whatever the line before them left open.
const AFTER: [(&str, &str); 5] =
    [("Z1", "plain"), ("Z2", "it's # '."), ("Z3", "say \"x\" # \"."), ("Z4", "`x` #"), ("Z5", "last")];

fn rendered(dialects: &[Dialect], variables: &[(String, String)]) -> Result<Vec<u8>, RenderError> {
    let owned: Vec<(Key, Secret)> = variables
        .iter()
        .map(|(name, value)| (Key::parse(name).unwrap(), Secret::new(value.clone()).unwrap()))
        .collect();
    let borrowed: Vec<(Key, &Secret)> = owned.iter().map(|(key, secret)| (key.clone(), secret)).collect();
    render(dialects, HEADER, &borrowed).map(|text| text.expose().as_bytes().to_vec())
}

fn file(dialects: &[Dialect], variables: &[(String, String)]) -> EnvFile {
    let names = variables.iter().map(|(name, _)| name.clone()).collect();
    EnvFile { names, text: rendered(dialects, variables).unwrap() }
}

/// A variable that the dialects take, and the file that has it alone.
type Carried = ((String, String), Vec<u8>);

/// The variables that the dialects take, each tried by itself.
fn carried(dialects: &[Dialect], variables: &[(String, String)]) -> Vec<Carried> {
    let fits = |one: &(String, String)| match rendered(dialects, std::slice::from_ref(one)) {
        Ok(text) => Some((one.clone(), text)),
        Err(RenderError::Refused(_)) => None,
        Err(other) => panic!("{other}"),
    };
    variables.iter().filter_map(fits).collect()
}

fn consumers_of(dialects: &[Dialect]) -> Vec<Consumer> {
    let portable = dialects.contains(&Dialect::Portable);
    let wanted =
        |consumer: &Consumer| portable || dialects.iter().any(|dialect| dialect.as_str() == consumer.dialect);
    all().into_iter().filter(wanted).collect()
}

/// Writes every value that the dialects take, all in one file, forwards and backwards, and each in a file of its own
/// before neighbours, and has each consumer read them. A variable is written alike whatever stands round it, so the
/// neighbours' text is made once.
fn round_trip(dialects: &[Dialect], variables: &[(String, String)]) {
    let carried = carried(dialects, variables);
    let forwards: Variables = carried.iter().map(|(variable, _)| variable.clone()).collect();
    let backwards: Variables = forwards.iter().rev().cloned().collect();
    let whole = [forwards, backwards];
    let whole_files = whole.each_ref().map(|set| file(dialects, set));
    let neighbours: Variables = AFTER.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let after = self::carried(dialects, &neighbours);
    let (mut alone, mut alone_files) = (Vec::new(), Vec::new());
    for (variable, text) in &carried {
        let set: Variables =
            [variable].into_iter().chain(after.iter().map(|(variable, _)| variable)).cloned().collect();
        let names = set.iter().map(|(name, _)| name.clone()).collect();
        let text =
            std::iter::once(text).chain(after.iter().map(|(_, text)| text)).flatten().copied().collect();
        alone_files.push(EnvFile { names, text });
        alone.push(set);
    }
    let mut wrong = Vec::new();
    for consumer in consumers_of(dialects) {
        wrong.extend(differences(&consumer, &whole, &whole_files));
        if consumer.cost == Cost::Cheap {
            wrong.extend(differences(&consumer, &alone, &alone_files));
        }
    }
    assert!(
        wrong.is_empty(),
        "{dialects:?}: {} of {} values are carried, {} readings are wrong:\n{}",
        carried.len(),
        variables.len(),
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

fn differences(consumer: &Consumer, sets: &[Variables], files: &[EnvFile]) -> Vec<String> {
    let Some(readings) = consumer.read(files) else { return Vec::new() };
    let pairs = sets.iter().zip(&readings);
    pairs
        .flat_map(|(set, reading)| difference(set, reading))
        .map(|what| format!("{}: {what}", consumer.name))
        .collect()
}

fn difference(set: &[(String, String)], reading: &Reading) -> Vec<String> {
    let read = match reading {
        Ok(read) => read,
        Err(why) => {
            return vec![format!(
                "file of {} rejected: {}",
                shown(set[0].1.as_bytes()),
                shown(why.as_bytes())
            )];
        }
    };
    let expected: BTreeMap<&str, &[u8]> =
        set.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let wrong = expected.iter().filter(|(name, value)| read.get(**name).map(Vec::as_slice) != Some(**value));
    let told = wrong.map(|(name, value)| {
        let read = read.get(*name).map_or("nothing".to_owned(), |read| shown(read));
        format!("{name} is {} and was read as {read}", shown(value))
    });
    let surplus = read.keys().filter(|name| !expected.contains_key(name.as_str()));
    told.chain(surplus.map(|name| format!("{name} came from nowhere"))).collect()
}

fn shown(bytes: &[u8]) -> String {
    let text = bytes[..bytes.len().min(160)].escape_ascii();
    format!("`{text}` ({} bytes)", bytes.len())
}

/// Values of the corpus, and random ones of the characters that parsers care about.
fn values() -> Variables {
    let mut values = corpus::named();
    values.extend(corpus::random(300));
    values
}

macro_rules! round_trips {
    ($($name:ident: $($dialect:ident),+;)+) => {$(
        #[test]
        fn $name() {
            round_trip(&[$(Dialect::$dialect),+], &values());
        }
    )+};
}

round_trips! {
    docker_reads_what_was_stored: Docker;
    compose_reads_what_was_stored: Compose;
    python_dotenv_reads_what_was_stored: PythonDotenv;
    django_environ_reads_what_was_stored: DjangoEnviron;
    npm_dotenv_reads_what_was_stored: Node;
    node_reads_what_was_stored: NodeBuiltin;
    dotenvy_reads_what_was_stored: Dotenvy;
    shells_read_what_was_stored: Shell;
    systemd_reads_what_was_stored: Systemd;
    everybody_reads_a_portable_file: Portable;
    docker_and_compose_read_one_file: Docker, Compose;
    python_dotenv_and_shells_read_one_file: PythonDotenv, Shell;
    compose_and_django_environ_read_one_file: Compose, DjangoEnviron;
    shells_and_systemd_read_one_file: Shell, Systemd;
    both_readers_of_node_read_one_file: Node, NodeBuiltin;
    all_that_know_quotes_read_one_file:
        Compose, PythonDotenv, DjangoEnviron, Node, NodeBuiltin, Dotenvy, Shell, Systemd;
}

#[test]
fn a_value_is_refused_only_where_its_dialect_cannot_hold_it() {
    let mut wrong = Vec::new();
    for dialect in Dialect::ALL {
        for (name, value) in values() {
            let refused = rendered(&[dialect], &[(name.clone(), value.clone())]).is_err();
            let expected = limits::cannot_hold(dialect, &name, &value);
            if refused != expected {
                let said = if refused { "refused" } else { "taken" };
                wrong.push(format!("{} {said} {name} {}", dialect.as_str(), shown(value.as_bytes())));
            }
        }
    }
    assert!(wrong.is_empty(), "{} values:\n{}", wrong.len(), wrong.join("\n"));
}

/// The control: a text that is wrong on purpose is found by every consumer of it, so the rig can see.
#[test]
fn a_wrong_encoding_is_found() {
    for consumer in all() {
        let set = vec![("A".to_owned(), "stored".to_owned()), ("B".to_owned(), "b".to_owned())];
        let names = vec!["A".to_owned(), "B".to_owned()];
        let files = ["A=stored \\x\nB=b\n", "A=stored\n", "A=stored\nB=b\nC=c\n"]
            .map(|text| EnvFile { names: names.clone(), text: text.into() });
        let Some(readings) = consumer.read(&files) else { continue };
        assert_eq!(difference(&set, &readings[0]).len(), 1, "{}: {:?}", consumer.name, readings[0]);
        assert_eq!(difference(&set, &readings[1]).len(), 1, "{}: {:?}", consumer.name, readings[1]);
        let asked = consumer.name.contains("interpolation");
        assert_eq!(difference(&set, &readings[2]).len(), usize::from(!asked), "{}", consumer.name);
    }
}
