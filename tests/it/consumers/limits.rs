//! What each dialect cannot hold, as it was measured on its consumer, stated again and apart from the product's own
//! grammar: a second opinion about refusals. It never looks at a rendered text.

use strongroom::render::Dialect;

/// Whether no text of that dialect gives its consumer this value.
pub(super) fn cannot_hold(dialect: Dialect, name: &str, value: &str) -> bool {
    let too_long = dialect != Dialect::Json && name.len() + 1 + value.len() + 1 > 131_072;
    too_long
        || match dialect {
            Dialect::Compose | Dialect::PythonDotenv | Dialect::Dotenvy | Dialect::Shell | Dialect::Json => {
                false
            }
            Dialect::Docker => docker(name, value),
            Dialect::DjangoEnviron => django_environ(value),
            Dialect::Node => node(value),
            Dialect::NodeBuiltin => node_builtin(value),
            Dialect::Systemd => value.chars().any(noncharacter),
            Dialect::Portable => docker(name, value) || !portable(value),
        }
}

/// Lines only, and none longer than the client's buffer; a CR at the end needs one more, which it drops.
fn docker(name: &str, value: &str) -> bool {
    let line = name.len() + 1 + value.len() + usize::from(value.ends_with('\r'));
    value.contains('\n') || line > 65_535
}

/// Python's `str.splitlines` knows ten line ends. `env()` takes a leading `$` for another variable's name, and 0.11 cuts
/// `"…"` at a `#`.
fn django_environ(value: &str) -> bool {
    const ENDS: [char; 10] =
        ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    let in_quotes = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    value.contains(ENDS) || value.starts_with('$') || (in_quotes && value.contains('#'))
}

/// npm's dotenv takes no escapes away. A quote fits where each of its kind in the value has a backslash before it; where
/// none fits, quotes round a line are still taken off, if none inside is followed by something like a line's end.
fn node(value: &str) -> bool {
    let literal = value.contains("\\n") || value.contains("\\r");
    let breaks = value.contains(['\n', '\r']);
    let chars: Vec<char> = value.chars().collect();
    let lone =
        |quote: char| (0..chars.len()).any(|at| chars[at] == quote && (at == 0 || chars[at - 1] != '\\'));
    let fits = |quote: char| !lone(quote) && if quote == '"' { !literal } else { !value.contains('\r') };
    let ends_early = |quote: char| {
        value.split(quote).skip(1).any(|rest| {
            let blanks = &rest[..rest.len() - rest.trim_start().len()];
            blanks.contains(['\u{2028}', '\u{2029}'])
        })
    };
    let bare = |quote: char| !ends_early(quote) && if quote == '"' { !literal } else { !breaks };
    let quotes = ['\'', '"', '`'];
    !quotes.into_iter().any(fits) && (value.contains('#') || !quotes.into_iter().any(bare))
}

/// Node drops each CR, its quotes end at the next of their kind, and blanks and tabs round a bare value are lost.
fn node_builtin(value: &str) -> bool {
    let fits = |quote: char| !value.contains(quote) && (quote != '"' || !value.contains("\\n"));
    let trimmed = value.trim_matches([' ', '\t']) == value && !value.starts_with(['\'', '"', '`']);
    let bare = trimmed && !value.contains(['#', '\n']);
    value.contains('\r') || (!['\'', '"', '`'].into_iter().any(fits) && !bare)
}

fn noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

/// What every consumer reads bare.
fn portable(value: &str) -> bool {
    let plain = |c: char| match c {
        '\0'..='\u{7f}' => c.is_ascii_alphanumeric() || "!%*+,-./:=?@[]^_{}~".contains(c),
        '\u{80}'..='\u{9f}' | '\u{feff}' => false,
        c => !c.is_whitespace() && !noncharacter(c),
    };
    let tilde = value.starts_with('~') || value.contains(":~") || value.contains("=~");
    value.chars().all(plain) && !tilde
}
