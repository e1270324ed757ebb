//! Laws of all dialects: what is rendered reads back, for each alone, for each pair, and in files of several variables.

use super::*;
use crate::name::Key;
use crate::secret::Secret;
use proptest::prelude::*;

fn key(name: &str) -> Key {
    Key::parse(name).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

/// Values made of what is special somewhere.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "'", "\"", "`", "\\", "$", "{", "}", "${", "${:-", "$$", "$A", "${A}", "$(id)", "\n", "\r", "\r\n", "#", " #", " ",
            "\t", "=", "~", ":", "!", "&", ";", "\\n", "\\r", "\\\\", "\\'", "\\\"", "\\$", "'\\''", "\u{85}", "\u{a0}",
            "\u{2028}", "\u{feff}", "\u{fdd0}", "\u{ffff}", "\u{1}", "\u{b}", "\u{c}", "\u{1c}", "\u{7f}", "\u{9f}", "é",
            "日本", "😀", "export ", "B=b", "# '.", "\n#", "[", "]", "*", "?", "%",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9_./-]{1,6}",
        1 => any::<char>().prop_filter("NUL is no value", |c| *c != '\0').prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

fn line_dialects() -> impl Iterator<Item = Dialect> {
    Dialect::grammars().map(|grammar| grammar.dialect)
}

/// Renders, reads back with every named dialect's own reader, and says whether it was not refused.
fn round_trip(dialects: &[Dialect], values: &[String]) -> bool {
    let secrets: Vec<Secret> = values.iter().map(|value| secret(value)).collect();
    let variables: Vec<(Key, &Secret)> =
        secrets.iter().enumerate().map(|(at, secret)| (key(&format!("K{at}")), secret)).collect();
    let rendered = match render(dialects, "made by a test\\\nit's \"secret\" $HOME \\", &variables) {
        Ok(rendered) => rendered,
        Err(RenderError::Refused(_)) => return false,
        Err(error) => panic!("{dialects:?} {values:?}: {error}"),
    };
    assert!(rendered.expose().ends_with('\n'));
    for dialect in dialects {
        let Some(grammar) = dialect.grammar() else { continue };
        let read =
            read(grammar.dialect, rendered.expose()).unwrap_or_else(|error| panic!("{values:?}: {error}"));
        let read: Vec<(String, String)> =
            read.iter().map(|(key, value)| (key.to_string(), value.expose().to_owned())).collect();
        let expected: Vec<(String, String)> =
            values.iter().enumerate().map(|(at, value)| (format!("K{at}"), value.clone())).collect();
        assert_eq!(read, expected, "{dialect}: {}", rendered.expose());
    }
    true
}

/// Whether a consumer can hold a value, as it was measured; `None` where it depends on more than this says.
fn holds(dialect: Dialect, value: &str) -> Option<bool> {
    let lone = |quote: char| value.match_indices(quote).any(|(at, _)| !value[..at].ends_with('\\'));
    let breaks = value.contains(['\n', '\r']);
    let literal = value.contains("\\n") || value.contains("\\r");
    match dialect {
        Dialect::Compose | Dialect::PythonDotenv | Dialect::Dotenvy | Dialect::Shell => Some(true),
        Dialect::Docker => Some(!value.contains('\n')),
        Dialect::Systemd => Some(!value.contains(portable::noncharacter)),
        Dialect::DjangoEnviron => {
            let ends = [
                '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
            ];
            // 0.11, and later ones with `parse_comments=True`, cut a value in double quotes at a `#`.
            let in_quotes = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
            let cut = in_quotes && value.contains('#');
            Some(!(value.contains(ends) || value.starts_with('$') || cut))
        }
        Dialect::NodeBuiltin => {
            let quotes = ['\'', '`', '"'];
            let quoted = !value.contains('\'')
                || !value.contains('`')
                || !(value.contains('"') || value.contains("\\n"));
            // Newer releases take tabs for blanks at the ends too.
            let bare = !value.contains(['#', '\n'])
                && value.trim_matches([' ', '\t']) == value
                && !value.starts_with(quotes);
            Some(!value.contains('\r') && (quoted || bare))
        }
        Dialect::Node if value.contains(['\u{2028}', '\u{2029}']) => None,
        Dialect::Node => {
            let single = |quote| !lone(quote) && !value.contains('\r');
            let quoted = single('\'') || single('`') || (!lone('"') && !literal);
            Some(quoted || !(value.contains('#') || (breaks && literal)))
        }
        Dialect::Portable | Dialect::Json => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_dialect_gives_back_what_it_renders(values in prop::collection::vec(hostile(), 1..4)) {
        for dialect in Dialect::ALL {
            let alone: Vec<bool> = values.iter().map(|value| round_trip(&[dialect], std::slice::from_ref(value))).collect();
            // Neighbours change nothing: together they are refused exactly if one of them alone is.
            prop_assert_eq!(round_trip(&[dialect], &values), alone.iter().all(|good| *good), "{}", dialect);
        }
    }

    #[test]
    fn refused_is_only_what_the_consumer_cannot_hold(value in hostile()) {
        for dialect in line_dialects() {
            if let Some(holds) = holds(dialect, &value) {
                prop_assert_eq!(round_trip(&[dialect], std::slice::from_ref(&value)), holds, "{}", dialect);
            }
        }
    }

    #[test]
    fn every_pair_of_dialects_gives_back_what_it_renders(values in prop::collection::vec(hostile(), 1..3)) {
        for first in line_dialects() {
            for second in line_dialects() {
                let both = round_trip(&[first, second], &values);
                prop_assert!(!both || (round_trip(&[first], &values) && round_trip(&[second], &values)));
            }
        }
    }

    #[test]
    fn what_is_portable_is_read_alike_by_all_without_naming_one(value in "[a-zA-Z0-9!%*+,./:=?@^_{}~é日-]{0,12}") {
        let variables = [(key("A"), &secret(&value))];
        if let Ok(rendered) = render(&[Dialect::Portable], "", &variables) {
            let read = read_agreed(rendered.expose()).unwrap();
            prop_assert_eq!(read[0].1.expose(), value.as_str());
        }
    }

    #[test]
    fn no_text_makes_a_model_panic(text in prop::collection::vec(hostile(), 0..6)) {
        let text = text.join("\n");
        for dialect in Dialect::ALL {
            let _ = read(dialect, &text);
        }
        let _ = read_agreed(&text);
    }

    /// The model beside the real thing: dotenvy is a crate, so this costs nothing.
    #[test]
    fn the_model_of_dotenvy_is_dotenvy(pieces in prop::collection::vec(prop_oneof![
        3 => hostile(),
        1 => Just("\nA1=".to_owned()),
        1 => Just("\nexport Q2 = '".to_owned()),
        1 => Just("'".to_owned()),
        1 => Just("\"\nR3=\"".to_owned()),
    ], 1..8)) {
        let text = format!("K=v\nX={}\n", pieces.concat());
        let real: Result<Vec<(String, String)>, _> =
            ::dotenvy::Iter::new(text.as_bytes()).collect();
        let model = (dotenvy_grammar().models[0])(&text);
        match (real, model) {
            (Ok(real), Ok(model)) => {
                prop_assert_eq!(real.len(), model.assignments.len());
                for ((name, value), read) in real.iter().zip(&model.assignments) {
                    prop_assert_eq!(name, &read.name);
                    if let read::Meaning::Value(text) = &read.meaning {
                        prop_assert_eq!(value, text.as_str());
                    }
                }
            }
            (Err(_), Err(_)) => {}
            (real, model) => prop_assert!(false, "{real:?}, model {}", model.is_ok()),
        }
    }
}

fn dotenvy_grammar() -> &'static Grammar {
    Dialect::Dotenvy.grammar().unwrap()
}
