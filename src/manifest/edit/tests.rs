//! Edits change their own lines and nothing else.

use super::*;
use crate::manifest::generate::Alphabet;
use proptest::prelude::*;

const TEXT: &str = r#"# The app.
version = 1     # of the format

[project]
name = 'shop'   # the folder's name
recipients = [
    "age1one",  # Ada
]

[environments.local]
home = "vault"

[groups.app.keys]
# Signs sessions.
SECRET_KEY   = { secret = true }   # Django's
HOST = {}

[groups.mail]
description = "outgoing mail"
keys.PORT = { value = "25" }

[render.app]
file = ".env"
dialect = "compose"
"#;

fn group(text: &str) -> Group {
    text.parse().unwrap()
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn secret() -> NewKey {
    NewKey { secret: true, ..NewKey::default() }
}

/// The lines that an edit added and took away.
fn difference(after: &str) -> (Vec<&str>, Vec<&str>) {
    let lines = |text: &'static str| text.lines().collect::<Vec<_>>();
    let before = lines(TEXT);
    let after: Vec<&str> = after.lines().collect();
    let added = after.iter().filter(|line| !before.contains(line)).copied().collect();
    (added, before.into_iter().filter(|line| !after.contains(line)).collect())
}

#[test]
fn a_key_is_added_behind_the_others_of_its_group() {
    let text = add_key("f", TEXT, &group("app"), &key("TOKEN"), &secret()).unwrap();
    assert_eq!(difference(&text), (vec!["TOKEN = { secret = true }"], vec![]));
    assert!(text.contains("HOST = {}\nTOKEN = { secret = true }\n\n[groups.mail]"), "{text}");
}

#[test]
fn a_group_that_does_not_exist_is_made_behind_the_others() {
    let text = add_key("f", TEXT, &group("extra"), &key("TOKEN"), &secret()).unwrap();
    assert_eq!(difference(&text), (vec!["[groups.extra.keys]", "TOKEN = { secret = true }"], vec![]));
    assert!(text.contains("\n\n[groups.extra.keys]\nTOKEN = { secret = true }\n\n[render.app]"), "{text}");
}

#[test]
fn a_key_joins_others_that_are_written_with_dots_and_a_group_without_keys() {
    let text = add_key("f", TEXT, &group("mail"), &key("TOKEN"), &secret()).unwrap();
    assert_eq!(difference(&text), (vec!["keys.TOKEN = { secret = true }"], vec![]), "{text}");
    let before = TEXT.replace("keys.PORT = { value = \"25\" }\n", "");
    let text = add_key("f", &before, &group("mail"), &key("TOKEN"), &secret()).unwrap();
    assert!(
        text.contains("outgoing mail\"\n\n[groups.mail.keys]\nTOKEN = { secret = true }\n\n[render"),
        "{text}"
    );
}

#[test]
fn the_first_group_of_a_manifest_is_made() {
    let text = "version = 1\n[project]\nname = \"a\"\n[environments.local]\nhome = \"vault\"\n";
    let text = add_key("f", text, &group("app"), &key("A"), &NewKey::default()).unwrap();
    assert!(text.ends_with("home = \"vault\"\n\n[groups.app.keys]\nA = {}\n"), "{text}");
}

#[test]
fn recipients_come_and_go_in_lines_of_their_own() {
    let text = add_recipient("f", TEXT, "age1two").unwrap();
    assert!(text.contains("\"age1one\",  # Ada\n    \"age1two\",\n]"), "{text}");
    let text = remove_recipient("f", &text, "age1one").unwrap();
    assert!(text.contains("\"age1two\""), "{text}");
    assert_eq!(Manifest::parse("f", &text).unwrap().recipients(), ["age1two"]);
    assert_eq!(add_recipient("f", TEXT, "age1one"), Err(EditError::Recipient));
    assert_eq!(remove_recipient("f", TEXT, "age1two"), Err(EditError::NoRecipient));
}

#[test]
fn a_declaration_changes_in_its_line_only() {
    let generator = Generator::sized(50, Alphabet::Django).unwrap();
    let text = set_generate("f", TEXT, &group("app"), &key("SECRET_KEY"), &generator).unwrap();
    let line = r#"SECRET_KEY   = { secret = true, generate = "django" }   # Django's"#;
    assert_eq!(difference(&text).0, [line]);
    let template = TemplateOf::parse("http://{app/HOST}:80").unwrap();
    let text = set_derive("f", TEXT, &group("mail"), &key("PORT"), &template).unwrap();
    assert_eq!(difference(&text).0, [r#"keys.PORT = { derive = "http://{app/HOST}:80" }"#]);
}

#[test]
fn another_home_keeps_what_stands_around_it() {
    let environment = "local".parse().unwrap();
    let text = set_home("f", TEXT, &environment, "ssm").unwrap();
    assert_eq!(difference(&text), (vec![r#"home = "ssm""#], vec![r#"home = "vault""#]));
    let error = set_home("f", TEXT, &environment, "somewhere").unwrap_err();
    assert!(error.to_string().contains("unknown place `somewhere`"), "{error}");
}

#[test]
fn what_is_there_already_or_not_at_all_is_told() {
    let app = group("app");
    let error = add_key("f", TEXT, &app, &key("HOST"), &secret()).unwrap_err();
    assert_eq!(error, EditError::Declared { group: app.clone(), key: key("HOST") });
    let template = TemplateOf::parse("{HOST}").unwrap();
    let error = set_derive("f", TEXT, &app, &key("NONE"), &template).unwrap_err();
    assert_eq!(error, EditError::Undeclared { group: app, key: key("NONE") });
}

proptest! {
    #[test]
    fn adding_a_key_keeps_every_line_byte_for_byte(
        comment in "[ -~äß]{0,30}",
        spaces in " {0,4}",
        windows in any::<bool>(),
        name in "[A-Z]{3,8}",
        in_new_group in any::<bool>(),
    ) {
        let mut before = TEXT.replace("# Signs sessions.", &format!("{spaces}# {comment}"));
        if windows {
            before = before.replace('\n', "\r\n");
        }
        let target = group(if in_new_group { "zeta" } else { "app" });
        let after = add_key("f", &before, &target, &key(&format!("NEW_{name}")), &secret()).unwrap();
        let mut rest = after.split_inclusive('\n');
        for line in before.split_inclusive('\n') {
            prop_assert!(rest.any(|kept| kept == line), "{line:?} in {after:?}");
        }
    }
}
