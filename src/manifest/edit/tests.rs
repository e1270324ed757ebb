//! Edits change their own lines and nothing else.

use super::*;
use crate::manifest::Manifest;
use crate::manifest::derive::TemplateOf;
use crate::manifest::generate::{Alphabet, Generator};
use crate::name::{Environment, Group, Key};
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

mod places {
    use super::*;

    /// A manifest with each way to write a table, and Windows' line ends where asked.
    fn edits(before: &str, edit: impl Fn(&str) -> Result<String, EditError>) -> String {
        let after = edit(before).unwrap_or_else(|error| panic!("{error}"));
        let windows = edit(&before.replace('\n', "\r\n")).unwrap();
        assert_eq!(windows, after.replace('\n', "\r\n"), "line ends stay");
        after
    }

    fn manifest(copy: &str, groups: &str) -> String {
        format!(
            "version = 1\nproject.name = \"shop\"\n[environments.prod]\nhome = \"ssm\"\n{copy}\n{groups}\n# The end.\n"
        )
    }

    const KEYS: &str = "[groups.app.keys]\nA = { secret = true }\nB = { secret = true }\nC = {}\n";
    const COPY: &str = r#"
[environments.prod.copies.web]   # Beanstalk
kind = "beanstalk"
application = "shop"             # in our account
environment = "shop-prod"
"#;

    fn prod() -> Environment {
        "prod".parse().unwrap()
    }

    fn refer(text: &str, to: &[&str]) -> Result<String, EditError> {
        let references: Vec<_> = to.iter().map(|address| address.parse().unwrap()).collect();
        set_copy_references("f", text, &prod(), "web", &references)
    }

    #[test]
    fn references_come_one_after_another_and_go_when_every_secret_is_one() {
        let before = manifest(COPY, KEYS);
        let one = edits(&before, |text| refer(text, &["app/A"]));
        let added = "environment = \"shop-prod\"\nsecrets = \"value\"\nreferences = [\"app/A\"]\n";
        assert_eq!(one, before.replace("environment = \"shop-prod\"\n", added));
        let two = edits(&one, |text| refer(text, &["app/C", "app/A"]));
        assert_eq!(two, one.replace("[\"app/A\"]", "[\"app/A\", \"app/C\"]"));
        assert_eq!(edits(&two, |text| refer(text, &["app/A"])), one);
        let all = edits(&two, |text| set_copy_secrets("f", text, &prod(), "web", "reference"));
        assert_eq!(
            all,
            before.replace(
                "environment = \"shop-prod\"\n",
                "environment = \"shop-prod\"\nsecrets = \"reference\"\n",
            )
        );
        let none = edits(&two, |text| refer(text, &[]));
        assert_eq!(none, one.replace("references = [\"app/A\"]\n", ""));
        let spec = |text: &str| {
            Manifest::parse("f", text).unwrap().environment("prod").unwrap().copies["web"].clone()
        };
        assert_eq!(spec(&two).references.len(), 2);
        assert!(spec(&all).has_references() && !spec(&none).has_references());
    }

    proptest! {
        #[test]
        fn whatever_was_listed_the_list_says_what_is_wanted_and_other_lines_stay(
            before in prop::sample::subsequence(vec!["app/A", "app/B", "app/C"], 0..=3),
            wanted in prop::sample::subsequence(vec!["app/A", "app/B", "app/C"], 0..=3).prop_shuffle(),
            in_lines in any::<bool>(),
            comments in prop::collection::vec("[ -~]{0,9}", 3),
        ) {
            let element = |(name, comment): (&&str, &String)| match in_lines {
                true => format!("\n  \"{name}\", # {comment}"),
                false => format!("\"{name}\", "),
            };
            let list: String = before.iter().zip(&comments).map(element).collect();
            let end = if in_lines { "\n" } else { "" };
            let text = manifest(&format!("{COPY}references = [{list}{end}]\n"), KEYS);
            let after = edits(&text, |text| refer(text, &wanted));
            let read = Manifest::parse("f", &after).unwrap();
            let copy = &read.environment("prod").unwrap().copies["web"];
            let mut listed: Vec<String> = copy.references.iter().map(ToString::to_string).collect();
            listed.sort();
            let mut sorted = wanted.clone();
            sorted.sort_unstable();
            prop_assert_eq!(listed, sorted);
            for (name, comment) in before.iter().zip(&comments).filter(|(name, _)| in_lines && wanted.contains(name)) {
                let line = format!("\"{name}\", # {comment}");
                prop_assert!(after.contains(&line), "{line} in {after}");
            }
            let others = |text: &str| -> Vec<String> {
                let (head, rest) = text.split_once("references").unwrap_or((text, ""));
                let rest = rest.split_once("\n\n").map_or("", |(_, rest)| rest);
                head.lines().filter(|line| !line.starts_with("secrets")).chain(rest.lines()).map(str::to_owned).collect()
            };
            if !wanted.is_empty() {
                prop_assert_eq!(others(&after), others(&text));
            }
            prop_assert_eq!(refer(&after, &wanted).unwrap(), after, "the second time changes nothing");
        }
    }

    #[test]
    fn a_list_that_a_person_wrote_keeps_its_words_and_comments() {
        let list = "secrets = \"value\"\n# Moved so far.\nreferences = [\n  \"A\",  # first\n  \"app/B\",  # second\n]\ngroups = [\"app\"]\n";
        let before = manifest(&format!("{COPY}{list}"), KEYS);
        let after = edits(&before, |text| refer(text, &["app/A", "app/C"]));
        assert_eq!(after, before.replace("  \"app/B\",  # second\n", "  \"app/C\",\n"));
        let after = edits(&before, |text| refer(text, &[]));
        let gone = "references = [\n  \"A\",  # first\n  \"app/B\",  # second\n]\n";
        assert_eq!(after, before.replace(gone, ""));
    }

    #[test]
    fn a_copy_in_one_line_or_with_dots_is_changed_as_it_is_written() {
        let inline =
            "copies.web = { kind = \"beanstalk\", application = \"a\", environment = \"b\" }  # the web\n";
        let before = manifest(inline, KEYS);
        let one = edits(&before, |text| refer(text, &["app/A"]));
        let added = "\"b\", secrets = \"value\", references = [\"app/A\"] }";
        assert_eq!(one, before.replace("\"b\" }", added));
        let none = edits(&one, |text| refer(text, &[]));
        assert_eq!(none, before.replace("\"b\" }", "\"b\", secrets = \"value\" }"));

        let dotted = "copies.web.kind = \"beanstalk\"\ncopies.web.application = \"a\"\ncopies.web.environment = \"b\"\n";
        let before = manifest(dotted, KEYS);
        let one = edits(&before, |text| refer(text, &["app/A"]));
        let added = "copies.web.secrets = \"value\"\ncopies.web.references = [\"app/A\"]\n";
        assert_eq!(one, before.replace(dotted, &format!("{dotted}{added}")));
        let none = edits(&one, |text| refer(text, &[]));
        assert_eq!(none, one.replace("copies.web.references = [\"app/A\"]\n", ""));
    }

    #[test]
    fn what_cannot_be_referred_to_is_not_written() {
        let error = refer(&manifest(COPY, KEYS), &["app/D"]).unwrap_err().to_string();
        assert!(error.contains("`app` has no key `D`"), "{error}");
        let text = manifest(COPY, KEYS);
        let error = set_copy_references("f", &text, &prod(), "wep", &[]).unwrap_err();
        assert_eq!(error.to_string(), "the environment `prod` has no copy `wep`");
    }

    fn name(text: &str) -> Result<String, EditError> {
        set_document_path("f", text, &group("app"), "x/{key}")
    }

    #[test]
    fn a_group_gets_the_name_of_its_documents_however_it_is_written() {
        let added = "path.secretsmanager = \"x/{key}\"\n";
        for (groups, expected) in [
            // A table of its own.
            (
                "[groups.app]\ndescription = \"d\"  # why\n",
                format!("[groups.app]\ndescription = \"d\"  # why\n{added}"),
            ),
            // Only that of its keys.
            (
                "[groups.more.keys]\nX = {}\n\n# Ours.\n[groups.app.keys]\nA = {}\n",
                format!(
                    "[groups.more.keys]\nX = {{}}\n\n[groups.app]\n{added}\n# Ours.\n[groups.app.keys]\nA = {{}}\n"
                ),
            ),
            // In one line, with dots.
            (
                "groups.app = { keys.A = {} }\n",
                "groups.app = { keys.A = {}, path = { secretsmanager = \"x/{key}\" } }\n".to_owned(),
            ),
            ("[groups]\napp.keys.A = {}\n", format!("[groups]\napp.keys.A = {{}}\napp.{added}")),
            // With a path.
            (
                "[groups.app]\npath.ssm = \"/y/{key}\"\nkeys.A = {}\n",
                format!("[groups.app]\npath.ssm = \"/y/{{key}}\"\n{added}keys.A = {{}}\n"),
            ),
            (
                "[groups.app]\npath = { ssm = \"/y/{key}\", secretsmanager = \"y\" }  # where\n",
                "[groups.app]\npath = { ssm = \"/y/{key}\", secretsmanager = \"x/{key}\" }  # where\n"
                    .to_owned(),
            ),
            (
                "[groups.app.path]\nssm = \"/y/{key}\"\n",
                "[groups.app.path]\nssm = \"/y/{key}\"\nsecretsmanager = \"x/{key}\"\n".to_owned(),
            ),
            (
                "[groups.app]\npath = \"/y/{key}\"  # where\n",
                "[groups.app]\npath = { ssm = \"/y/{key}\", secretsmanager = \"x/{key}\" }  # where\n"
                    .to_owned(),
            ),
        ] {
            let head = "version = 1\nproject.name = \"shop\"\n";
            let (inline, tables) = if groups.starts_with('g') { (groups, "") } else { ("", groups) };
            let before = format!("{head}{inline}[environments.prod]\nhome = \"ssm\"\n\n{tables}# The end.\n");
            let after = edits(&before, name);
            assert_eq!(after, before.replace(groups, &expected));
            let manifest = Manifest::parse("f", &after).unwrap();
            let address = "app/A".parse().unwrap();
            assert_eq!(manifest.document_name(&prod(), &address).unwrap(), "x/A");
            let parameter = if groups.contains("/y/") { "/y/A" } else { "/shop/prod/app/A" };
            assert_eq!(manifest.ssm_name(&prod(), &address).unwrap(), parameter);
            assert_eq!(name(&after).unwrap(), after, "the second time changes nothing");
        }
        let error = set_document_path("f", TEXT, &group("none"), "x").unwrap_err();
        assert_eq!(error, EditError::NoGroup(group("none")));
    }

    #[test]
    fn a_key_becomes_a_secret_and_stops_being_one() {
        let secret = |text: &str, secret| set_key_secret("f", text, &group("app"), &key("A"), secret);
        for (plain, marked) in [
            ("[groups.app.keys]\nA = {}  # why\n", "[groups.app.keys]\nA = { secret = true }  # why\n"),
            (
                "[groups.app.keys]\nA = { optional = true }\n",
                "[groups.app.keys]\nA = { optional = true, secret = true }\n",
            ),
            ("[groups.app.keys.A]\n# why\n", "[groups.app.keys.A]\nsecret = true\n# why\n"),
            (
                "[groups.app.keys]\nA.optional = true\n",
                "[groups.app.keys]\nA.optional = true\nA.secret = true\n",
            ),
        ] {
            let before = manifest("", plain);
            let after = edits(&before, |text| secret(text, true));
            assert_eq!(after, before.replace(plain, marked));
            assert_eq!(edits(&after, |text| secret(text, false)), before);
            assert_eq!(secret(&after, true).unwrap(), after);
            assert_eq!(secret(&before, false).unwrap(), before);
        }
        let first = manifest("", "[groups.app.keys]\nA = { secret = true, generate = \"hex\" }\n");
        let after = edits(&first, |text| secret(text, false));
        assert_eq!(after, first.replace("{ secret = true, generate", "{ generate"));
        let only = manifest("", "[groups.app.keys]\nA.secret = true  # why\n");
        let after = edits(&only, |text| secret(text, false));
        assert_eq!(after, only.replace("true", "false"), "its only field declares it");
    }

    #[test]
    fn a_value_that_stands_in_the_manifest_is_not_called_a_secret() {
        let error = set_key_secret("f", TEXT, &group("mail"), &key("PORT"), true).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`mail/PORT` has its value in the manifest, line 20, where a secret never stands"
        );
        let error = set_key_secret("f", TEXT, &group("mail"), &key("HOST"), true).unwrap_err();
        assert_eq!(error, EditError::Undeclared { group: group("mail"), key: key("HOST") });
        let text = manifest("", "[groups.app.keys]\nA = { type = \"String\" }\n");
        let error = set_key_secret("f", &text, &group("app"), &key("A"), true).unwrap_err();
        assert!(error.to_string().contains("a secret in an SSM parameter that is not encrypted"), "{error}");
    }

    #[test]
    fn an_undeclared_property_is_declared_in_a_group_however_that_is_written() {
        for (groups, expected) in [
            (
                "groups.app = { keys.A = {} }\n",
                "groups.app = { keys.A = {}, keys.NEW = { secret = true } }\n",
            ),
            (
                "groups.app = { description = \"d\" }\n",
                "groups.app = { description = \"d\", keys = { NEW = { secret = true } } }\n",
            ),
            (
                "groups.app.description = \"d\"\n",
                "groups.app.description = \"d\"\n\n[groups.app.keys]\nNEW = { secret = true }\n",
            ),
        ] {
            let before = format!(
                "version = 1\nproject.name = \"shop\"\n{groups}[environments.prod]\nhome = \"ssm\"\n"
            );
            let after = edits(&before, |text| add_key("f", text, &group("app"), &key("NEW"), &secret()));
            assert_eq!(after, before.replace(groups, expected));
        }
    }
}
