//! The traps that were measured on the real consumers, one claim each: what is written, what is read, what is refused.

use super::*;
use crate::name::Key;
use crate::secret::Secret;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn rendered(dialects: &[Dialect], value: &str) -> Result<String, RenderError> {
    let secret = secret(value);
    render(dialects, "", &[(Key::parse("A").unwrap(), &secret)]).map(|text| text.expose().to_owned())
}

#[track_caller]
fn writes(dialect: Dialect, value: &str, text: &str) {
    assert_eq!(rendered(&[dialect], value).unwrap(), format!("A={text}\n"), "{dialect}");
}

#[track_caller]
fn refuses(dialects: &[Dialect], value: &str, expected: Reason) -> Dialect {
    match rendered(dialects, value) {
        Err(RenderError::Refused(refused)) => {
            assert_eq!(refused.refusals[0].reason, expected);
            refused.refusals[0].dialect
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn reads(dialect: Dialect, text: &str, expected: &[(&str, &str)]) {
    let read = read(dialect, text).unwrap_or_else(|error| panic!("{error}"));
    let read: Vec<(&str, &str)> = read.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    assert_eq!(read, expected, "{dialect}");
}

#[track_caller]
fn rejects(dialect: Dialect, text: &str, line: usize, problem: ReadProblem) {
    assert_eq!(read(dialect, text).unwrap_err(), ReadError { dialect, line, problem });
}

#[test]
fn plain_values_are_written_bare_in_every_dialect() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect != Dialect::Json) {
        writes(dialect, "rediss://h:6379/0?ssl_cert_reqs=none", "rediss://h:6379/0?ssl_cert_reqs=none");
        writes(dialect, "", "");
    }
}

#[test]
fn docker_takes_the_rest_of_the_line_and_one_cr_away() {
    writes(Dialect::Docker, "a 'b' # $c", "a 'b' # $c");
    writes(Dialect::Docker, "a\r", "a\r\r");
    refuses(&[Dialect::Docker], "a\nb", Reason::LineBreak);
    reads(Dialect::Docker, "A='x' # y\r\n", &[("A", "'x' # y")]);
    rejects(Dialect::Docker, "A=1\nexport B=2\n", 2, ReadProblem::NotAnAssignment);
    rejects(Dialect::Docker, "A\n", 1, ReadProblem::Outside);
}

#[test]
fn docker_reads_a_line_of_65535_bytes_and_not_one_more() {
    assert!(rendered(&[Dialect::Docker], &"x".repeat(65_533)).is_ok());
    refuses(&[Dialect::Docker], &"x".repeat(65_534), Reason::LineTooLong { bytes: 65_536, limit: 65_535 });
    refuses(
        &[Dialect::Docker],
        &format!("{}\r", "x".repeat(65_532)),
        Reason::LineTooLong { bytes: 65_536, limit: 65_535 },
    );
}

#[test]
fn no_process_can_be_given_more_than_max_arg_strlen() {
    assert!(rendered(&[Dialect::Shell], &"x".repeat(131_069)).is_ok());
    refuses(&[Dialect::Shell], &"x".repeat(131_070), Reason::TooLong { bytes: 131_072, limit: 131_071 });
}

#[test]
fn compose_needs_double_quotes_for_quotes_and_backslashes() {
    writes(Dialect::Compose, "pa$$ word", "'pa$$ word'");
    writes(Dialect::Compose, "it's $5 \\", "\"it's \\$5 \\\\\"");
    writes(Dialect::Compose, "a\nb", "'a\nb'");
    reads(Dialect::Compose, "A=x\nB=\"${A}-$A\"\nC=$$x # y\n", &[("A", "x"), ("B", "x-x"), ("C", "$x")]);
    reads(Dialect::Compose, "A=\nB=${A:-d} ${A-d} ${A:+n}\n", &[("A", ""), ("B", "d  ")]);
    // The rest of the line after a closing quote is a statement of its own.
    reads(Dialect::Compose, "A='1'B='2'\n", &[("A", "1"), ("B", "2")]);
    rejects(Dialect::Compose, "A=1\nB='x\n", 2, ReadProblem::Unterminated);
    rejects(Dialect::Compose, "A=${\n", 1, ReadProblem::Expansion);
}

#[test]
fn python_dotenv_has_no_escape_for_an_expansion_but_a_nameless_default() {
    writes(Dialect::PythonDotenv, "${HOME}", "\"${:-$}{HOME}\"");
    writes(Dialect::PythonDotenv, "a b\\", "\"a b${:-\\\\}\"");
    writes(Dialect::PythonDotenv, "C:\\dir\\", "C:\\dir\\");
    writes(Dialect::PythonDotenv, "a\rb", "\"a\\rb\"");
    reads(Dialect::PythonDotenv, "A='x'\nB='${A}$A'\n", &[("A", "x"), ("B", "x$A")]);
    rejects(Dialect::PythonDotenv, "A='x'y\nB=1\n", 1, ReadProblem::Skipped);
}

#[test]
fn django_environ_has_no_second_line_and_follows_a_leading_dollar() {
    writes(Dialect::DjangoEnviron, "it's \"#\" $x", "'it's \"#\" $x'");
    writes(Dialect::DjangoEnviron, "\"a\\b\"", "\"\\\"a\\\\b\\\"\"");
    for end in ["\n", "\r", "\u{b}", "\u{c}", "\u{1c}", "\u{85}", "\u{2028}"] {
        refuses(&[Dialect::DjangoEnviron], &format!("a{end}b"), Reason::LineBreak);
    }
    refuses(&[Dialect::DjangoEnviron], "$abc", Reason::LeadingDollar);
    reads(Dialect::DjangoEnviron, "A=1 # c\n", &[("A", "1 # c")]);
}

#[test]
fn npm_dotenv_is_guarded_against_running_on_after_a_last_backslash() {
    writes(Dialect::Node, "a b\\", "'a b\\' # '.");
    writes(Dialect::Node, "it's \"x\" `y`", "'it's \"x\" `y`'");
    writes(Dialect::Node, "'`\"\n", "\"'`\"\\n\"");
    refuses(&[Dialect::Node], "'`\"#", Reason::NoForm);
    // The run-on itself: the escaped quote is no end if a later one can be.
    reads(Dialect::Node, "A='x\\'\nB='#'\n", &[("A", "x\\'\nB=")]);
    reads(Dialect::Node, "A='x\\'\nB='y'\n", &[("A", "x\\"), ("B", "y")]);
    reads(Dialect::Node, "A=\"x\\\"y\"\nB=1#2\n", &[("A", "x\\\"y"), ("B", "1")]);
    // A carriage return has to be an escape, and the guard is needed all the same.
    writes(Dialect::Node, "\r\\", r#""\r\" # "."#);
}

#[test]
fn node_itself_knows_three_quotes_and_no_escapes() {
    writes(Dialect::NodeBuiltin, "a\\'b", "`a\\'b`");
    writes(Dialect::NodeBuiltin, "a '`\" b", "a '`\" b");
    refuses(&[Dialect::NodeBuiltin], "'`\"", Reason::NoForm);
    refuses(&[Dialect::NodeBuiltin], "a\rb", Reason::CarriageReturn);
    // An indented comment with `=` is a variable, whose name no key may have.
    rejects(Dialect::NodeBuiltin, "A=1\n  # a=b\n", 2, ReadProblem::Name);
    // So is a comment without a line end.
    rejects(Dialect::NodeBuiltin, "A=1\n# a=b", 2, ReadProblem::Name);
}

#[test]
fn dotenvy_loses_a_quote_after_a_name_and_knows_few_escapes() {
    writes(Dialect::Dotenvy, "x\\", "\"x\\\\\"");
    rejects(Dialect::Dotenvy, "A='x\\'\n", 1, ReadProblem::Unterminated);
    rejects(Dialect::Dotenvy, "A=\"$A\"\n", 1, ReadProblem::Unterminated);
    rejects(Dialect::Dotenvy, "A=\"\\t\"\n", 1, ReadProblem::Escape);
    rejects(Dialect::Dotenvy, "A=b c\n", 1, ReadProblem::NotAnAssignment);
}

#[test]
fn the_shell_gets_single_quotes_and_runs_nothing_on_import() {
    writes(Dialect::Shell, "it's $(id) `id`", "'it'\\''s $(id) `id`'");
    for program in [
        "A=$(id)\n",
        "A=`id`\n",
        "A=\"$(id)\"\n",
        "A=1 id\n",
        "id\n",
        "A=1&&id\n",
        "A=1 export B=2\n",
        ";A=1\n",
        "A=$'x'\n",
        "A=1 export B=2\n",
        ";A=1\n",
    ] {
        rejects(Dialect::Shell, program, 1, ReadProblem::Program);
    }
    reads(Dialect::Shell, "export A=1 B='x y'; C=\"$A\\$\" # c\n", &[("A", "1"), ("B", "x y"), ("C", "1$")]);
    rejects(Dialect::Shell, "A=pa$$word\n", 1, ReadProblem::Outside);
    rejects(Dialect::Shell, "A=~/x\n", 1, ReadProblem::Outside);
}

#[test]
fn names_that_the_shell_owns_are_refused_for_shell_and_portable_only() {
    let one = secret("1");
    let variables = [(Key::parse("UID").unwrap(), &one)];
    for dialect in Dialect::ALL {
        let refused = render(&[dialect], "", &variables).is_err();
        assert_eq!(refused, matches!(dialect, Dialect::Shell | Dialect::Portable), "{dialect}");
    }
}

#[test]
fn systemd_rejects_noncharacters_and_does_not_know_the_shells_quoting() {
    writes(Dialect::Systemd, "it's $x", "\"it's \\$x\"");
    refuses(&[Dialect::Systemd], "a\u{fffe}", Reason::Noncharacter);
    reads(Dialect::Systemd, "A='it'\\''s'\n", &[("A", "it''s'")]);
    reads(Dialect::Systemd, "A='2' # c\nB= x\\\ny \n", &[("A", "2# c"), ("B", "xy")]);
    rejects(Dialect::Systemd, "export A=1\n", 1, ReadProblem::Skipped);
}

#[test]
fn several_dialects_get_one_form_or_the_name_of_the_one_that_objects() {
    assert_eq!(rendered(&[Dialect::Shell, Dialect::Systemd], "it's").unwrap(), "A=\"it's\"\n");
    assert_eq!(rendered(&[Dialect::Shell, Dialect::Systemd], "a'$b").unwrap(), "A=\"a'\\$b\"\n");
    assert_eq!(rendered(&[Dialect::Compose, Dialect::Node], "a b").unwrap(), "A='a b'\n");
    assert_eq!(rendered(&[Dialect::Docker, Dialect::Compose], "a b").unwrap(), "A=a b\n");
    let objects =
        refuses(&[Dialect::Compose, Dialect::PythonDotenv, Dialect::Docker], "a #b", Reason::NotTogether);
    assert_eq!(objects, Dialect::Docker);
    assert_eq!(refuses(&[Dialect::Compose, Dialect::Docker], "a\nb", Reason::LineBreak), Dialect::Docker);
    assert_eq!(refuses(&[Dialect::Portable], "a b", Reason::NotPlain), Dialect::Portable);
    assert_eq!(refuses(&[Dialect::Portable], "~a", Reason::NotPlain), Dialect::Portable);
}

#[test]
fn all_refusals_come_at_once_and_none_tells_a_value() {
    let (good, bad, worse) = (secret("1"), secret("can\nary"), secret("$canary"));
    let key = |name| Key::parse(name).unwrap();
    let variables = [(key("A"), &bad), (key("B"), &good), (key("C"), &worse)];
    let error = render(&[Dialect::DjangoEnviron], "", &variables).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("A cannot") && text.contains("C cannot") && !text.contains("B cannot"), "{text}");
    assert!(!text.contains("ary"), "{text}");
}

#[test]
fn misuse_is_an_error_of_its_own() {
    let one = secret("1");
    let twice = [(Key::parse("A").unwrap(), &one), (Key::parse("A").unwrap(), &one)];
    assert!(
        matches!(render(&[Dialect::Node], "", &twice), Err(RenderError::Duplicate { keys }) if keys.len() == 1)
    );
    assert_eq!(render(&[], "", &[]).unwrap_err(), RenderError::NoDialect);
    assert_eq!(render(&[Dialect::Json, Dialect::Node], "", &[]).unwrap_err(), RenderError::JsonAmongOthers);
}

#[test]
fn a_header_is_comments_everywhere_whatever_is_in_it() {
    let value = secret("v");
    let header = "made by strongroom\\\n  B='x\" $(id) \u{2028}C=1\r\u{85}D=2 \\ \\\n\n# E=`";
    let variables = [(Key::parse("A").unwrap(), &value)];
    let text = render(&[Dialect::Portable], header, &variables).unwrap();
    assert_eq!(text.expose(), "# made by strongroom\n#   B='x\" $(id)  C=1  D=2\n#\n# # E=`\nA=v\n");
    for dialect in Dialect::grammars().map(|grammar| grammar.dialect) {
        reads(dialect, text.expose(), &[("A", "v")]);
    }
}

#[test]
fn json_is_an_object_of_strings_in_the_order_given() {
    let (a, b) = (secret("a\"\\\n\u{1}é"), secret(""));
    let variables = [(Key::parse("B").unwrap(), &a), (Key::parse("A").unwrap(), &b)];
    let text = render(&[Dialect::Json], "left out", &variables).unwrap();
    assert_eq!(text.expose(), "{\n  \"B\": \"a\\\"\\\\\\n\\u0001é\",\n  \"A\": \"\"\n}\n");
    reads(Dialect::Json, text.expose(), &[("B", "a\"\\\n\u{1}é"), ("A", "")]);
    rejects(Dialect::Json, "{\n\"A\": 1}", 2, ReadProblem::NotJson);
    rejects(Dialect::Json, "{\"A\": \"\\u0000\"}", 1, ReadProblem::Nul);
}

#[test]
fn errors_of_reading_never_show_the_line() {
    for dialect in Dialect::ALL {
        for text in [
            "canary",
            "A='canary",
            "A=$canary ${canary",
            "A=\"\\canary\"",
            "A=1 canary\n",
            "canary-x=1",
            "A=a\0canary",
        ] {
            if let Err(error) = read(dialect, text) {
                assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            }
            if let Err(error) = read_agreed(text) {
                assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            }
        }
    }
}

#[test]
fn the_last_of_several_assignments_counts() {
    for dialect in Dialect::grammars().map(|grammar| grammar.dialect) {
        reads(dialect, "A=1\nB=2\nA=3\n", &[("B", "2"), ("A", "3")]);
    }
}
